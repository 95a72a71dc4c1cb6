using System.Globalization;
using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Platform;

namespace NativeIpc.Linux;

/// <summary>Limits at which the kernel ends a process instead of refusing a call: asked before anything is made.
/// Linux.</summary>
internal static class SizeLimits
{
    /// <summary>
    /// From here on the control groups are asked. It takes some 20 system calls, about 0.1 ms, beside the milliseconds
    /// in which memory of this
    /// size is taken; and no program on .NET lives in a group that has less.
    /// </summary>
    internal const long WorthALook = 16 << 20;

    /// <summary>Refuses a file that this process may not make or write: the kernel would end it by SIGXFSZ. For files
    /// only, System V has none.</summary>
    /// <param name="attempt">What for.</param>
    /// <param name="key">The key.</param>
    /// <param name="size">Up to where it is written, in bytes.</param>
    internal static void CheckFile(string attempt, in NativeIpcKey key, long size)
    {
        if (!OperatingSystem.IsLinux()) return;
        long most = Libc.LargestFile();
        if (size > most) throw TooLargeAFile(attempt, key, size, most);
    }

    /// <summary>What to throw for a file beyond the limit.</summary>
    internal static NativeIpcException TooLargeAFile(string attempt, in NativeIpcKey key, long size, long most)
        => Failure.Found(NativeIpcError.OutOfResources, attempt, key, "getrlimit",
            string.Create(CultureInfo.InvariantCulture,
                $"this process may write files of {most} bytes at most (ulimit -f, RLIMIT_FSIZE), and this is one of "
                    + $"{size} bytes"),
            "Raise the limit (ulimit -f unlimited; LimitFSIZE= of systemd), ask for less, or use a System V key, to "
                + "whose segments it does not apply.");

    /// <summary>
    /// What to throw for a segment that does not fit into the memory that this process may take as a whole: it would be
    /// killed while it fills it. Null when it fits, as far
    /// as can be told. A sparse one may never be filled, so it is only reported.
    /// </summary>
    /// <param name="attempt">What for.</param>
    /// <param name="key">The key.</param>
    /// <param name="size">The size of the segment, in bytes.</param>
    /// <param name="allocation">When its memory is taken.</param>
    internal static NativeIpcException? FindTooMuchMemory(string attempt, in NativeIpcKey key, long size,
        SharedMemoryAllocation allocation)
    {
        if (size < WorthALook || MemoryLimit.Find() is not { } limit || size <= limit.Bytes) return null;
        string finding = string.Create(CultureInfo.InvariantCulture,
            $"its {size} bytes are more than the {limit.Bytes} bytes of memory and swap that {limit.File} lets this "
                + $"process take: the kernel kills a process that goes beyond");
        NativeIpcException failure =
            Failure.Found(NativeIpcError.OutOfResources, attempt, key, "memory limit check", finding,
            "Raise that limit (docker run --memory and --memory-swap; resources.limits.memory of Kubernetes; "
                + "MemoryMax= of systemd), ask for less, or for Sparse allocation and fill no more than fits.");
        if (allocation != SharedMemoryAllocation.Sparse) return failure;
        NativeIpcEventSource.s_log.MoreThanMemory($"{Failure.Describe(key)}: {finding}.");
        return null;
    }

    /// <summary>Reports a segment that exists, is larger than the memory that this process may take, and is about to be
    /// mapped at once: what others have taken of it counts for them.</summary>
    internal static void TellOfTooMuchMemory(in NativeIpcKey key, long size)
        => _ = FindTooMuchMemory("open the segment", key, size, SharedMemoryAllocation.Sparse);
}
