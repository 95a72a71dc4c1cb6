using System.Buffers;
using System.IO.Pipelines;
using System.Threading.Channels;
using Xunit;

namespace NativeIpc.Channels.Rings;

/// <summary>A ring as streams, pipes and channels of .NET.</summary>
[NeedsLinux("Channels are there on Linux.")]
public sealed class AdapterTests : ChannelTests
{
    private readonly record struct Quote(long Number, double Price);

    [Theory]
    [InlineData(SharedRingDelivery.AtLeastOnce)]
    [InlineData(SharedRingDelivery.AtMostOnce)]
    public async Task Streams_carry_bytes_of_any_number(SharedRingDelivery delivery)
    {
        using SharedRing ring = SharedRing.CreateNew(NextKey(), 4096);
        using SharedRingWriter writer = ring.OpenWriter();
        using SharedRingReader reader = ring.OpenReader(delivery);
        byte[] sent = Bytes(100_000, 1);
        Task writing = Task.Run(async () =>
        {
            await using Stream to = writer.AsStream();
            to.Write(sent.AsSpan(0, 10_000));
            to.Write([]);
            writer.Write([]); // a message of no bytes is none of the stream
            await to.WriteAsync(sent.AsMemory(10_000));
            to.Flush();
        });
        await using Stream from = reader.AsStream();
        byte[] got = new byte[sent.Length];
        from.ReadExactly(got.AsSpan(0, 777));
        await from.ReadExactlyAsync(got.AsMemory(777)).AsTask().WaitAsync(Watchdog);
        Assert.Equal(0, await from.ReadAsync(new byte[1]));
        Assert.Equal(0, from.Read(new byte[1]));
        Assert.Equal(sent, got);
        await writing;
        Assert.True(reader.IsCompleted);
    }

    [Fact]
    public async Task Pipes_carry_lines_and_a_parser_may_leave_what_it_likes()
    {
        using SharedRing ring = SharedRing.CreateNew(NextKey(), 4096);
        using SharedRingWriter writer = ring.OpenWriter();
        using SharedRingReader reader = ring.OpenReader();
        PipeWriter to = writer.AsPipeWriter();
        PipeReader from = reader.AsPipeReader();
        Task writing = Task.Run(async () =>
        {
            for (int i = 0; i < 2000; i++)
            {
                Span<byte> place = to.GetSpan(100);
                place[..(i % 100)].Fill((byte)('a' + (i % 26)));
                place[i % 100] = (byte)'\n';
                to.Advance((i % 100) + 1);
                if (i % 7 == 0) await to.FlushAsync();
            }

            await to.CompleteAsync();
        });
        int lines = 0;
        while (true)
        {
            ReadResult read = await from.ReadAsync().AsTask().WaitAsync(Watchdog);
            ReadOnlySequence<byte> rest = read.Buffer;
            while (rest.PositionOf((byte)'\n') is { } end)
            {
                Assert.Equal(lines++ % 100, rest.Slice(0, end).Length);
                rest = rest.Slice(rest.GetPosition(1, end));
            }

            from.AdvanceTo(rest.Start, rest.End);
            if (read.IsCompleted) break;
        }

        await writing;
        await from.CompleteAsync();
        Assert.Equal(2000, lines);
    }

    [Fact]
    public async Task Channels_carry_values()
    {
        using SharedRing ring = SharedRing.CreateNew(NextKey(), 4096);
        using SharedRingWriter writer = ring.OpenWriter();
        using SharedRingReader reader = ring.OpenReader();
        ChannelWriter<Quote> to = writer.AsChannelWriter<Quote>();
        ChannelReader<Quote> from = reader.AsChannelReader<Quote>();
        Assert.False(from.TryRead(out _));
        Task writing = Task.Run(async () =>
        {
            for (int i = 0; i < 2000; i++) await to.WriteAsync(new Quote(i, i / 2.0));
            to.Complete();
        });
        int next = 0;
        await foreach (Quote quote in from.ReadAllAsync())
        {
            Assert.Equal(new Quote(next, next / 2.0), quote);
            next++;
        }

        await writing;
        await from.Completion.WaitAsync(Watchdog);
        Assert.Equal(2000, next);
        Assert.False(to.TryWrite(default));
        Assert.False(await to.WaitToWriteAsync());
        Assert.False(to.TryComplete());
        Assert.Throws<ChannelClosedException>(() => to.Complete());
    }

    [Fact]
    public void A_channel_of_a_layout_says_it_and_refuses_another_one()
    {
        using SharedRing ring = SharedRing.CreateNew(NextKey(), 4096);
        using SharedRingWriter writer = ring.OpenWriter();
        using SharedRingReader reader = ring.OpenReader();
        writer.AsChannelWriter<long>(); // no layout: says nothing
        ChannelWriter<Tick> to = writer.AsChannelWriter<Tick>();
        ChannelReader<Tick> from = reader.AsChannelReader<Tick>();
        Assert.True(to.TryWrite(new Tick { Number = 5 }));
        Assert.True(from.TryRead(out Tick tick));
        Assert.Equal(5, tick.Number);
        ring.UseLayout<Tick>();

        // As long as a Tick
        foreach (Action other in new Action[] { () => writer.AsChannelWriter<Tock>(),
            () => reader.AsChannelReader<Tock>() })
        {
            var refused = Assert.Throws<SharedChannelException>(other);
            Assert.Equal(SharedChannelError.OtherLayout, refused.Error);
            Assert.Contains("another layout than Tock of this program", refused.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_channel_of_another_size_than_its_layout_s_is_refused()
    {
        using SharedRing ring = SharedRing.CreateNew(NextKey(), 4096);
        using SharedRingReader reader = ring.OpenReader();
        Assert.Throws<NotSupportedException>(() => reader.AsChannelReader<Wrong>());
    }

    [Fact]
    public void A_channel_of_a_layout_on_what_was_disposed_is_refused()
    {
        using SharedRing ring = SharedRing.CreateNew(NextKey(), 4096);
        SharedRingWriter writer = ring.OpenWriter();
        writer.Dispose();
        Assert.Throws<ObjectDisposedException>(() => writer.AsChannelWriter<Tick>());
    }

    [Fact]
    public void A_message_of_another_length_is_no_value()
    {
        using SharedRing ring = SharedRing.CreateNew(NextKey(), 4096);
        using SharedRingWriter writer = ring.OpenWriter();
        using SharedRingReader reader = ring.OpenReader();
        ChannelReader<long> from = reader.AsChannelReader<long>();
        writer.Write([1, 2, 3]);
        writer.Write(BitConverter.GetBytes(7L));
        Assert.Equal(SharedChannelError.OtherContent,
            Assert.Throws<SharedChannelException>(() => from.TryRead(out _)).Error);
        Assert.True(from.TryRead(out long value));
        Assert.Equal(7, value);
    }
}

[SharedLayout]
public partial struct Tick
{
    public long Number;
}

[SharedLayout]
public partial struct Tock
{
    public ulong Other;
}

/// <summary>One that a program wrote by hand.</summary>
public struct Wrong : ISharedLayout<Wrong>
{
    public long Number;

    public static SharedLayoutInfo Layout => new(nameof(Wrong), 4, 4, 0, 1);
}
