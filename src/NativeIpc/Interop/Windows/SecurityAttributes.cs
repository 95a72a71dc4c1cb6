using System.Runtime.InteropServices;

namespace NativeIpc.Interop.Windows;

/// <summary>The security of new Windows objects, as the functions that make them take it. Null, the default of the
/// process, without a descriptor.</summary>
internal sealed unsafe class SecurityAttributes : SafeHandle
{
    /// <summary>The default security of the process.</summary>
    public SecurityAttributes()
        : base(0, ownsHandle: false)
    {
    }

    /// <summary>Takes over a descriptor that LocalFree frees.</summary>
    public SecurityAttributes(nint descriptor)
        : base(0, ownsHandle: true)
    {
        var attributes = (Kernel32.SECURITY_ATTRIBUTES*)NativeMemory.Alloc(
            (nuint)sizeof(Kernel32.SECURITY_ATTRIBUTES));
        *attributes = new() { nLength = (uint)sizeof(Kernel32.SECURITY_ATTRIBUTES),
            lpSecurityDescriptor = descriptor };
        SetHandle((nint)attributes);
    }

    // Zero is a value, too.
    public override bool IsInvalid => false;

    protected override bool ReleaseHandle()
    {
        _ = Kernel32.LocalFree(((Kernel32.SECURITY_ATTRIBUTES*)handle)->lpSecurityDescriptor);
        NativeMemory.Free((void*)handle);
        return true;
    }
}
