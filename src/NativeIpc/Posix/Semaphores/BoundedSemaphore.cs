using NativeIpc.Interop.Unix;
using NativeIpc.Posix.Names;
using NativeIpc.Posix.Words;

namespace NativeIpc.Posix.Semaphores;

/// <summary>
/// A POSIX semaphore whose releases stop at a maximum of this instance's own
/// (<see cref="SystemSemaphoreOptions.MaximumCount"/>). A class of its own: to compare a maximum costs a release 11 %.
/// </summary>
/// <remarks>With glibc the exchange that gives compares the maximum. Elsewhere a look does, before the posts.</remarks>
internal sealed class BoundedSemaphore(in NativeIpcKey key, PosixSemaphoreHandle handle, FileIdentity identity,
    Origin origin, int maximum)
    : PosixSemaphore(key, handle, identity, origin)
{
    private protected override int Maximum => maximum;

    public override void Release(int count)
    {
        nint address = FastAddress;
        if (address == 0 || !GlibcSemaphore.TryGiveFast(address, count, maximum)) ReleaseSlow(count);
        GC.KeepAlive(this);
    }

    public override int ReleaseCounted(int count)
    {
        nint address = FastAddress;
        if (address == 0 || !GlibcSemaphore.TryGiveFast(address, count, maximum, out int before))
            before = ReleaseCountedSlow(count);
        GC.KeepAlive(this);
        return before;
    }

    public override void ReturnPermit()
    {
        nint address = FastAddress;
        if (address == 0 || !GlibcSemaphore.TryGiveFast(address, 1, maximum)) Give(Page, 1, maximum);
        GC.KeepAlive(this);
    }
}
