using System.Diagnostics;
using NativeIpc.Channels.Peer;
using Xunit;

namespace NativeIpc.Channels.Rings;

/// <summary>Processes that are held up in the middle of a message, and go on.</summary>
[NeedsLinux("Channels are there on Linux.")]
public sealed class StoppedTests : LanguageTests
{
    [Theory]
    [InlineData("dotnet", SharedRingForm.OneToOne)]
    [InlineData("dotnet", SharedRingForm.ManyToMany)]
    [InlineData("c", SharedRingForm.OneToOne)]
    [InlineData("c", SharedRingForm.ManyToMany)]
    public void A_stopped_writer_is_not_robbed_and_its_message_is_given_whole_and_once_when_it_goes_on(string language,
        SharedRingForm form)
    {
        NativeIpcKey key = NextKey();
        using SharedRing ring = SharedRing.CreateNew(key, 4096, form);
        using SharedRingReader reader = ring.OpenReader();
        Process peer = In(language, "half", key, "7");
        SharedChannelPeer stopped = Stopped(peer, () => ring.Writer);
        Task<bool> next = Task.Run(() =>
        {
            Assert.True(ring.TryOpenWriter(Watchdog, out SharedRingWriter? writer));
            using (writer)
            {
                Assert.True(writer.TryWrite([2], Watchdog));
                return writer.TookOver;
            }
        });
        Assert.False(reader.TryRead(TimeSpan.FromMilliseconds(200), out _));
        Assert.Equal((stopped, false), (ring.Writer, next.IsCompleted));

        GoesOn(peer);
        Assert.True(reader.TryRead(Watchdog, out ReadOnlySpan<byte> got));
        Assert.Equal((7UL, 1UL), Message.Read(got));
        reader.Release();
        Assert.True(reader.TryRead(Watchdog, out got));
        Assert.Equal([2], got.ToArray());
        reader.Release();
        Assert.False(next.Result);
        Assert.False(reader.TryRead(out _));
    }

    [Theory]
    [InlineData("dotnet")]
    [InlineData("c")]
    public void A_stopped_writer_of_a_topic_is_not_robbed_and_its_message_is_given_when_it_goes_on(string language)
    {
        NativeIpcKey key = NextKey();
        using SharedTopic topic = SharedTopic.CreateNew(key, 1024);
        using SharedTopicReader reader = topic.OpenReader();
        byte[] got = new byte[reader.LongestMessage];
        Process peer = In(language, "half", key, "7", "topic");
        SharedChannelPeer stopped = Stopped(peer, () => topic.Writer);
        Task<bool> next = Task.Run(() =>
        {
            Assert.True(topic.TryOpenWriter(Watchdog, out SharedTopicWriter? writer));
            using (writer)
            {
                writer.Write([2]);
                return writer.TookOver;
            }
        });
        Assert.False(reader.WaitToRead(TimeSpan.FromMilliseconds(200)));
        Assert.Equal((stopped, false), (topic.Writer, next.IsCompleted));

        GoesOn(peer);
        Assert.False(next.Result);
        Assert.True(reader.TryRead(got, out int length));
        Assert.Equal((7UL, 1UL), Message.Read(got.AsSpan(0, length)));
        Assert.True(reader.TryRead(got, out length));
        Assert.Equal((1, 2, 2L, 0L), (length, got[0], reader.Position, reader.Missed));
        Assert.False(reader.TryRead(got, out _));
    }

    [Theory]
    [InlineData("dotnet", "found")]
    [InlineData("dotnet", "copied")]
    [InlineData("dotnet", "place")]
    [InlineData("c", "found")]
    [InlineData("c", "copied")]
    [InlineData("c", "place")]
    [InlineData("python", "found")]
    [InlineData("python", "copied")]
    public void A_reader_of_a_topic_that_is_lapped_in_a_message_takes_nothing_torn_and_is_told_what_it_missed(
        string language, string where)
    {
        NativeIpcKey key = NextKey();
        using SharedTopic topic = SharedTopic.CreateNew(key, 1024, history: 3);
        using SharedTopicWriter writer = topic.OpenWriter();
        for (int i = 1; i <= 2; i++) Write();
        Process peer = In(language, "lapped", key, where);
        Assert.Equal(where, Line(peer));
        if (where == "found")
        {
            // It copies half of the fifth message, and of the first one what is left.
            for (int i = 3; i <= 4; i++) Write();
            writer.Reserve(1000)[..500].Fill(0xEE);
        }
        else
        {
            for (int i = 3; i <= 9; i++) Write(); // the ninth is where the first one was
        }

        peer.StandardInput.WriteLine();
        if (where == "place") Assert.Equal("overwritten 1 1", Line(peer));
        Assert.Equal(where == "found" ? "read 2 1" : "read 7 6", Line(peer));

        void Write()
        {
            ulong number = (ulong)writer.Latest + 1;
            Message.Fill(writer.Reserve(1000), 7, number);
            writer.Commit();
        }
    }

    /// <summary>Stops one that has written half of a message.</summary>
    private static SharedChannelPeer Stopped(Process peer, Func<SharedChannelPeer> look)
    {
        Assert.Equal("half", Line(peer));
        Shell.Run("kill", ["-STOP", $"{peer.Id}"]);
        while (look().State == SharedChannelPeerState.Living) Thread.Yield();
        var stopped = new SharedChannelPeer(SharedChannelPeerState.Stopped, peer.Id);
        Assert.Equal(stopped, look());
        return stopped;
    }

    private static void GoesOn(Process peer)
    {
        peer.StandardInput.WriteLine();
        Shell.Run("kill", ["-CONT", $"{peer.Id}"]);
        Assert.Equal("whole", Line(peer));
    }
}
