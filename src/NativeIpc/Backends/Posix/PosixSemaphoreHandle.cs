using System.Runtime.InteropServices;
using static NativeIpc.Interop;

namespace NativeIpc.Backends.Posix;

/// <summary>The address of a semaphore: its file mapped by us, or what sem_open gave. Released when the last call that uses it has returned.</summary>
internal sealed class PosixSemaphoreHandle : SafeHandle
{
    private readonly bool _isMapping;

    internal PosixSemaphoreHandle(nint address, bool isMapping)
        : base(-1, ownsHandle: true)
    {
        _isMapping = isMapping;
        SetHandle(address);
    }

    public override bool IsInvalid => handle == -1;

    protected override bool ReleaseHandle()
        => (_isMapping ? Libc.munmap(handle, Layout.SizeOfSemT) : Libc.sem_close(handle)) == 0;
}
