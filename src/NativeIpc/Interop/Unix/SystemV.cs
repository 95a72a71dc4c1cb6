using System.Runtime.InteropServices;

namespace NativeIpc.Interop.Unix;

/// <summary>struct sembuf, the same on every system.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Sembuf
{
    internal ushort sem_num;
    internal short sem_op;
    internal short sem_flg;
}

/// <summary>
/// semop(2) for operations that are expected to go through: without the error number, which costs as much as the
/// way into C. By a pointer, since native AOT looks a declared function up in a stub of its own at each call, which
/// takes 20 ns (measured; DirectPInvoke in the user's project would do the same).
/// </summary>
internal static unsafe class SemopFast
{
    internal static readonly delegate* unmanaged<int, Sembuf*, nuint,
        int> s_call = (delegate* unmanaged<int, Sembuf*, nuint, int>)Libraries.Function("semop");
}

internal static partial class Libc
{
    [LibraryImport(Libraries.Libc, StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    internal static partial int ftok(string path, int projectId);

    [LibraryImport(Libraries.Libc, SetLastError = true)]
    internal static partial int shmget(int key, nuint size, int flags);

    [LibraryImport(Libraries.Libc, SetLastError = true)]
    internal static partial nint shmat(int id, nint address, int flags);

    [LibraryImport(Libraries.Libc, SetLastError = true)]
    internal static partial int shmdt(nint address);

    [LibraryImport(Libraries.Libc, SetLastError = true)]
    internal static unsafe partial int shmctl(int id, int command, byte* buffer);

    [LibraryImport(Libraries.Libc, SetLastError = true)]
    internal static partial int semget(int key, int count, int flags);

    [LibraryImport(Libraries.Libc, SetLastError = true)]
    internal static unsafe partial int semop(int id, Sembuf* operations, nuint count);

    [LibraryImport(Libraries.Libc, SetLastError = true)]
    // Not on Apple
    internal static unsafe partial int semtimedop(int id, Sembuf* operations, nuint count, Timespec* timeout);

    /// <summary>semctl(2) without its variadic argument.</summary>
    [LibraryImport(Libraries.Libc, SetLastError = true)]
    internal static partial int semctl(int id, int number, int command);

    [LibraryImport(Libraries.Libc, EntryPoint = "semctl", SetLastError = true)]
    private static partial int semctl_plain(int id, int number, int command, nint argument);

    [LibraryImport(Libraries.Libc, EntryPoint = "semctl", SetLastError = true)]
    private static partial int semctl_appleArm64(int id, int number, int command, nint p3, nint p4, nint p5,
        nint p6, nint p7, nint argument);

    /// <summary>semctl(2), variadic; union semun is passed as one word.</summary>
    internal static int semctl(int id, int number, int command, nint argument)
        => Target.VariadicArgumentsOnStack
            ? semctl_appleArm64(id, number, command, 0, 0, 0, 0, 0, argument)
            : semctl_plain(id, number, command, argument);
}
