using System.Text;
using NativeIpc.Interop.Unix;
using Xunit;

namespace NativeIpc.Tests;

/// <summary>Names of files as bytes, as strings that lead back to them, and as people see them.</summary>
public class PathTextTests
{
    [Theory]
    [InlineData("", "")]
    [InlineData("66 72", "fr")]
    [InlineData("c3 a4 5c", @"ä\")] // text stays as it is
    [InlineData("ff", @"\xff")]
    [InlineData("5c 78 66 66", @"\xff")] // which is text: a key leads to it
    [InlineData("ff 5c 78 66 66", @"\xff\\xff")]
    [InlineData("c3", @"\xc3")]
    [InlineData("ed b2 80 f0 9f 98 80", @"\xed\xb2\x80😀")] // a surrogate is no UTF-8
    public void A_name_is_shown_byte_by_byte_where_it_is_no_text(string bytes, string shown)
        => Assert.Equal(shown, PathText.Show(Parse(bytes)));

    [Fact]
    public void Every_name_comes_back_and_no_two_that_are_no_text_look_alike()
    {
        var random = new Random(14);
        byte[] likely = [.. "a\\xf\u001b"u8, .. "ä😀"u8, 0x80, 0xB2, 0xED, 0xFF, 0xC3];
        Dictionary<string, string> shown = [];
        for (int round = 0; round < 20_000; round++)
        {
            byte[] name = random.GetItems(likely, random.Next(1, 8));
            string text = PathText.Decode(name);
            Span<byte> back = new byte[PathText.MostBytes(text.Length)];
            Assert.Equal(name, back[..PathText.Encode(text, back)].ToArray());
            bool isText = PathText.IsText(text);
            Assert.Equal(System.Text.Unicode.Utf8.IsValid(name), isText);
            string said = PathText.Show(name);
            Assert.Equal(said, Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(said))); // it is text
            if (!isText)
                Assert.Equal(Convert.ToHexString(name),
                    shown.TryGetValue(said, out string? other) ? other : shown[said] = Convert.ToHexString(name));
        }
    }

    private static byte[] Parse(string hex) => Convert.FromHexString(hex.Replace(" ", "", StringComparison.Ordinal));
}
