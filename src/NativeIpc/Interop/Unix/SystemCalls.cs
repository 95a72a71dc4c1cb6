using System.Runtime.InteropServices;

namespace NativeIpc.Interop.Unix;

/// <summary>Numbers of system calls as <c>/proc/PID/syscall</c> shows them. Linux.</summary>
internal static class SystemCalls
{
    /// <summary>SYS_semop; on ppc64le and s390x the C library calls semtimedop in its place.</summary>
    internal static int Semop(Architecture architecture) => architecture switch
    {
        Architecture.X64 => 65,
        Architecture.S390x or Architecture.Ppc64le => -1,
        _ => 193, // arm64, riscv64, loongarch64: the generic table
    };

    /// <summary>SYS_semtimedop.</summary>
    internal static int Semtimedop(Architecture architecture) => architecture switch
    {
        Architecture.X64 => 220,
        Architecture.S390x or Architecture.Ppc64le => 392,
        _ => 192,
    };
}
