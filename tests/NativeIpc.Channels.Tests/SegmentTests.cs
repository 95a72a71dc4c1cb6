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
