using System.Runtime.CompilerServices;

namespace NativeIpc.Channels.Tests;

/// <summary>Values of layouts in segments, with and without a head.</summary>
public sealed class SegmentTests
{
    private static SharedMemory New(long size)
        => SharedMemory.CreateNew(
            SharedMemory.PlatformSafeKey($"nativeipc-layout-{Environment.ProcessId}-{Guid.NewGuid():N}"), size);

    [Fact]
    public void A_value_is_written_and_read_by_reference()
    {
        using SharedMemory segment = New(SharedLayouts.SizeWithHead<Frame>());
        ref Frame written = ref segment.CreateLayout<Frame>();
        written.Width = 640;
        written.Title.Set("grün");
        written.Sequence = 5;
        Assert.Equal(7, written.AddSequence(2));
        Assert.Equal(7, written.CompareExchangeSequence(9, 7));
        Assert.Equal(9, written.ExchangeSequence(10));

        using SharedMemory other = SharedMemory.OpenExisting(segment.Key, SharedMemoryAccess.Read);
        ref readonly Frame read = ref other.OpenReadOnlyLayout<Frame>();
        Assert.Equal(640, read.Width);
        Assert.Equal("grün", read.Title.ToString());
        Assert.Equal(10, read.Sequence);
        Assert.Equal(new SharedLayoutHead(3, SharedLayouts.InfoOf<Frame>().Fingerprint, Unsafe.SizeOf<Frame>()),
            other.ReadLayoutHead());
    }

    [Fact]
    public void A_segment_without_a_head_has_the_value_where_the_caller_says()
    {
        using SharedMemory segment = New(128);
        segment.GetLayout<Point>(8).X = 1.5;
        Assert.Equal(1.5, segment.GetReadOnlyLayout<Point>(8).X);
        Assert.Equal(1.5, BitConverter.ToDouble(segment.GetReadOnlySpan(8, 8)));
        Assert.Throws<ArgumentException>(() => segment.GetLayout<Point>(4));
        Assert.Throws<ArgumentOutOfRangeException>(() => segment.GetLayout<Point>(120));
    }

    [Fact]
    public void Another_layout_is_a_clear_error()
    {
        using SharedMemory segment = New(SharedLayouts.SizeWithHead<Frame>());
        SharedLayoutException none = Assert.Throws<SharedLayoutException>(() => segment.OpenLayout<Point>());
        Assert.Null(none.Found);
        Assert.Contains("has no head", none.Message, StringComparison.Ordinal);
        segment.CreateLayout<Frame>();
        segment.CreateLayout<Frame>(); // the same once more
        SharedLayoutException other = Assert.Throws<SharedLayoutException>(() => segment.OpenLayout<Point>());
        Assert.Equal(SharedLayouts.InfoOf<Frame>().Fingerprint, other.Found!.Value.Fingerprint);
        Assert.Contains("version 3", other.Message, StringComparison.Ordinal);
        Assert.Throws<SharedLayoutException>(() => segment.CreateLayout<Shape>());
        segment.Span[0] = 1;
        Assert.Contains("other data",
            Assert.Throws<SharedLayoutException>(() => segment.OpenLayout<Frame>()).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(4, "version 2")]
    [InlineData(8, "fingerprint")]
    [InlineData(16, "bytes, instead of")]
    [InlineData(20, "has Frame at offset 65, instead of 64")]
    public void Each_word_of_the_head_counts(int at, string told)
    {
        using SharedMemory segment = New(SharedLayouts.SizeWithHead<Frame>());
        segment.CreateLayout<Frame>();
        segment.Span[at] ^= 1;
        SharedLayoutException refused = Assert.Throws<SharedLayoutException>(() => segment.OpenLayout<Frame>());
        Assert.Contains(told, refused.Message, StringComparison.Ordinal);
        Assert.NotNull(refused.Found);
    }

    [Fact]
    public void A_head_whose_maker_was_killed_at_any_step_is_finished()
    {
        byte[] whole = HeadOf<Frame>();
        byte[][] words = [whole[4..8], whole[8..16], whole[16..20], whole[20..24]]; // stores may come in any order
        for (int made = 1; made < 16; made++)
        {
            using SharedMemory segment = New(SharedLayouts.SizeWithHead<Frame>());
            for (int i = 0; i < 4; i++)
            {
                if ((made & (1 << i)) != 0) words[i].CopyTo(segment.Span[(i == 0 ? 4 : i == 1 ? 8 : 8 + (4 * i))..]);
            }

            Assert.Throws<SharedLayoutException>(() => segment.OpenLayout<Frame>());
            segment.CreateLayout<Frame>().Width = 640;
            Assert.Equal(640, segment.OpenLayout<Frame>().Width);
            Assert.Equal(whole, segment.ReadOnlySpan[..SharedLayouts.HeadSize]);
        }
    }

    [Fact]
    public void What_another_maker_may_be_at_is_left_alone()
    {
        byte[] whole = HeadOf<Shape>();
        foreach ((int from, int to) in new[] { (8, 16), (4, 24), (63, 64) })
        {
            using SharedMemory segment = New(SharedLayouts.SizeWithHead<Frame>());
            whole.AsSpan(from..to).CopyTo(segment.Span[from..]);
            if (from == 63) segment.Span[63] = 1;
            byte[] before = segment.ReadOnlySpan.ToArray();
            SharedLayoutException refused = Assert.Throws<SharedLayoutException>(() => segment.CreateLayout<Frame>());
            Assert.Contains("was killed at writing another one", refused.Message, StringComparison.Ordinal);
            Assert.Equal(before, segment.ReadOnlySpan.ToArray());
        }
    }

    private static byte[] HeadOf<T>() where T : unmanaged, ISharedLayout<T>
    {
        using SharedMemory segment = New(SharedLayouts.SizeWithHead<T>());
        segment.CreateLayout<T>();
        return segment.ReadOnlySpan[..SharedLayouts.HeadSize].ToArray();
    }

    [Fact]
    public void A_segment_that_is_too_small_is_refused_and_not_changed()
    {
        using SharedMemory segment = New(SharedLayouts.HeadSize + 8);
        Assert.Throws<ArgumentOutOfRangeException>(() => segment.CreateLayout<Point>());
        Assert.False(segment.ReadOnlySpan[..SharedLayouts.HeadSize].ContainsAnyExcept((byte)0));
        Assert.Null(segment.ReadLayoutHead());
    }

    [Theory]
    [InlineData("", true)]
    [InlineData("twelve bytes", true)]
    [InlineData("thirteen byte", false)]
    [InlineData("sechs ääää", false)]
    [InlineData("ze\0ro", false)]
    public void A_text_fits_or_is_refused(string text, bool fits)
    {
        var title = default(Title);
        title.Set("before");
        Assert.Equal(fits, title.TrySet(text));
        Assert.Equal(fits ? text : "before", title.ToString());
        if (!fits) Assert.Throws<ArgumentException>(() => title.Set(text));
    }
}
