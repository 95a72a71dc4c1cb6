using System.Diagnostics;
using System.Globalization;
using Xunit;

namespace NativeIpc.Channels.Rings;

[NeedsLinux("Channels are there on Linux.")]
public class TopicTests : ChannelTests
{
    private static readonly string[] s_steps =
    [
        "role.locked", "role.noted", "topic.write.stamped", "topic.write.filled", "topic.write.whole",
        "topic.write.shown", "topic.write.cleared",
    ];

    // More than 64: a large one is copied the other way now and then, to see which takes less time.
    [Fact]
    public void Large_messages_arrive_whole_whichever_way_they_are_copied()
    {
        using SharedTopic topic = SharedTopic.CreateNew(NextKey(), 20000, 3);
        using SharedTopicWriter writer = topic.OpenWriter();
        using SharedTopicReader reader = topic.OpenReader();
        byte[] got = new byte[20000];
        for (int i = 0; i < 300; i++)
        {
            byte[] sent = Bytes(4090 + (i * 37 % 8000), i);
            writer.Write(sent);
            Assert.True(reader.TryRead(got, out int length));
            Assert.True(got.AsSpan(0, length).SequenceEqual(sent));
        }
    }

    [Fact]
    public void Each_reader_is_given_each_message_and_told_what_it_missed()
    {
        using SharedTopic topic = SharedTopic.CreateNew(NextKey(), 100, history: 3);
        Assert.Equal((128, 3, true), (topic.LongestMessage, topic.History, topic.CreatedNew));
        using SharedTopicWriter writer = topic.OpenWriter();
        using SharedTopicReader one = topic.OpenReader(), other = topic.OpenReader();
        byte[] got = new byte[128];
        Assert.False(one.TryRead(got, out _));
        Assert.False(one.TryReadLatest(got, out _));
        for (byte i = 1; i <= 3; i++) writer.Write([i]);
        for (byte i = 1; i <= 3; i++)
        {
            Assert.True(one.TryRead(got, out int length));
            Assert.Equal((1, i, i), (length, got[0], one.Position));
        }

        Assert.False(one.TryRead(got, out _));
        for (byte i = 4; i <= 10; i++) writer.Write([i, i]);
        Assert.True(one.TryRead(got, out _));
        Assert.Equal((8, 4L), (got[0], one.Missed));
        Assert.True(other.TryReadLatest(got, out int two));
        Assert.Equal((10, 2, 0L), (got[0], two, other.Missed));
        Assert.False(other.TryReadLatest(got, out _));
        other.Rewind();
        Assert.True(other.TryRead(got, out _));
        Assert.Equal(8, got[0]);
        Assert.Throws<ArgumentException>(() => other.TryRead(new byte[1], out _));
        Assert.True(other.TryRead(got, out _));
        Assert.Equal(9, got[0]);
        Assert.Equal(10, writer.Latest);
        Assert.Throws<ArgumentOutOfRangeException>(() => writer.Write(new byte[129]));
        using SharedTopicReader late = topic.OpenReader();
        Assert.False(late.TryRead(got, out _));
    }

    [Fact]
    public void A_read_in_place_says_at_its_end_whether_it_was_overwritten()
    {
        using SharedTopic topic = SharedTopic.CreateNew(NextKey(), 64, history: 1);
        using SharedTopicWriter writer = topic.OpenWriter();
        using SharedTopicReader reader = topic.OpenReader();
        writer.Write([1]);
        Assert.True(reader.TryBeginRead(out ReadOnlySpan<byte> message));
        Assert.Equal(1, message[0]);
        writer.Write([2]);
        Assert.True(reader.EndRead());
        Assert.True(reader.TryBeginRead(out message));
        Assert.Throws<InvalidOperationException>(() => reader.TryBeginRead(out _));
        Assert.Equal(2, message[0]);
        writer.Write([3]);
        writer.Reserve(1)[0] = 4;
        Assert.False(reader.EndRead());
        Assert.Equal(1, reader.Missed);
        Assert.True(reader.TryBeginRead(out message));
        Assert.Equal(3, message[0]);
        Assert.True(reader.EndRead());
        Assert.Throws<InvalidOperationException>(() => reader.EndRead());
        Assert.False(reader.TryBeginRead(out _));
        writer.Commit();
        Assert.True(reader.TryBeginRead(out message));
        Assert.Equal(4, message[0]);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(1000)]
    public void A_reader_that_is_lapped_by_whole_rounds_takes_no_other_message_for_its_own(int rounds)
    {
        const int Slots = 4;
        using SharedTopic topic = SharedTopic.CreateNew(NextKey(), 64, history: Slots - 1);
        using SharedTopicWriter writer = topic.OpenWriter();
        using SharedTopicReader reader = topic.OpenReader();
        writer.Write([7]);
        Assert.True(reader.TryBeginRead(out ReadOnlySpan<byte> message));
        for (int i = 0; i < rounds * Slots; i++) writer.Write([7]); // the same bytes in the same slot, whole
        Assert.Equal(7, message[0]);
        Assert.False(reader.EndRead());
        Assert.Equal(1, reader.Missed);
        Assert.True(reader.TryRead(new byte[64], out _)); // goes on at the oldest one that is there
        Assert.Equal((1 + (rounds * Slots)) + 2 - Slots, reader.Position);
        Assert.Equal(reader.Position - 1, reader.Missed);
    }

    [Theory]
    [InlineData(64, 1, SharedMemoryAccess.ReadWrite)]
    [InlineData(5000, 3, SharedMemoryAccess.ReadWrite)]
    [InlineData(200, 1000, SharedMemoryAccess.ReadWrite)]
    [InlineData(200, 3, SharedMemoryAccess.Read)]
    public void No_reader_is_given_a_torn_message(int longest, int history, SharedMemoryAccess access)
    {
        const ulong Count = 200_000;
        NativeIpcKey key = NextKey();
        using SharedTopic topic = SharedTopic.CreateNew(key, longest, history);
        using SharedTopicWriter writer = topic.OpenWriter();
        Task<(long Given, long Missed)>[] readers = [.. Enumerable.Range(0, 3).Select(i =>
        {
            SharedTopic own = SharedTopic.OpenExisting(key, access);
            SharedTopicReader reader = own.OpenReader();
            return Task.Run(() =>
            {
                using (own)
                using (reader)
                {
                    return ReadAll(reader, isInPlace: i == 2);
                }
            });
        })];
        var random = new Random(1);
        for (ulong number = 1; number <= Count; number++)
        {
            Span<byte> place = writer.Reserve(24 + random.Next(longest - 24));
            NativeIpc.Channels.Peer.Message.Fill(place, 7, number);
            writer.Commit();
            if (random.Next(2000) == 0) Thread.Yield();
        }

        writer.Complete();
        Assert.True(Task.WaitAll(readers, Watchdog));
        foreach (Task<(long Given, long Missed)> reader in readers)
            Assert.Equal((long)Count, reader.Result.Given + reader.Result.Missed);
    }

    [Fact]
    public async Task A_wait_ends_with_its_time_its_token_a_message_and_the_end()
    {
        using SharedTopic topic = SharedTopic.CreateNew(NextKey(), 64);
        using SharedTopicWriter writer = topic.OpenWriter();
        using SharedTopicReader reader = topic.OpenReader();
        Assert.False(reader.WaitToRead(TimeSpan.FromMilliseconds(20)));
        Assert.False(await reader.WaitToReadAsync(TimeSpan.FromMilliseconds(20)));
        using var cancelled = new CancellationTokenSource(20);
        Assert.Throws<OperationCanceledException>(() => reader.WaitToRead(Watchdog, cancelled.Token));
        Task<bool>[] waiting =
        [
            .. Enumerable.Range(0, 4).Select(i => Task.Run(() =>
            {
                using SharedTopicReader own = topic.OpenReader();
                return own.Position > 0 || own.WaitToRead(Watchdog);
            })),
        ];
        Task<bool> pending = reader.WaitToReadAsync().AsTask();
        writer.Write([1]);
        Assert.True(await pending);
        foreach (Task<bool> one in waiting) Assert.True(await one.WaitAsync(Watchdog));
        Assert.True(reader.TryRead(new byte[64], out _));
        pending = reader.WaitToReadAsync().AsTask();
        writer.Complete();
        Assert.False(await pending);
        Assert.True(reader.IsCompleted);
        SharedTopicReader second = topic.OpenReader();
        second.Dispose();
        Assert.Throws<ObjectDisposedException>(() => second.WaitToRead(Watchdog));
        writer.Dispose();
        using SharedTopicWriter next = topic.OpenWriter();
        SharedTopicReader third = topic.OpenReader();
        Task blocked = Task.Run(() => third.WaitToRead(Watchdog));
        third.Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => blocked.WaitAsync(Watchdog));
    }

    [Fact]
    public void Writing_and_reading_allocate_nothing()
    {
        using SharedTopic topic = SharedTopic.CreateNew(NextKey(), 1000);
        using SharedTopicWriter writer = topic.OpenWriter();
        using SharedTopicReader reader = topic.OpenReader();
        byte[] message = new byte[1000];
        Pass();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 10_000; i++) Pass();
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());

        void Pass()
        {
            writer.Write(message);
            reader.TryRead(message, out _);
            writer.Write(message);
            reader.TryBeginRead(out _);
            reader.EndRead();
        }
    }

    [Fact]
    public void One_that_is_opened_for_reading_has_no_writer()
    {
        NativeIpcKey key = NextKey();
        using SharedTopic topic = SharedTopic.CreateNew(key, 64);
        using SharedTopic reading = SharedTopic.OpenExisting(key, SharedMemoryAccess.Read);
        Assert.Throws<InvalidOperationException>(reading.OpenWriter);
        using SharedTopicWriter writer = topic.OpenWriter();
        Assert.Equal(new SharedChannelPeer(SharedChannelPeerState.Living, Environment.ProcessId), reading.Writer);
        Assert.Throws<SharedChannelException>(() => SharedRing.OpenExisting(key));
    }

    [Fact]
    [Trait("Speed", "slow")]
    public void A_writer_that_is_killed_at_any_step_leaves_nothing_torn_and_the_next_one_goes_on()
    {
        NativeIpcKey key = NextKey(), ledgerKey = NextKey();
        using SharedTopic topic = SharedTopic.CreateNew(key, 3000, history: 7);
        using SharedMemory ledger = SharedMemory.CreateNew(ledgerKey, 4096);
        var random = new Random(1);
        byte[] got = new byte[topic.LongestMessage];
        using SharedTopicReader reader = topic.OpenReader();
        for (int kill = 0; kill < RingCrashTests.Kills; kill++)
        {
            string step = s_steps[kill % s_steps.Length];
            ledger.Span.Clear();
            Process peer = Start("spread", key, ledgerKey, kill, step,
                step.StartsWith("role", StringComparison.Ordinal) ? 1 : random.Next(1, 3000));
            while (!peer.HasExited)
            {
                if (reader.WaitToRead(TimeSpan.FromMilliseconds(20))) Take(kill);
            }

            Assert.Equal(137, peer.ExitCode);
            while (reader.WaitToRead(TimeSpan.Zero)) Take(kill);
            ulong intended = ledger.GetReference<ulong>(0), shown = ledger.GetReference<ulong>(8);
            if (shown != 0) Assert.InRange((ulong)reader.Position, shown, intended);
        }

        using SharedTopicWriter writer = topic.OpenWriter();
        Assert.True(writer.TookOver);
        writer.Write([1]);
        Assert.True(reader.TryRead(got, out int length));
        Assert.Equal(1, length);

        void Take(int kill)
        {
            if (!reader.TryRead(got, out int length)) return;
            Assert.Equal(((ulong)kill, (ulong)reader.Position),
                NativeIpc.Channels.Peer.Message.Read(got.AsSpan(0, length)));
        }
    }

    [Fact]
    public unsafe void Garbage_in_the_control_words_is_told_and_leads_nowhere()
    {
        const int SlotSize = 1024; // four of them end where the page does
        NativeIpcKey key = NextKey();
        using SharedTopic owner = SharedTopic.CreateNew(key, SlotSize - 64, history: 3);
        using SharedMemory raw = SharedMemory.OpenExisting(key);
        using SharedTopic topic = Guards.Open(() => SharedTopic.OpenExisting(key));
        using (SharedTopicWriter writer = topic.OpenWriter())
        {
            for (int i = 0; i < 9; i++) writer.Write(Bytes(i * 10, i));
        }

        byte[] sound = raw.Span.ToArray(), got = new byte[topic.LongestMessage];
        Random random = NewRandom();
        int damaged = 0, read = 0;
        for (int i = 0; i < RingFuzzTests.Headers; i++)
        {
            sound.CopyTo(raw.Span);
            try
            {
                using SharedTopicReader reader = topic.OpenReader();
                if (random.Next(2) == 0) reader.Rewind();
                for (int j = random.Next(1, 4); j > 0; j--)
                {
                    int at = random.Next(3) == 0 ? 128 : 4096 + (random.Next(4) * SlotSize) + (8 * random.Next(2));
                    ref ulong word = ref raw.GetReference<ulong>(at);
                    word = random.Next(4) switch
                    {
                        0 => word ^ (1UL << random.Next(64)),
                        1 => word + (ulong)random.Next(-20, 20),
                        2 => (ulong)random.Next(300),
                        _ => (ulong)random.NextInt64() << random.Next(2),
                    };
                }

                for (int j = 0; j < 8; j++)
                {
                    if (random.Next(2) == 0)
                    {
                        if (!reader.TryRead(got, out int length)) continue;
                        Assert.InRange(length, 0, got.Length);
                    }
                    else if (random.Next(2) == 0)
                    {
                        if (!reader.TryReadLatest(got, out int length)) continue;
                        Assert.InRange(length, 0, got.Length);
                    }
                    else if (reader.TryBeginRead(out ReadOnlySpan<byte> place))
                    {
                        Assert.InRange(place.Length, 0, got.Length);
                        place.CopyTo(got);
                        reader.EndRead();
                    }

                    read++;
                }

                if (random.Next(4) != 0) continue;
                using SharedTopicWriter writer = topic.OpenWriter();
                for (int j = 0; j < 6; j++) writer.Write(got);
            }
            catch (SharedChannelException told) when (told.Error == SharedChannelError.Damaged)
            {
                damaged++;
            }
        }

        Assert.True(damaged > RingFuzzTests.Headers / 50 && read > RingFuzzTests.Headers / 50,
            $"{damaged} damaged, {read} messages.");
    }

    private Process Start(string verb, NativeIpcKey key, NativeIpcKey ledger, int writer, string step, int times)
        => Peer(verb, $"{key}", $"{ledger}", writer.ToString(CultureInfo.InvariantCulture), step,
            times.ToString(CultureInfo.InvariantCulture), "0");

    private static (long Given, long Missed) ReadAll(SharedTopicReader reader, bool isInPlace)
    {
        byte[] got = new byte[reader.LongestMessage];
        long given = 0, last = 0;
        while (reader.WaitToRead(Watchdog))
        {
            if (isInPlace)
            {
                if (!reader.TryBeginRead(out ReadOnlySpan<byte> place)) continue;
                int length = place.Length;
                place.CopyTo(got);
                if (!reader.EndRead()) continue;
                Check(got.AsSpan(0, length));
            }
            else
            {
                if (!reader.TryRead(got, out int length)) continue;
                Check(got.AsSpan(0, length));
            }

            given++;
        }

        return (given, reader.Missed);

        void Check(ReadOnlySpan<byte> message)
        {
            (ulong writer, ulong number) = NativeIpc.Channels.Peer.Message.Read(message);
            Assert.Equal((7UL, (ulong)reader.Position), (writer, number));
            Assert.True((long)number > last);
            last = (long)number;
        }
    }
}
