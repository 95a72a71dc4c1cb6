using System.Diagnostics;
using Xunit;

namespace NativeIpc.Channels.Rings;

/// <summary>Rings with several writers and readers, in one process: what is not as with one of each.</summary>
[NeedsLinux("Channels are there on Linux.")]
public class ManyRingTests : ChannelTests
{
    private static readonly TimeSpan s_short = TimeSpan.FromMilliseconds(30);

    [Fact]
    public void A_ring_has_one_form_and_is_opened_by_either_name()
    {
        NativeIpcKey key = NextKey();
        using (SharedRing ring = SharedRing.CreateNew(key, 4096, SharedRingForm.ManyToMany))
        {
            Assert.Equal(SharedRingForm.ManyToMany, ring.Form);
            using SharedRing other = SharedRing.OpenExisting(key);
            Assert.Equal(SharedRingForm.ManyToMany, other.Form);
            Assert.True(SharedRing.TryOpenExisting(key, out SharedRing? third));
            third.Dispose();
            using SharedRing fourth = SharedRing.CreateOrOpen(key, 4096, SharedRingForm.ManyToMany);
            Assert.False(fourth.CreatedNew);
            Assert.Equal(SharedChannelError.OtherContent,
                Assert.Throws<SharedChannelException>(() => SharedRing.CreateOrOpen(key, 4096)).Error);
        }

        using SharedRing one = SharedRing.CreateOrOpen(key, 4096);
        Assert.Equal(SharedRingForm.OneToOne, one.Form);
        Assert.Equal(SharedChannelError.OtherContent, Assert.Throws<SharedChannelException>(
            () => SharedRing.CreateOrOpen(key, 4096, SharedRingForm.ManyToMany)).Error);
        Assert.Throws<ArgumentOutOfRangeException>(() => SharedRing.CreateNew(key, 4096, (SharedRingForm)2));
    }

    [Fact]
    public void Each_message_is_given_to_one_reader_and_a_writer_has_its_turn_from_the_reservation_to_the_end()
    {
        NativeIpcKey key = NextKey();
        using SharedRing ring = SharedRing.CreateNew(key, 4096, SharedRingForm.ManyToMany);
        using SharedRing other = SharedRing.OpenExisting(key);
        using SharedRingWriter first = ring.OpenWriter(), second = ring.OpenWriter(), third = other.OpenWriter();
        using SharedRingReader reader = ring.OpenReader(), next = other.OpenReader();
        var self = new SharedChannelPeer(SharedChannelPeerState.Living, Environment.ProcessId);
        var none = new SharedChannelPeer(SharedChannelPeerState.None, 0);
        Assert.Equal((none, none, none), (ring.Writer, other.Writer, ring.Reader));

        Assert.True(first.TryReserve(1, out Span<byte> place));
        Assert.Equal((self, self), (ring.Writer, other.Writer));
        Assert.False(second.TryWrite([2]));
        Assert.False(third.TryAppend([3]));
        Assert.False(third.TryReserve(1, out _));
        place[0] = 1;
        first.Commit();
        Assert.Equal(none, other.Writer);
        Assert.True(second.TryAppend([2]));
        Assert.True(second.TryAppend([3]));
        Assert.False(third.TryWrite([4], s_short));
        second.Flush();
        Assert.True(third.TryReserve(1, out _));
        third.Abandon();
        Assert.True(first.TryWrite([4]));

        Assert.True(reader.TryRead(out ReadOnlySpan<byte> got));
        Assert.Equal((1, self), (got[0], other.Reader));
        Assert.False(next.TryRead(out _));
        Assert.False(next.TryRead(s_short, out _));
        Assert.True(reader.TryRead(out got));
        Assert.Equal(2, got[0]);
        reader.Release();
        Assert.True(next.TryRead(out got));
        Assert.Equal(3, got[0]);
        next.Dispose(); // it did not release
        Assert.True(reader.TryRead(out got));
        Assert.Equal(3, got[0]);
        reader.Release();
        reader.Release();
        Assert.True(reader.TryRead(out got));
        Assert.Equal(4, got[0]);
        Assert.False(reader.TryRead(out _));
        reader.Release();
        Assert.Equal((none, false, false), (ring.Reader, reader.TookOver, first.TookOver));
    }

    [Fact]
    public void At_most_once_readers_have_messages_side_by_side()
    {
        using SharedRing ring = SharedRing.CreateNew(NextKey(), 4096, SharedRingForm.ManyToMany);
        using SharedRingWriter writer = ring.OpenWriter();
        using SharedRingReader one = ring.OpenReader(SharedRingDelivery.AtMostOnce);
        using SharedRingReader other = ring.OpenReader(SharedRingDelivery.AtMostOnce);
        writer.Write([1]);
        writer.Write([2]);
        Assert.True(one.TryRead(out ReadOnlySpan<byte> first));
        Assert.True(other.TryRead(out ReadOnlySpan<byte> second));
        Assert.Equal((1, 2), (first[0], second[0]));
    }

    [Fact]
    public void Nothing_more_comes_when_the_last_writer_that_is_open_has_said_so()
    {
        using SharedRing ring = SharedRing.CreateNew(NextKey(), 4096, SharedRingForm.ManyToMany);
        using SharedRingReader reader = ring.OpenReader(), other = ring.OpenReader();
        SharedRingWriter first = ring.OpenWriter(), second = ring.OpenWriter();
        first.Write([1]);
        first.Complete();
        first.Complete();
        Assert.Throws<InvalidOperationException>(() => first.TryWrite([1]));
        Assert.Throws<InvalidOperationException>(() => first.TryReserve(1, out _));
        Assert.False(reader.IsCompleted);
        Task<bool> waiting = Task.Run(() => other.TryRead(Watchdog, out _) && other.TryRead(Watchdog, out _));
        second.Write([2]);
        second.Complete();
        Assert.True(waiting.Result);
        Assert.False(reader.IsCompleted); // two are in hand, and would be given again
        other.Release();
        Assert.True(reader.IsCompleted);
        Assert.False(reader.TryRead(Watchdog, out _));
        using (SharedRingWriter late = ring.OpenWriter())
        {
            Assert.False(reader.IsCompleted);
            Assert.False(reader.TryRead(s_short, out _));
        }

        Assert.False(reader.IsCompleted); // that one did not say it
        SharedRingWriter left = ring.OpenWriter(), last = ring.OpenWriter();
        left.Dispose();
        last.Complete();
        Assert.True(reader.IsCompleted);
        first.Dispose();
        second.Dispose();
        last.Dispose();
    }

    [Fact]
    public async Task A_wait_for_the_turn_ends_with_its_time_its_token_the_turn_and_the_end()
    {
        using SharedRing ring = SharedRing.CreateNew(NextKey(), 4096, SharedRingForm.ManyToMany);
        using SharedRingWriter holder = ring.OpenWriter(), writer = ring.OpenWriter();
        using SharedRingReader reader = ring.OpenReader(), other = ring.OpenReader();
        Assert.True(holder.TryReserve(1, out _));
        long start = Stopwatch.GetTimestamp();
        Assert.False(writer.TryWrite([1], s_short));
        Assert.False(await writer.TryWriteAsync(new byte[1], s_short));
        Assert.True(Stopwatch.GetElapsedTime(start) >= 2 * s_short);
        using var cancelled = new CancellationTokenSource(20);
        Assert.Throws<OperationCanceledException>(() => writer.Write([1], cancelled.Token));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => writer.WriteAsync(new byte[1], cancelled.Token).AsTask());
        Task writing = Task.Run(() => writer.Write([1]));
        SharedRingWriter third = ring.OpenWriter();
        Task pending = third.WriteAsync(new byte[] { 3 }).AsTask();
        Assert.False(pending.IsCompleted);
        holder.Commit();
        await writing.WaitAsync(Watchdog);
        await pending.WaitAsync(Watchdog);

        Assert.True(holder.TryReserve(1, out _));
        Task blocked = Task.Run(() => third.Write([1]));
        third.Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => blocked.WaitAsync(Watchdog));
        holder.Abandon();

        Assert.True(reader.TryRead(out _));
        Assert.False(await other.WaitToReadAsync(s_short));
        Task<bool> there = other.WaitToReadAsync().AsTask();
        Assert.False(there.IsCompleted);
        reader.Release();
        Assert.True(await there.WaitAsync(Watchdog));
        Assert.True(reader.TryRead(out _)); // the wait did not keep the turn
        reader.Release();
    }

    [Fact]
    public async Task A_reader_that_waits_for_messages_has_no_turn_and_a_writer_that_waits_for_room_has()
    {
        using SharedRing ring = SharedRing.CreateNew(NextKey(), 4096, SharedRingForm.ManyToMany);
        using SharedRingWriter writer = ring.OpenWriter(), other = ring.OpenWriter();
        using SharedRingReader reader = ring.OpenReader(), second = ring.OpenReader();
        using var enough = new CancellationTokenSource();
        Task waiting = Task.Run(() => reader.TryRead(Watchdog, out _, enough.Token));
        Assert.False(second.TryRead(s_short, out _));
        Assert.Equal(SharedChannelPeerState.None, ring.Reader.State);
        enough.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);

        while (writer.TryWrite(new byte[100]))
        {
        }

        Task writing = Task.Run(() => writer.Write(new byte[writer.LongestMessage]));
        while (ring.Writer.State == SharedChannelPeerState.None) Thread.Yield();
        Task small = other.WriteAsync(new byte[10]).AsTask();
        int length = 0;
        while (length != writer.LongestMessage)
        {
            Assert.True(reader.TryRead(Watchdog, out ReadOnlySpan<byte> got));
            length = got.Length;
            Assert.NotEqual(10, length); // the short one did not pass the long one
            reader.Release();
        }

        await writing.WaitAsync(Watchdog);
        await small.WaitAsync(Watchdog);
    }

    [Fact]
    public void Padding_that_was_shown_alone_is_passed_over()
    {
        using SharedRing ring = SharedRing.CreateNew(NextKey(), 4096, SharedRingForm.ManyToMany);
        using SharedRingWriter writer = ring.OpenWriter();
        using SharedRingReader reader = ring.OpenReader(), other = ring.OpenReader();
        writer.Write(new byte[1000]);
        Assert.True(reader.TryRead(out _));
        reader.Release();
        writer.Write(new byte[1000]);
        Assert.True(reader.TryRead(out _));
        reader.Release();
        Assert.True(writer.TryAppend(new byte[8]));
        Assert.True(writer.TryReserve(writer.LongestMessage, out _)); // does not fit before the end
        writer.Abandon();
        writer.Flush();
        Assert.True(reader.TryRead(out ReadOnlySpan<byte> got));
        Assert.Equal(8, got.Length);
        reader.Release();
        Assert.False(other.TryRead(s_short, out _));
        Assert.False(reader.TryRead(out _));
        writer.Complete();
        Assert.True(reader.IsCompleted);
    }

    [Fact]
    public void A_side_has_1024_slots()
    {
        using SharedRing ring = SharedRing.CreateNew(NextKey(), 4096, SharedRingForm.ManyToMany);
        var writers = new List<SharedRingWriter>();
        try
        {
            for (int i = 0; i < 1024; i++) writers.Add(ring.OpenWriter());
            Assert.Equal(SharedChannelError.RoleTaken,
                Assert.Throws<SharedChannelException>(ring.OpenWriter).Error);
            Assert.False(ring.TryOpenWriter(s_short, out _));
            using SharedRingReader reader = ring.OpenReader();
            writers[1023].Write([1]);
            Assert.True(reader.TryRead(out _));
            Task<bool> waiting = Task.Run(() =>
            {
                bool isOpen = ring.TryOpenWriter(Watchdog, out SharedRingWriter? next);
                next?.Dispose();
                return isOpen;
            });
            writers[500].Dispose();
            Assert.True(waiting.Result);
        }
        finally
        {
            foreach (SharedRingWriter writer in writers) writer.Dispose();
        }
    }

    [Theory]
    [InlineData(SharedRingDelivery.AtLeastOnce)]
    [InlineData(SharedRingDelivery.AtMostOnce)]
    public async Task Threads_that_race_are_given_each_message_once_and_those_of_each_writer_in_order(
        SharedRingDelivery delivery)
    {
        const int Writers = 4, Readers = 4, Count = 20_000;
        using SharedRing ring = SharedRing.CreateNew(NextKey(), 4096, SharedRingForm.ManyToMany);
        var given = new int[Writers * Count];
        SharedRingWriter[] writers = [.. Enumerable.Range(0, Writers).Select(_ => ring.OpenWriter())];
        IEnumerable<Task> reading = Enumerable.Range(0, Readers).Select(r => Task.Run(() => Read(r)));
        IEnumerable<Task> writing = Enumerable.Range(0, Writers).Select(w => Task.Run(() => Write(w)));
        await Task.WhenAll([.. reading, .. writing]).WaitAsync(2 * Watchdog);
        Assert.All(given, times => Assert.Equal(1, times));

        async Task Read(int self)
        {
            using SharedRingReader reader = ring.OpenReader(delivery);
            int[] last = [-1, -1, -1, -1];
            if (self == 0)
            {
                await foreach (ReadOnlyMemory<byte> message in reader.ReadAllAsync()) Take(message.Span);
                return;
            }

            while (reader.TryRead(Watchdog, out ReadOnlySpan<byte> message))
            {
                Take(message);
                if (delivery == SharedRingDelivery.AtLeastOnce) reader.Release();
            }

            Assert.True(reader.IsCompleted);

            void Take(ReadOnlySpan<byte> message)
            {
                int number = BitConverter.ToInt32(message), writer = number / Count;
                Assert.True(number > last[writer], "A message came out of order.");
                Assert.False(message[4..].ContainsAnyExcept((byte)number));
                last[writer] = number;
                Interlocked.Increment(ref given[number]);
            }
        }

        async Task Write(int self)
        {
            using SharedRingWriter writer = writers[self];
            var random = new Random(self);
            byte[] message = new byte[300];
            for (int i = 0; i < Count; i++)
            {
                int number = (self * Count) + i;
                Memory<byte> one = message.AsMemory(0, random.Next(4, 300));
                one.Span.Fill((byte)number);
                BitConverter.TryWriteBytes(one.Span, number);
                if (self == 0) Assert.True(await writer.TryWriteAsync(one, Watchdog));
                else if (random.Next(4) != 0) writer.Write(one.Span);
                else if (writer.TryAppend(one.Span)) writer.Flush();
                else Assert.True(writer.TryWrite(one.Span, Watchdog));
            }

            writer.Complete();
        }
    }

    [Fact]
    public async Task As_a_channel_of_values_it_has_several_readers()
    {
        using SharedRing ring = SharedRing.CreateNew(NextKey(), 4096, SharedRingForm.ManyToMany);
        using SharedRingWriter one = ring.OpenWriter(), other = ring.OpenWriter();
        using SharedRingReader first = ring.OpenReader(), second = ring.OpenReader();
        long sum = 0;
        Task[] reading =
        [
            .. new[] { first, second }.Select(reader => Task.Run(async () =>
            {
                await foreach (long value in reader.AsChannelReader<long>().ReadAllAsync())
                    Interlocked.Add(ref sum, value);
            })),
        ];
        Task[] writing =
        [
            .. new[] { one, other }.Select(writer => Task.Run(async () =>
            {
                System.Threading.Channels.ChannelWriter<long> values = writer.AsChannelWriter<long>();
                for (long i = 1; i <= 5000; i++) await values.WriteAsync(i);
                values.Complete();
            })),
        ];
        await Task.WhenAll([.. reading, .. writing]).WaitAsync(Watchdog);
        Assert.Equal(2 * 5000L * 5001 / 2, sum);
    }

    [Theory]
    [InlineData(640, 1025U)] // no slot
    [InlineData(640, 0x7FFFFFFFU)]
    [InlineData(640, 1U)] // its own, which does not have it
    [InlineData(768, 1025U)]
    [InlineData(768, 0x80000000U | 4000U)]
    public void Garbage_in_a_turn_is_told(int at, uint word)
    {
        NativeIpcKey key = NextKey();
        using SharedRing ring = SharedRing.CreateNew(key, 4096, SharedRingForm.ManyToMany);
        using SharedMemory raw = SharedMemory.OpenExisting(key);
        using SharedRingWriter writer = ring.OpenWriter();
        using SharedRingReader reader = ring.OpenReader();
        writer.Write([1]);
        raw.GetReference<uint>(at) = word;
        Assert.Equal(SharedChannelError.Damaged, Assert.Throws<SharedChannelException>(
            () => at == 640 ? writer.TryWrite([1]) : reader.TryRead(out _)).Error);
        if (word != 1)
        {
            Assert.Equal(SharedChannelError.Damaged, Assert.Throws<SharedChannelException>(
                () => at == 640 ? ring.Writer : ring.Reader).Error);
        }
    }

    [Theory]
    [InlineData(640)]
    [InlineData(768)]
    public void A_turn_that_a_peer_writes_over_is_told_before_anything_is_shown(int at)
    {
        NativeIpcKey key = NextKey();
        using SharedRing ring = SharedRing.CreateNew(key, 4096, SharedRingForm.ManyToMany);
        using SharedMemory raw = SharedMemory.OpenExisting(key);
        using SharedRingWriter writer = ring.OpenWriter();
        using SharedRingReader reader = ring.OpenReader();
        writer.Write([1]);
        if (at == 640) Assert.True(writer.TryReserve(1, out _));
        else Assert.True(reader.TryRead(out _));
        ulong tail = raw.GetReference<ulong>(128), head = raw.GetReference<ulong>(256);
        raw.GetReference<uint>(at) = 0;
        Assert.Equal(SharedChannelError.Damaged, Assert.Throws<SharedChannelException>(() =>
        {
            if (at == 640) writer.Commit();
            else reader.Release();
        }).Error);
        Assert.Equal((tail, head), (raw.GetReference<ulong>(128), raw.GetReference<ulong>(256)));
    }
}
