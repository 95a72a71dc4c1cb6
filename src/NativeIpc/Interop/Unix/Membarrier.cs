using System.Runtime.InteropServices;

namespace NativeIpc.Interop.Unix;

// membarrier(2), Linux 4.14. The C libraries have no wrapper.

internal static partial class Libc
{
    internal const int MEMBARRIER_CMD_QUERY = 0;
    internal const int MEMBARRIER_CMD_PRIVATE_EXPEDITED = 1 << 3;

    /// <summary>SYS_membarrier.</summary>
    internal static int MembarrierNumber(Architecture architecture) => architecture switch
    {
        Architecture.X64 => 324,
        Architecture.S390x => 356,
        Architecture.Ppc64le => 365,
        _ => 283, // arm64, riscv64, loongarch64: the generic table
    };

    [LibraryImport(Libraries.Libc, EntryPoint = "syscall", SetLastError = true)]
    private static partial nint syscall_membarrier(nint number, nint command, nint flags);

    /// <summary>Whether the kernel puts a barrier into every thread of a process.</summary>
    internal static bool HasProcessBarrier()
        => syscall_membarrier(MembarrierNumber(RuntimeInformation.ProcessArchitecture), MEMBARRIER_CMD_QUERY, 0)
            is > 0 and nint commands && (commands & MEMBARRIER_CMD_PRIVATE_EXPEDITED) != 0;
}
