using System.Diagnostics;
using Xunit;

namespace NativeIpc.Channels.Rings;

/// <summary>Rings and topics on Windows: roles and bells are events of the kernel there.</summary>
[NeedsWindows("Keys of the type windows are there on Windows.")]
public sealed class WindowsTests : ChannelTests
{
    private const int Count = 2000;

    private protected override NativeIpcKeyType KeyType => NativeIpcKeyType.Windows;

    [Fact]
    public void A_ring_takes_messages_to_another_process_and_from_it()
    {
        NativeIpcKey key = NextKey();
        Process receiver = Peer("receive", $"{key}");
        Assert.Equal("ready", Line(receiver));
        Process sender = Peer("send", $"{key}", "5", $"{Count}");
        Assert.Equal("sent", Line(sender));
        Assert.Equal($"received {Count}", Line(receiver));
    }

    [Fact]
    public void A_topic_takes_messages_to_other_processes()
    {
        NativeIpcKey key = NextKey();
        Process[] readers = [Peer("follow", $"{key}"), Peer("follow", $"{key}")];
        foreach (Process reader in readers) Assert.Equal("ready", Line(reader));
        Process writer = Peer("publish", $"{key}", "5", $"{Count}");
        Assert.Equal("sent", Line(writer));
        foreach (Process reader in readers)
        {
            string[] told = Line(reader)!.Split(' ');
            Assert.Equal("followed", told[0]);
            Assert.Equal(Count, int.Parse(told[1]) + int.Parse(told[2]));
        }
    }

    [Fact]
    public async Task Readers_of_a_topic_sleep_until_they_are_woken_all_at_once()
    {
        const int BellAt = 384, WakesAt = 392, Readers = 3, Rounds = 200;
        NativeIpcKey key = NextKey();
        using SharedTopic topic = SharedTopic.CreateNew(key, 100);
        using SharedTopicWriter writer = topic.OpenWriter();
        using SharedMemory raw = SharedMemory.OpenExisting(key);
        long[] seen = new long[Readers];
        SharedTopicReader[] readers = [.. seen.Select(_ => topic.OpenReader())];
        Task[] reading = [.. Enumerable.Range(0, Readers).Select(self => Task.Run(async () =>
        {
            using SharedTopicReader reader = readers[self];
            byte[] message = new byte[100];
            while (self == 0 ? await reader.WaitToReadAsync(Watchdog) : reader.WaitToRead(Watchdog))
            {
                while (reader.TryRead(message, out _)) Volatile.Write(ref seen[self], reader.Position);
            }
        }))];

        // Asleep: at a bell that is set. The next message wakes all of them, and they say so by having it.
        uint before = Volatile.Read(ref raw.GetReference<uint>(WakesAt));
        for (long round = 1; round <= Rounds; round++)
        {
            SpinUntil(() => Volatile.Read(ref raw.GetReference<uint>(BellAt)) == 1);
            writer.Write([1]);
            SpinUntil(() => Enumerable.Range(0, Readers).All(self => Volatile.Read(ref seen[self]) == round));
        }

        Assert.True(Volatile.Read(ref raw.GetReference<uint>(WakesAt)) - before >= Rounds);
        writer.Complete();
        await Task.WhenAll(reading).WaitAsync(Watchdog);

        static void SpinUntil(Func<bool> condition)
            => Assert.True(SpinWait.SpinUntil(condition, Watchdog), "It goes on for ever.");
    }

    [Fact]
    public void A_killed_writer_is_named_while_it_lives_and_followed_by_one_that_is_told()
    {
        NativeIpcKey key = NextKey();
        using SharedRing ring = SharedRing.CreateNew(key, 16384);
        Assert.Equal(SharedChannelPeerState.None, ring.Writer.State);
        Process holder = Peer("hold", $"{key}");
        Assert.Equal("held", Line(holder));
        Assert.Equal(new SharedChannelPeer(SharedChannelPeerState.Living, holder.Id), ring.Writer);
        SharedChannelException taken = Assert.Throws<SharedChannelException>(() => ring.OpenWriter());
        Assert.Equal(SharedChannelError.RoleTaken, taken.Error);
        holder.Kill();
        Assert.True(ring.TryOpenWriter(Watchdog, out SharedRingWriter? writer));
        using (writer) Assert.True(writer.TookOver);
        using (SharedRingWriter next = ring.OpenWriter()) Assert.False(next.TookOver);
    }

    [Fact]
    public async Task Waits_for_messages_and_for_room_sleep_are_woken_and_end_with_their_time_or_owner()
    {
        using SharedRing ring = SharedRing.CreateNew(NextKey(), 4096);
        using SharedRingWriter writer = ring.OpenWriter();
        SharedRingReader reader = ring.OpenReader();
        Assert.False(reader.TryRead(TimeSpan.FromMilliseconds(20), out _));
        Task writing = Task.Run(() =>
        {
            byte[] message = new byte[1000];
            for (int i = 0; i < 2000; i++) writer.Write(message);
        });
        for (int i = 0; i < 1000; i++)
        {
            Assert.True(reader.TryRead(Watchdog, out ReadOnlySpan<byte> message));
            Assert.Equal(1000, message.Length);
            reader.Release();
        }

        for (int i = 0; i < 1000; i++)
        {
            Assert.True(await reader.WaitToReadAsync(Watchdog));
            Assert.True(reader.TryRead(out _));
            reader.Release();
        }

        await writing;
        Assert.False(await reader.WaitToReadAsync(TimeSpan.FromMilliseconds(20)));
        using var source = new CancellationTokenSource();
        ValueTask<bool> waiting = reader.WaitToReadAsync(Watchdog, source.Token);
        source.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await waiting);
        Task<bool> last = Task.Run(() => reader.TryRead(Watchdog, out _));
        reader.Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => last);
    }

    [Fact]
    public void A_ring_of_many_is_refused_and_the_message_says_where_it_is_and_nothing_is_left()
    {
        NativeIpcKey key = NextKey();
        foreach (Func<SharedRing> make in new Func<SharedRing>[]
        {
            () => SharedRing.CreateNew(key, 4096, SharedRingForm.ManyToMany),
            () => SharedRing.CreateOrOpen(key, 4096, SharedRingForm.ManyToMany),
        })
        {
            Assert.Equal("Cannot make a ring of many writers and readers: it needs Linux.",
                Assert.Throws<PlatformNotSupportedException>(make).Message);
        }

        Assert.False(SharedRing.TryOpenExisting(key, out _));
        using SharedRing one = SharedRing.CreateNew(key, 4096);
        Assert.Equal(SharedRingForm.OneToOne, one.Form);
    }

    [Fact]
    public void Keys_of_other_types_are_refused()
        => Assert.Throws<PlatformNotSupportedException>(
            () => SharedRing.CreateNew(new NativeIpcKey("/x", NativeIpcKeyType.PosixRealtime), 4096));
}
