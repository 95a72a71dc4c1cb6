using NativeIpc.Interop.Unix;

namespace NativeIpc.Posix.Names;

/// <summary>The kernel's table of this process's descriptors, of which each segment and each lock keeps one.</summary>
/// <remarks>
/// Linux doubles the table when it is full, and in a process with several threads, as each of .NET is, waits every time
/// until all cores have passed a quiet point: 9 to 13 ms each, 45 of 120 ms for 4,000 segments (measured in C, Linux
/// 6.18). So this makes it grow much at once, a little before it would grow anyway, by a descriptor with a high number
/// that is closed at once.
/// </remarks>
internal static class DescriptorTable
{
    private const int Small = 256; // as large as that it is soon, and most programs stay below
    private const int Large = 8192; // entries of 8 bytes
    private const int Largest = 65536; // from there on doubling is rare enough
    private const int Ahead = 32;

    private static int s_next = OperatingSystem.IsLinux() ? Small - Ahead : int.MaxValue;

    /// <summary>Makes room if the table is about to grow. <paramref name="descriptor"/>: a new one, which tells how
    /// full it is.</summary>
    public static void MakeRoom(int descriptor)
    {
        if (descriptor >= Volatile.Read(ref s_next)) Grow(descriptor);
    }

    private static void Grow(int descriptor)
    {
        int next = int.MaxValue;
        for (int size = descriptor < Large - Ahead ? Large : Largest; size > descriptor + Ahead; size /= 2)
        {
            int far = Libc.fcntl_descriptor(descriptor, Flags.F_DUPFD_CLOEXEC, size - 1);
            if (far == -1) continue; // more than this process may have (RLIMIT_NOFILE)
            _ = Libc.close(far);
            if (size < Largest) next = size - Ahead;
            break;
        }

        Volatile.Write(ref s_next, next);
    }
}
