using System.Diagnostics;
using Xunit;

namespace NativeIpc.Channels.Rings;

[NeedsLinux("Channels are there on Linux.")]
public class RingTests : ChannelTests
{
    [Theory]
    [InlineData(SharedRingForm.OneToOne)]
    [InlineData(SharedRingForm.ManyToMany)]
    public void Messages_of_every_length_arrive_whole_and_in_order(SharedRingForm form)
    {
        using SharedRing ring = SharedRing.CreateNew(NextKey(), 4096, form);
        using SharedRingWriter writer = ring.OpenWriter();
        using SharedRingReader reader = ring.OpenReader();
        Assert.Equal((4096, 2040, true), (ring.Capacity, ring.LongestMessage, ring.CreatedNew));
        Assert.False(reader.TryRead(out _));
        for (int length = 0; length <= writer.LongestMessage; length++)
        {
            byte[] sent = Bytes(length, length);
            Assert.True(writer.TryWrite(sent));
            Assert.True(reader.TryRead(out ReadOnlySpan<byte> got));
            Assert.True(got.SequenceEqual(sent));
            Assert.False(reader.TryRead(out _));
            reader.Release();
        }

        Assert.Throws<ArgumentOutOfRangeException>(() => writer.TryWrite(new byte[writer.LongestMessage + 1]));
    }

    // More than 64: a large one is copied the other way now and then, to see which takes less time.
    [Theory]
    [InlineData(SharedRingForm.OneToOne)]
    [InlineData(SharedRingForm.ManyToMany)]
    public void Large_messages_arrive_whole_whichever_way_they_are_copied(SharedRingForm form)
    {
        using SharedRing ring = SharedRing.CreateNew(NextKey(), 32768, form);
        using SharedRingWriter writer = ring.OpenWriter();
        using SharedRingReader reader = ring.OpenReader();
        for (int i = 0; i < 300; i++)
        {
            byte[] sent = Bytes(4090 + (i * 37 % 8000), i);
            Assert.True(writer.TryWrite(sent));
            Assert.True(reader.TryRead(out ReadOnlySpan<byte> got));
            Assert.True(got.SequenceEqual(sent));
            reader.Release();
        }
    }

    // In a process of its own: here another test may have needed the thread that watches.
    [Fact]
    public void A_reader_that_sleeps_has_no_thread_of_this_library()
    {
        const int ReaderBellAt = 384;
        NativeIpcKey key = NextKey();
        using SharedRing ring = SharedRing.CreateNew(key, 16384);
        using SharedMemory raw = SharedMemory.OpenExisting(key);
        Process peer = Peer("receive", $"{key}");
        Assert.Equal("ready", Line(peer));
        string tasks = $"/proc/{peer.Id}/task";
        while (Volatile.Read(ref raw.GetReference<uint>(ReaderBellAt)) == 0
            || !Threads.IsAsleep(peer.Id, peer.Id)) Thread.Yield();

        Assert.DoesNotContain(Directory.GetDirectories(tasks),
            task => File.ReadAllText(task + "/comm").StartsWith("NativeIpc ", StringComparison.Ordinal));

        using SharedRingWriter writer = ring.OpenWriter();
        writer.Complete();
        Assert.Equal("received 0", Line(peer));
    }

    [Theory]
    [InlineData(SharedRingForm.OneToOne)]
    [InlineData(SharedRingForm.ManyToMany)]
    public void Positions_never_come_again_however_often_the_ring_goes_round(SharedRingForm form)
    {
        const int TailAt = 128, HeadAt = 256, Size = 512, Rounds = 1000;
        NativeIpcKey key = NextKey();
        using SharedRing ring = SharedRing.CreateNew(key, 4096, form);
        using SharedMemory raw = SharedMemory.OpenExisting(key);
        using SharedRingWriter writer = ring.OpenWriter();
        using SharedRingReader reader = ring.OpenReader();
        for (ulong next = 1; next <= Rounds * 4096 / Size; next++)
        {
            Assert.True(writer.TryWrite(new byte[Size - 8]));
            Assert.Equal(next * Size, raw.GetReference<ulong>(TailAt));
            Assert.True(reader.TryRead(out _));
            reader.Release();
            Assert.Equal(next * Size, raw.GetReference<ulong>(HeadAt));
        }
    }

    [Theory]
    [InlineData(1, SharedRingForm.OneToOne)]
    [InlineData(2, SharedRingForm.OneToOne)]
    [InlineData(3, SharedRingForm.OneToOne)]
    [InlineData(2, SharedRingForm.ManyToMany)]
    [InlineData(3, SharedRingForm.ManyToMany)]
    public void It_does_what_a_queue_does(int seed, SharedRingForm form)
    {
        using SharedRing ring = SharedRing.CreateNew(NextKey(), 4096, form);
        using SharedRingWriter writer = ring.OpenWriter();
        using SharedRingReader reader = ring.OpenReader(seed == 3 ? SharedRingDelivery.AtMostOnce : default);
        var random = new Random(seed);
        var shown = new Queue<byte[]>();
        var appended = new Queue<byte[]>();
        long full = 0, empty = 0;
        for (int step = 0; step < 200_000; step++)
        {
            int length = random.Next(random.Next(10) == 0 ? writer.LongestMessage + 1 : 100);
            byte[] message = Bytes(length, step);
            switch (random.Next(6))
            {
                case 0:
                    if (!writer.TryWrite(message))
                    {
                        full++;
                        break;
                    }

                    Show();
                    shown.Enqueue(message);
                    break;
                case 1:
                    if (writer.TryAppend(message)) appended.Enqueue(message);
                    break;
                case 2:
                    writer.Flush();
                    Show();
                    break;
                case 3:
                    if (!writer.TryReserve(length, out Span<byte> place)) break;
                    message.CopyTo(place);
                    if (random.Next(4) == 0)
                    {
                        writer.Abandon();
                        break;
                    }

                    int less = random.Next(length + 1);
                    writer.Commit(less);
                    Show();
                    shown.Enqueue(message[..less]);
                    break;
                case 4:
                    reader.Release();
                    break;
                default:
                    for (int i = random.Next(random.Next(5) == 0 ? 300 : 4); i > 0; i--)
                    {
                        if (!reader.TryRead(out ReadOnlySpan<byte> got))
                        {
                            empty++;
                            Assert.Empty(shown);
                            break;
                        }

                        Assert.True(got.SequenceEqual(shown.Dequeue()));
                    }

                    if (random.Next(2) == 0) reader.Release();
                    break;
            }
        }

        Assert.True(full > 100 && empty > 100, $"{full} times full, {empty} times empty.");

        void Show()
        {
            while (appended.TryDequeue(out byte[]? one)) shown.Enqueue(one);
        }
    }

    [Theory]
    [InlineData(SharedRingForm.OneToOne)]
    [InlineData(SharedRingForm.ManyToMany)]
    public void A_batch_is_seen_when_it_is_flushed(SharedRingForm form)
    {
        using SharedRing ring = SharedRing.CreateNew(NextKey(), 4096, form);
        using SharedRingWriter writer = ring.OpenWriter();
        using SharedRingReader reader = ring.OpenReader();
        for (byte i = 0; i < 5; i++) Assert.True(writer.TryAppend([i]));
        Assert.False(reader.TryRead(out _));
        writer.Flush();
        for (byte i = 0; i < 5; i++)
        {
            Assert.True(reader.TryRead(out ReadOnlySpan<byte> got));
            Assert.Equal(i, got[0]);
        }

        Assert.False(reader.TryRead(out _));
    }

    [Theory]
    [InlineData(SharedRingForm.OneToOne)]
    [InlineData(SharedRingForm.ManyToMany)]
    public void What_was_not_released_is_given_to_the_next_reader_and_what_was_not_flushed_to_nobody(
        SharedRingForm form)
    {
        using SharedRing ring = SharedRing.CreateNew(NextKey(), 4096, form);
        using (SharedRingWriter writer = ring.OpenWriter())
        {
            writer.Write([1]);
            writer.Write([2]);
            Assert.True(writer.TryAppend([3]));
        }

        using (SharedRingReader first = ring.OpenReader())
        {
            Assert.True(first.TryRead(out _));
            first.Release();
            Assert.True(first.TryRead(out ReadOnlySpan<byte> got));
            Assert.Equal(2, got[0]);
        }

        using SharedRingReader second = ring.OpenReader(SharedRingDelivery.AtMostOnce);
        Assert.True(second.TryRead(out ReadOnlySpan<byte> again));
        Assert.Equal(2, again[0]);
        Assert.False(second.TryRead(out _));
        Assert.False(second.TookOver);
        second.Dispose();
        using SharedRingReader third = ring.OpenReader();
        Assert.False(third.TryRead(out _));
    }

    [Fact]
    public void A_role_is_one_instance_s_at_a_time_and_its_holder_is_named()
    {
        NativeIpcKey key = NextKey();
        using SharedRing ring = SharedRing.CreateNew(key, 4096);
        using SharedRing other = SharedRing.OpenExisting(key);
        Assert.Equal(new SharedChannelPeer(SharedChannelPeerState.None, 0), ring.Writer);
        SharedRingWriter writer = ring.OpenWriter();
        var self = new SharedChannelPeer(SharedChannelPeerState.Living, Environment.ProcessId);
        Assert.Equal((self, self), (ring.Writer, other.Writer));
        SharedChannelException taken = Assert.Throws<SharedChannelException>(other.OpenWriter);
        Assert.Equal(SharedChannelError.RoleTaken, taken.Error);
        Assert.Contains($"process {Environment.ProcessId}", taken.Message, StringComparison.Ordinal);
        Assert.Throws<SharedChannelException>(ring.OpenWriter);
        Assert.False(other.TryOpenWriter(TimeSpan.FromMilliseconds(20), out _));
        Task<bool> waiting = Task.Run(() => other.TryOpenWriter(Watchdog, out SharedRingWriter? next)
            && next is { TookOver: false });
        writer.Dispose();
        writer.Dispose();
        Assert.True(waiting.Result);
        Assert.Throws<ObjectDisposedException>(() => writer.TryWrite([1]));
        Assert.Throws<ObjectDisposedException>(() => writer.TryReserve(1, out _));
        Assert.Throws<ObjectDisposedException>(writer.Flush);
    }

    [Theory]
    [InlineData(SharedRingForm.OneToOne)]
    [InlineData(SharedRingForm.ManyToMany)]
    public void A_wait_ends_with_its_time_its_token_a_message_and_the_end(SharedRingForm form)
    {
        using SharedRing ring = SharedRing.CreateNew(NextKey(), 4096, form);
        using SharedRingWriter writer = ring.OpenWriter();
        using SharedRingReader reader = ring.OpenReader();
        Assert.False(reader.TryRead(TimeSpan.Zero, out _));
        long start = Stopwatch.GetTimestamp();
        Assert.False(reader.TryRead(TimeSpan.FromMilliseconds(30), out _));
        Assert.True(Stopwatch.GetElapsedTime(start) >= TimeSpan.FromMilliseconds(30));
        using var cancelled = new CancellationTokenSource(20);
        Assert.Throws<OperationCanceledException>(() => reader.TryRead(Watchdog, out _, cancelled.Token));
        Task<int> reading = Task.Run(() => reader.TryRead(Watchdog, out ReadOnlySpan<byte> got) ? got[0] : -1);
        writer.Write([7]);
        Assert.Equal(7, reading.Result);
        reading = Task.Run(() => reader.TryRead(Watchdog, out ReadOnlySpan<byte> got) ? got[0] : -1);
        writer.Complete();
        Assert.Equal(-1, reading.Result);
        Assert.True(reader.IsCompleted);
        reader.Release();
        using SharedRingWriter? second = form == SharedRingForm.ManyToMany ? ring.OpenWriter() : null;
        SharedRingWriter next = second ?? writer; // of many, one that has said it writes no more
        while (next.TryWrite(new byte[1000]))
        {
        }

        Assert.False(next.TryWrite(new byte[1000], TimeSpan.FromMilliseconds(20)));
        Task<bool> writing = Task.Run(() => next.TryWrite(new byte[1000], Watchdog));
        while (reader.TryRead(out _)) reader.Release();
        Assert.True(writing.Result);
    }

    [Theory]
    [InlineData(SharedRingForm.OneToOne)]
    [InlineData(SharedRingForm.ManyToMany)]
    public async Task Waits_without_a_thread_end_as_others_do(SharedRingForm form)
    {
        using SharedRing ring = SharedRing.CreateNew(NextKey(), 4096, form);
        using SharedRingWriter writer = ring.OpenWriter();
        using SharedRingReader reader = ring.OpenReader();
        Assert.False(await reader.WaitToReadAsync(TimeSpan.FromMilliseconds(20)));
        using var cancelled = new CancellationTokenSource(20);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => reader.WaitToReadAsync(cancelled.Token).AsTask());
        Task<bool> waiting = reader.WaitToReadAsync().AsTask();
        writer.Write([1]);
        Assert.True(await waiting);
        var numbers = new List<int>();
        Task enumerating = Task.Run(async () =>
        {
            await foreach (ReadOnlyMemory<byte> message in reader.ReadAllAsync()) numbers.Add(message.Length);
        });
        for (int i = 2; i <= 500; i++) await writer.WriteAsync(new byte[i]);
        Assert.True(await writer.TryWriteAsync(new byte[501], Watchdog));
        writer.Complete();
        await enumerating.WaitAsync(Watchdog);
        Assert.Equal(Enumerable.Range(1, 501), numbers);
    }

    [Theory]
    [InlineData(SharedRingForm.OneToOne)]
    [InlineData(SharedRingForm.ManyToMany)]
    public async Task A_write_into_a_full_ring_ends_with_its_time_its_token_and_room(SharedRingForm form)
    {
        using SharedRing ring = SharedRing.CreateNew(NextKey(), 4096, form);
        using SharedRingWriter writer = ring.OpenWriter();
        using SharedRingReader reader = ring.OpenReader();
        byte[] message = new byte[1000];
        int written = 0;
        while (writer.TryWrite(message)) written++;
        long start = Stopwatch.GetTimestamp();
        Assert.False(writer.TryWrite(message, TimeSpan.FromMilliseconds(20)));
        Assert.False(await writer.TryWriteAsync(message, TimeSpan.FromMilliseconds(20)));
        Assert.True(Stopwatch.GetElapsedTime(start) >= TimeSpan.FromMilliseconds(40));
        Assert.False(await writer.TryWriteAsync(message, TimeSpan.Zero));
        using var one = new CancellationTokenSource(20);
        Assert.Throws<OperationCanceledException>(() => writer.Write(message, one.Token));
        Assert.Throws<OperationCanceledException>(() => writer.TryWrite(message, Watchdog, one.Token));
        using var other = new CancellationTokenSource(20);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => writer.WriteAsync(message, other.Token).AsTask());
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => writer.TryWriteAsync(message, Watchdog, other.Token).AsTask());
        Task<bool> pending = writer.TryWriteAsync(new byte[500], Watchdog).AsTask();
        Assert.False(pending.IsCompleted);
        for (; written > 0; written--) Assert.Equal(1000, Next());
        Assert.True(await pending);
        Assert.Equal(500, Next());
        Assert.Equal(-1, Next());

        int Next()
        {
            int length = reader.TryRead(out ReadOnlySpan<byte> got) ? got.Length : -1;
            reader.Release();
            return length;
        }
    }

    [Theory]
    [InlineData(SharedRingForm.OneToOne)]
    [InlineData(SharedRingForm.ManyToMany)]
    public async Task An_enumeration_ends_with_its_token_and_takes_nothing_that_it_did_not_give(SharedRingForm form)
    {
        using SharedRing ring = SharedRing.CreateNew(NextKey(), 4096, form);
        using SharedRingWriter writer = ring.OpenWriter();
        using SharedRingReader reader = ring.OpenReader();
        writer.Write([1]);
        using var one = new CancellationTokenSource();
        IAsyncEnumerable<ReadOnlyMemory<byte>> all = reader.ReadAllAsync(one.Token);
        await using (IAsyncEnumerator<ReadOnlyMemory<byte>> messages = all.GetAsyncEnumerator())
        {
            Assert.True(await messages.MoveNextAsync());
            Assert.Equal(1, messages.Current.Span[0]);
            Task<bool> pending = messages.MoveNextAsync().AsTask();
            Assert.False(pending.IsCompleted);
            one.Cancel();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => pending);
        }

        writer.Write([2]);
        writer.Write([3]);
        using var other = new CancellationTokenSource();
        all = reader.ReadAllAsync();
        await using (IAsyncEnumerator<ReadOnlyMemory<byte>> messages = all.GetAsyncEnumerator(other.Token))
        {
            Assert.True(await messages.MoveNextAsync());
            Assert.Equal(2, messages.Current.Span[0]);
            other.Cancel();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => messages.MoveNextAsync().AsTask());
        }

        Assert.True(reader.TryRead(out ReadOnlySpan<byte> got));
        Assert.Equal(3, got[0]);
    }

    [Theory]
    [InlineData(SharedRingForm.OneToOne)]
    [InlineData(SharedRingForm.ManyToMany)]
    public async Task Dispose_on_another_thread_ends_a_wait(SharedRingForm form)
    {
        using SharedRing ring = SharedRing.CreateNew(NextKey(), 4096, form);
        using SharedRingWriter writer = ring.OpenWriter();
        SharedRingReader reader = ring.OpenReader();
        Task blocked = Task.Run(() => reader.TryRead(Watchdog, out _));
        reader.Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => blocked.WaitAsync(Watchdog));
        SharedRingReader second = ring.OpenReader();
        Task pending = second.WaitToReadAsync().AsTask();
        second.Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => pending.WaitAsync(Watchdog));
        while (writer.TryWrite(new byte[1000]))
        {
        }

        Task full = Task.Run(() => writer.Write(new byte[1000]));
        writer.Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => full.WaitAsync(Watchdog));
    }

    [Fact]
    public void A_writer_that_is_disposed_in_a_call_that_waited_keeps_its_role_until_that_has_ended()
    {
        NativeIpcKey key = NextKey();
        using SharedRing ring = SharedRing.CreateNew(key, 4096);
        Assert.Equal("kept disposed False False", Line(Peer("close", $"{key}")));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_reader_that_is_disposed_while_it_waits_touches_no_memory_that_is_gone(bool isTopic)
    {
        NativeIpcKey key = NextKey();
        using SharedRing ring = SharedRing.CreateNew(key, 4096);
        NativeIpcKey topicKey = NextKey();
        using SharedTopic topic = SharedTopic.CreateNew(topicKey, 64);
        using SharedRingWriter writer = ring.OpenWriter();
        using SharedTopicWriter speaker = topic.OpenWriter();
        for (int i = 0; i < 3000; i++)
        {
            SharedRing? own = isTopic ? null : SharedRing.OpenExisting(key);
            SharedRingReader? reader = own?.OpenReader(SharedRingDelivery.AtMostOnce);
            SharedTopic? ownTopic = isTopic ? SharedTopic.OpenExisting(topicKey) : null;
            SharedTopicReader? listener = ownTopic?.OpenReader();
            var begun = new TaskCompletionSource();
            Task waiting = Task.Run(() =>
            {
                begun.SetResult();
                try
                {
                    if (listener is null) reader!.TryRead(Watchdog, out _);
                    else listener.WaitToRead(Watchdog);
                }
                catch (ObjectDisposedException)
                {
                    // Either may come first.
                }
            });
            await begun.Task;
            if (isTopic) speaker.Write([1]);
            else Assert.True(writer.TryWrite([1]));
            own?.Dispose();
            ownTopic?.Dispose();
            reader?.Dispose();
            listener?.Dispose();
            await waiting.WaitAsync(Watchdog);
            using SharedRingReader rest = ring.OpenReader();
            while (rest.TryRead(out _)) rest.Release();
        }
    }

    [Theory]
    [InlineData(SharedRingForm.OneToOne)]
    [InlineData(SharedRingForm.ManyToMany)]
    public async Task Padding_alone_is_no_message(SharedRingForm form)
    {
        using SharedRing ring = SharedRing.CreateNew(NextKey(), 4096, form);
        using SharedRingWriter writer = ring.OpenWriter();
        using SharedRingReader reader = ring.OpenReader();
        for (int i = 0; i < 3; i++)
        {
            writer.Write(new byte[1000]);
            Assert.True(reader.TryRead(out _));
            reader.Release();
        }

        Assert.True(writer.TryReserve(writer.LongestMessage, out _)); // does not fit before the end
        writer.Abandon();
        writer.Flush();
        Assert.False(await reader.WaitToReadAsync(TimeSpan.Zero));
        writer.Complete();
        Assert.True(reader.IsCompleted);
        Assert.False(await reader.WaitToReadAsync());
    }

    [Theory]
    [InlineData(ulong.MaxValue - 15, ulong.MaxValue - 15)]
    [InlineData(1UL << 63, 1UL << 63)]
    [InlineData(ulong.MaxValue - 7, 0)]
    public void Positions_that_no_ring_comes_to_are_damage(ulong head, ulong tail)
    {
        NativeIpcKey key = NextKey();
        using SharedRing ring = SharedRing.CreateNew(key, 4096);
        using SharedMemory raw = SharedMemory.OpenExisting(key);
        raw.GetReference<ulong>(128) = tail;
        raw.GetReference<ulong>(256) = head;
        Assert.Equal(SharedChannelError.Damaged, Assert.Throws<SharedChannelException>(ring.OpenWriter).Error);
        Assert.Equal(SharedChannelError.Damaged, Assert.Throws<SharedChannelException>(() => ring.OpenReader()).Error);
    }

    [Theory]
    [InlineData(SharedRingForm.OneToOne)]
    [InlineData(SharedRingForm.ManyToMany)]
    public void Writing_and_reading_allocate_nothing(SharedRingForm form)
    {
        using SharedRing ring = SharedRing.CreateNew(NextKey(), 65536, form);
        using SharedRingWriter writer = ring.OpenWriter();
        using SharedRingReader reader = ring.OpenReader();
        byte[] message = new byte[64];
        Pass();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 10_000; i++) Pass();
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());

        void Pass()
        {
            for (int i = 0; i < 10; i++) writer.TryAppend(message);
            writer.Flush();
            writer.Write(message);
            writer.TryReserve(64, out _);
            writer.Commit();
            while (reader.TryRead(out _)) reader.Release();
        }
    }

    [Fact]
    public void What_is_no_ring_is_refused_and_what_is_half_made_is_finished_by_a_maker()
    {
        NativeIpcKey key = NextKey();
        using (SharedMemory small = SharedMemory.CreateNew(key, 64))
            Assert.Equal(SharedChannelError.OtherContent, ErrorOf(() => SharedRing.OpenExisting(key)));
        var hasty = new SharedMemoryOptions { PeerTimeout = TimeSpan.Zero };
        using (SharedMemory half = SharedMemory.CreateNew(key, 8192))
        {
            Assert.Equal(SharedChannelError.HalfMade, ErrorOf(() => SharedRing.OpenExisting(key, hasty)));
            using (SharedRing made = SharedRing.CreateOrOpen(key, 4096)) Assert.True(made.CreatedNew);
            using (SharedRing open = SharedRing.CreateOrOpen(key, 4096)) Assert.False(open.CreatedNew);
            half.Write(8, [9]);
            Assert.Equal(SharedChannelError.OtherContent, ErrorOf(() => SharedRing.OpenExisting(key)));
            half.Write(0, [9]);
            Assert.Equal(SharedChannelError.OtherContent, ErrorOf(() => SharedRing.OpenExisting(key)));
        }

        Assert.False(SharedRing.TryOpenExisting(key, out _));
        using SharedRing ring = SharedRing.CreateNew(key, 1);
        Assert.Throws<NativeIpcException>(() => SharedRing.CreateNew(key, 1));
        Assert.Throws<NativeIpcException>(() => SharedRing.CreateOrOpen(key, 10_000));
        Assert.Throws<ArgumentOutOfRangeException>(() => SharedRing.CreateOrOpen(key, 0));
        Assert.Throws<PlatformNotSupportedException>(
            () => SharedRing.CreateNew(Names.Next(NativeIpcKeyType.Windows), 4096));
    }

    [Theory]
    [InlineData(4096, SharedRingForm.OneToOne)]
    [InlineData(1 << 16, SharedRingForm.OneToOne)]
    [InlineData(4096, SharedRingForm.ManyToMany)]
    [InlineData(1 << 16, SharedRingForm.ManyToMany)]
    public void Two_threads_lose_nothing_however_they_sleep(int capacity, SharedRingForm form)
    {
        const int Count = 300_000;
        using SharedRing ring = SharedRing.CreateNew(NextKey(), capacity, form);
        using SharedRingWriter writer = ring.OpenWriter();
        using SharedRingReader reader = ring.OpenReader();
        Task writing = Task.Run(() =>
        {
            var random = new Random(1);
            Span<byte> message = stackalloc byte[300];
            for (int i = 0; i < Count; i++)
            {
                Span<byte> one = message[..random.Next(4, 300)];
                one.Fill((byte)i);
                BitConverter.TryWriteBytes(one, i);
                if (!writer.TryWrite(one, Watchdog)) throw new TimeoutException();
                if (random.Next(1000) == 0) Thread.Yield();
            }
        });
        for (int i = 0; i < Count; i++)
        {
            Assert.True(reader.TryRead(Watchdog, out ReadOnlySpan<byte> got));
            Assert.Equal(i, BitConverter.ToInt32(got));
            Assert.False(got[4..].ContainsAnyExcept((byte)i));
            reader.Release();
        }

        writing.Wait(Watchdog);
        Assert.False(reader.TryRead(out _));
    }

    private static SharedChannelError ErrorOf(Func<IDisposable> open)
        => Assert.Throws<SharedChannelException>(() => open().Dispose()).Error;
}
