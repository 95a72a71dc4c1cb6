using Xunit;

namespace NativeIpc.Tests.Keys;

public class NativeIpcKeyTests
{
    [Fact]
    public void The_invalid_key_is_the_default()
    {
        NativeIpcKey key = default;
        Assert.False(key.IsValid);
        Assert.True(key.IsEmpty);
        Assert.Equal(NativeIpcKeyType.Invalid, key.Type);
        Assert.Equal("", key.NativeKey);
        Assert.Equal("", key.LegacyKey);
        Assert.Equal("", key.ToString());
        Assert.Equal(new NativeIpcKey("", NativeIpcKeyType.Invalid), key);
        Assert.Equal(new NativeIpcKey("", NativeIpcKeyType.Invalid).GetHashCode(), key.GetHashCode());
    }

    [Fact]
    public void A_key_holds_its_native_key_as_it_is()
    {
        var key = new NativeIpcKey("/a\0\ud800/..", (NativeIpcKeyType)0xFFFF);
        Assert.Equal("/a\0\ud800/..", key.NativeKey);
        Assert.True(key.IsValid);
        Assert.False(key.IsEmpty);
        Assert.Throws<ArgumentNullException>(() => new NativeIpcKey(null!, NativeIpcKeyType.PosixRealtime));
        Assert.Throws<ArgumentNullException>(() => key.WithNativeKey(null!));
    }

    [Theory]
    [InlineData("", 0, "lacks the type")]
    [InlineData("nothing", 0, "lacks the type")]
    [InlineData("file:/x", 0, "none of posix")]
    [InlineData(" posix:/x", 0, "none of posix")]
    [InlineData("systemv-256:/x", 8, "1 to 255")]
    [InlineData("systemv-:/x", 8, "1 to 255")]
    [InlineData("posix://host/x", 8, "names a host")]
    [InlineData("posix:/x?a=b", 9, "other than legacyKey")]
    [InlineData("posix:/x?legacyKey=a&b=c", 21, "other than legacyKey")]
    [InlineData("posix:/x?&", 9, "other than legacyKey")]
    public void Parsing_fails_with_the_part_that_is_wrong_and_its_position(string text, int position, string reason)
    {
        FormatException exception = Assert.Throws<FormatException>(() => NativeIpcKey.Parse(text));
        Assert.Contains(reason, exception.Message, StringComparison.Ordinal);
        Assert.Contains($"position {position}", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_message_for_a_huge_text_is_short()
    {
        FormatException exception = Assert.Throws<FormatException>(
            () => NativeIpcKey.Parse(new string('x', 100_000) + ":"));
        Assert.InRange(exception.Message.Length, 1, 200);
    }

    [Fact]
    public void All_ways_to_parse_agree()
    {
        const string Text = "posix:/a?legacyKey=b";
        var expected = new NativeIpcKey("/a", NativeIpcKeyType.PosixRealtime, "b");
        Assert.Equal(expected, NativeIpcKey.Parse(Text));
        Assert.Equal(expected, NativeIpcKey.Parse(Text.AsSpan()));
        Assert.Equal(expected, Parse<NativeIpcKey>(Text));
        Assert.Equal(expected, ParseSpan<NativeIpcKey>(Text));
        Assert.True(NativeIpcKey.TryParse(Text, out NativeIpcKey key));
        Assert.Equal(expected, key);
        Assert.True(NativeIpcKey.TryParse(Text.AsSpan(), out key));
        Assert.Equal(expected, key);
        Assert.True(NativeIpcKey.TryParse(Text, null, out key));
        Assert.True(NativeIpcKey.TryParse(Text.AsSpan(), null, out key));

        Assert.False(NativeIpcKey.TryParse(null, out key));
        Assert.Equal(default, key);
        Assert.False(NativeIpcKey.TryParse(null, null, out _));
        Assert.Throws<ArgumentNullException>(() => NativeIpcKey.Parse(null!));
        Assert.Throws<ArgumentNullException>(() => NativeIpcKey.Parse(null!, null));

        static T Parse<T>(string text) where T : IParsable<T> => T.Parse(text, null);
        static T ParseSpan<T>(ReadOnlySpan<char> text) where T : ISpanParsable<T> => T.Parse(text, null);
    }

    [Fact]
    public void All_ways_to_format_agree()
    {
        var key = new NativeIpcKey("/a", NativeIpcKeyType.PosixRealtime);
        Assert.Equal("posix:/a", key.ToString());
        Assert.Equal("posix:/a", key.ToString(null, null));
        Assert.Equal("posix:/a", key.ToString("G", null));
        Assert.Equal("<posix:/a>", $"<{key}>");

        Span<char> exact = stackalloc char[8];
        Assert.True(key.TryFormat(exact, out int written));
        Assert.Equal("posix:/a", exact[..written]);
        Assert.False(key.TryFormat(exact[1..], out written));
        Assert.Equal(0, written);

        Assert.Throws<FormatException>(() => key.ToString("X", null));
        Assert.Throws<FormatException>(() => key.TryFormat(new char[8], out _, "X"));
    }
}
