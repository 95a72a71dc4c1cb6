using NativeIpc.Backends.Posix;
using Xunit;

namespace NativeIpc.Tests.Backends;

/// <summary>What is made with musl for processes on glibc.</summary>
public class GlibcSemaphoreTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(int.MaxValue)]
    public unsafe void A_semaphore_made_for_glibc_is_what_glibc_makes(int count)
    {
        Assert.SkipUnless(Interop.Libraries.IsGlibc, "The comparison is with glibc's sem_init.");
        byte* theirs = stackalloc byte[Interop.Layout.SizeOfSemT];
        new Span<byte>(theirs, Interop.Layout.SizeOfSemT).Clear();
        Assert.Equal(0, Interop.Libc.sem_init((nint)theirs, 1, (uint)count));
        byte[] ours = new byte[Interop.Layout.SizeOfSemT];
        GlibcSemaphore.Initialize(ours, count);
        Assert.Equal(new Span<byte>(theirs, ours.Length).ToArray(), ours);
        Assert.True(GlibcSemaphore.IsMadeForGlibc((nint)theirs));
    }
}
