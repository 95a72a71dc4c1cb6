using System.Runtime.InteropServices;
using Xunit;

namespace NativeIpc.Channels.Rings;

/// <summary>The layout that the messages of a channel have is said once, and verified by whoever asks.</summary>
[NeedsLinux("Channels are there on Linux.")]
public sealed class LayoutTests : LanguageTests
{
    private const string Same = "123456789abcdef0", Another = "23456789abcdef01";

    [Theory]
    [InlineData("c")]
    [InlineData("cpp")]
    [InlineData("python")]
    [InlineData("qt5.15")]
    [InlineData("qt6.4")]
    public void A_layout_that_was_said_in_one_language_is_verified_in_the_others(string language)
    {
        NativeIpcKey key = NextKey();
        using (var topic = SharedTopic.CreateNew(key, 64))
        {
            if (!language.StartsWith("qt", StringComparison.Ordinal)) // whose devices say it wherever they may
                Assert.Equal(Refused("no layout was said yet", Same), Line(In(language, "layout", key, Same, "read")));
            topic.UseLayout<One>();
            Assert.Equal("same", Line(In(language, "layout", key, Same)));
            Assert.Equal("same", Line(In(language, "layout", key, Same, "read")));
            Assert.Equal(Refused("fingerprint " + Same, Another), Line(In(language, "layout", key, Another)));
        }

        key = NextKey();
        using var anew = SharedTopic.CreateNew(key, 64);
        Assert.Equal("same", Line(In(language, "layout", key, Another)));
        var refused = Assert.Throws<SharedChannelException>(anew.UseLayout<One>);
        Assert.Equal((SharedChannelError.OtherLayout, key), (refused.Error, refused.Key));
        Assert.Contains($"{key} have another layout than One of this program: fingerprint {Another}, instead of {Same}",
            refused.Message, StringComparison.Ordinal);
        anew.UseLayout<Other>();

        static string Refused(string said, string expected)
            => $"another layout than Frame of this program: {said}, instead of {expected}";
    }

    [Fact]
    public void A_channel_that_is_open_for_reading_verifies_and_says_nothing()
    {
        using var topic = SharedTopic.CreateNew(NextKey(), 64);
        using var read = SharedTopic.OpenExisting(topic.Key, SharedMemoryAccess.Read);
        Assert.Contains("no layout was said yet", Assert.Throws<SharedChannelException>(read.UseLayout<One>).Message,
            StringComparison.Ordinal);
        topic.UseLayout<One>();
        read.UseLayout<One>();
        Assert.Throws<SharedChannelException>(read.UseLayout<Other>);
    }

    [Fact]
    public void Of_many_that_say_a_layout_at_once_one_is_heard()
    {
        using var ring = SharedRing.CreateNew(NextKey(), 4096);
        int heard = 0;
        Parallel.For(0, 16, i =>
        {
            using var own = SharedRing.OpenExisting(ring.Key);
            try
            {
                if (i % 2 == 0) own.UseLayout<One>();
                else own.UseLayout<Other>();
                Interlocked.Increment(ref heard);
            }
            catch (SharedChannelException other) when (other.Error == SharedChannelError.OtherLayout)
            {
                // The other one was heard.
            }
        });
        Assert.Equal(8, heard);
    }

    [Fact]
    public void A_disposed_channel_says_no_layout()
    {
        var ring = SharedRing.CreateNew(NextKey(), 4096);
        ring.Dispose();
        Assert.Throws<ObjectDisposedException>(ring.UseLayout<One>);
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct One : ISharedLayout<One>
    {
        public int Value;

        public static SharedLayoutInfo Layout => new("One", 4, 4, 0, 0x123456789abcdef0);
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Other : ISharedLayout<Other>
    {
        public int Value;

        public static SharedLayoutInfo Layout => new("Other", 4, 4, 0, 0x23456789abcdef01);
    }
}
