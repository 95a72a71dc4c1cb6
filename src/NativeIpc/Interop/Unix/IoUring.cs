using System.Runtime.InteropServices;

namespace NativeIpc.Interop.Unix;

/// <summary>io_uring(7), as far as sleeping on many words needs it: declarations and numbers. Linux only.</summary>
internal static class IoUring
{
    // The same on every architecture.
    internal const nint SetupNumber = 425;
    internal const nint EnterNumber = 426;
    internal const nint RegisterNumber = 427;

    internal const uint IORING_SETUP_R_DISABLED = 1 << 6;
    internal const uint IORING_SETUP_SINGLE_ISSUER = 1 << 12;
    internal const uint IORING_SETUP_DEFER_TASKRUN = 1 << 13;
    internal const uint IORING_REGISTER_ENABLE_RINGS = 12;
    internal const uint IORING_ENTER_GETEVENTS = 1;
    internal const uint IORING_ENTER_EXT_ARG = 1 << 3;
    internal const long IORING_OFF_SQ_RING = 0;
    internal const long IORING_OFF_SQES = 0x10000000;
    internal const byte IORING_OP_ASYNC_CANCEL = 14;

    /// <summary>Linux 6.7, younger than some headers: a try says whether the kernel means this by it.</summary>
    internal const byte OpFutexWait = 51;
}

/// <summary>struct io_uring_params.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct UringParams
{
    internal uint sq_entries;
    internal uint cq_entries;
    internal uint flags;
    internal uint sq_thread_cpu;
    internal uint sq_thread_idle;
    internal uint features;
    internal uint wq_fd;
    internal UringReserved resv;
    internal UringSubmissionOffsets sq_off;
    internal UringCompletionOffsets cq_off;
}

/// <summary>Three words that are 0.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct UringReserved
{
    internal uint first;
    internal uint second;
    internal uint third;
}

/// <summary>struct io_sqring_offsets.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct UringSubmissionOffsets
{
    internal uint head;
    internal uint tail;
    internal uint ring_mask;
    internal uint ring_entries;
    internal uint flags;
    internal uint dropped;
    internal uint array;
    internal uint resv1;
    internal ulong reserved;
}

/// <summary>struct io_cqring_offsets.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct UringCompletionOffsets
{
    internal uint head;
    internal uint tail;
    internal uint ring_mask;
    internal uint ring_entries;
    internal uint overflow;
    internal uint cqes;
    internal uint flags;
    internal uint resv1;
    internal ulong reserved;
}

/// <summary>struct io_uring_sqe: what is to be done.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct UringEntry
{
    internal byte opcode;
    internal byte flags;
    internal ushort ioprio;
    internal int fd;
    internal ulong off;
    internal ulong addr;
    internal uint len;
    internal uint rw_flags;
    internal ulong user_data;
    internal ushort buf_index;
    internal ushort personality;
    internal uint file_index;
    internal ulong addr3;
    internal ulong reserved;
}

/// <summary>struct io_uring_cqe: what was done.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct UringResult
{
    internal ulong user_data;
    internal int res;
    internal uint flags;
}

/// <summary>struct io_uring_getevents_arg: the longest wait.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct UringWait
{
    internal ulong sigmask;
    internal uint sigmask_sz;
    internal uint reserved;
    internal Timespec* ts;
}

internal static unsafe partial class Libc
{
    [LibraryImport(Libraries.Libc, EntryPoint = "syscall", SetLastError = true)]
    internal static partial nint syscall_io_uring_setup(nint number, nint entries, UringParams* parameters);

    [LibraryImport(Libraries.Libc, EntryPoint = "syscall", SetLastError = true)]
    internal static partial nint syscall_io_uring_enter(nint number, nint descriptor, nint toSubmit, nint least,
        nint flags, UringWait* wait, nint size);

    [LibraryImport(Libraries.Libc, EntryPoint = "syscall", SetLastError = true)]
    internal static partial nint syscall_io_uring_register(nint number, nint descriptor, nint operation,
        void* argument, nint count);
}
