using NativeIpc.Interop.Unix;

namespace NativeIpc.Posix.Words;

/// <summary>The maximum of a semaphore that the object itself keeps, for every instance that asks for it
/// (<see cref="SystemSemaphoreOptions.ShareMaximumCount"/>): in its page, behind the file's 32 bytes, as slots and
/// records are (<see cref="HolderSlots"/>). It belongs to the inode, and is written before the name is there.</summary>
internal static unsafe class SharedMaximum
{
    // Slots begin with a request at 48.
    private const int Offset = 40;

    /// <summary>Writes it. <paramref name="maximum"/>: null for that of the system.</summary>
    internal static void Write(nint page, int? maximum)
        => Volatile.Write(ref *(int*)(page + Offset), maximum ?? Flags.SEM_VALUE_MAX);

    /// <summary>Reads it; null for a semaphore that was made without.</summary>
    internal static int? Read(nint page)
        => Volatile.Read(ref *(int*)(page + Offset)) is > 0 and int maximum ? maximum : null;
}
