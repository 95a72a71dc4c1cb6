using NativeIpc.Interop.Unix;
using NativeIpc.Posix.Words;

namespace NativeIpc.Posix.Semaphores;

/// <summary>
/// A POSIX semaphore whose releases stop at a maximum of this instance's own
/// (<see cref="SystemSemaphoreOptions.MaximumCount"/>). A class of its own, so that others do not look for a maximum.
/// </summary>
/// <remarks>With glibc the maximum is compared in the exchange that gives. Elsewhere it is a look before the
/// posts.</remarks>
internal sealed class BoundedSemaphore(in NativeIpcKey key, PosixSemaphoreHandle handle, FileIdentity identity,
    bool createdNew, int maximum)
    : PosixSemaphore(key, handle, identity, createdNew)
{
    private protected override int Maximum => maximum;

    public override void Release(int count)
    {
        nint direct = Direct;
        if (direct == 0 || !GlibcSemaphore.TryGiveAtOnce(direct, count, maximum)) ReleaseCounted(count);
        GC.KeepAlive(this);
    }

    public override void ReturnPermit()
    {
        nint direct = Direct;
        if (direct == 0 || !GlibcSemaphore.TryGiveAtOnce(direct, 1, maximum)) Give(Page, 1, maximum);
        GC.KeepAlive(this);
    }
}
