using NativeIpc.Interop.Unix;
using NativeIpc.Posix.Words;
using Xunit;

namespace NativeIpc.Tests.Posix;

/// <summary>What is made with musl for processes on glibc.</summary>
public class GlibcSemaphoreTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(int.MaxValue)]
    public unsafe void A_semaphore_made_for_glibc_is_what_glibc_makes(int count)
    {
        Assert.SkipUnless(Libraries.IsGlibc, "The comparison is with glibc's sem_init.");
        byte* theirs = stackalloc byte[Layout.SizeOfSemT];
        new Span<byte>(theirs, Layout.SizeOfSemT).Clear();
        Assert.Equal(0, Libc.sem_init((nint)theirs, 1, (uint)count));
        byte[] ours = new byte[Layout.SizeOfSemT];
        GlibcSemaphore.Initialize(ours, count);
        Assert.Equal(new Span<byte>(theirs, ours.Length).ToArray(), ours);
        Assert.True(GlibcSemaphore.IsMadeForGlibc((nint)theirs));
    }
}
