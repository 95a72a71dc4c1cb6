using System.Runtime.InteropServices;

namespace NativeIpc.Interop.Unix;

/// <summary>A file descriptor: -1 is invalid, 0 is not.</summary>
internal sealed class UnixDescriptor : SafeHandle
{
    public UnixDescriptor()
        : base(-1, ownsHandle: true)
    {
    }

    internal UnixDescriptor(int descriptor)
        : base(-1, ownsHandle: true) => SetHandle(descriptor);

    public override bool IsInvalid => handle == -1;

    // close(2) after EINTR has closed the descriptor on Linux; a second try could close somebody else's.
    protected override bool ReleaseHandle()
        => Libc.close((int)handle) == 0 || Marshal.GetLastPInvokeError() == Errno.EINTR;
}
