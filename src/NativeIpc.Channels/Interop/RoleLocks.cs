using System.Diagnostics;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace NativeIpc.Channels.Interop;

/// <summary>The file of a POSIX segment or of a System V key on Linux, and locks of its open file description on single
/// bytes of it, which the kernel gives back when their holder dies (fcntl(2), F_OFD_SETLK, Linux 3.15).</summary>
internal static partial class RoleLocks
{
    private const int F_OFD_GETLK = 36;
    private const int F_OFD_SETLK = 37;
    private const short F_RDLCK = 0;
    private const short F_WRLCK = 1;
    private const short F_UNLCK = 2;
    private const int O_RDONLY = 0;
    private const int O_RDWR = 2;
    private const int O_CLOEXEC = 0x80000;
    private const int O_NONBLOCK = 0x800;
    private const int ENOENT = 2;
    private const int EACCES = 13;
    private const int EAGAIN = 11;
    private const int EINTR = 4;

    private static readonly int s_noFollow = RuntimeInformation.ProcessArchitecture == Architecture.Arm64
        ? 0x8000 : 0x20000;

    [StructLayout(LayoutKind.Sequential)]
    private struct Flock
    {
        public short l_type;
        public short l_whence;
        public long l_start;
        public long l_len;
        public int l_pid;
    }

    /// <summary>Opens the file; null when it cannot be.</summary>
    /// <param name="path">Its path.</param>
    /// <param name="isWritable">Whether roles may be taken by it.</param>
    /// <param name="number">0, or the error number; <see cref="IsGone"/> says which means that there is none.</param>
    /// <param name="followsLink">Whether a link may lead to it.</param>
    public static SafeFileHandle? Open(string path, bool isWritable, out int number, bool followsLink = false)
    {
        // Not by .NET, which takes an flock(2) lock: the core's own locks on the file would meet it. A pipe that has
        // got the name meanwhile must not hold this up.
        SafeFileHandle file = open(path, (isWritable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK
            | (followsLink ? 0 : s_noFollow));
        number = file.IsInvalid ? Marshal.GetLastPInvokeError() : 0;
        if (number == 0) return file;
        file.Dispose();
        return null;
    }

    public const int NoRight = EACCES;
    public const int Taken = EAGAIN;

    public static bool IsGone(int number) => number == ENOENT;

    /// <summary>Takes the lock of a byte, if it is free.</summary>
    /// <returns>0, or the error number; <see cref="IsTaken"/> says which mean that another one has it.</returns>
    public static int TryLock(SafeFileHandle file, long at) => Change(file, at, F_WRLCK);

    /// <summary>The same with a file that may be open for reading only, which can have shared locks alone: who has one
    /// and then sees no other has it for itself.</summary>
    /// <returns>0, or the error number; <see cref="IsTaken"/> says which mean that another one has it.</returns>
    public static int TryLockByLook(SafeFileHandle file, long at)
    {
        for (int longest = 64; ; longest *= 2)
        {
            int number = Look(file, at, 1, out bool isTaken);
            if (number == 0 && !isTaken)
            {
                // R1 Race: two lock it at once. Safe because: each looks behind its own lock, so the later one sees the
                // earlier, or both see each other and both step back.
                number = Change(file, at, F_RDLCK);
                if (number == 0) number = Look(file, at, 1, out isTaken);
                if (number == 0 && !isTaken) return 0;
                Unlock(file, at);
            }

            if (number != 0) return number;
            if (longest > 4096) return EAGAIN;
            Thread.SpinWait(Random.Shared.Next(longest)); // others that step back as well try at another moment
        }
    }

    /// <summary>Gives it back.</summary>
    public static void Unlock(SafeFileHandle file, long at)
    {
        int number = Change(file, at, F_UNLCK);
        Debug.Assert(number == 0);
    }

    public static bool IsTaken(int number) => number is EACCES or EAGAIN;

    /// <summary>Looks whether another open file description has the lock of one of some bytes.</summary>
    /// <returns>0, or the error number: then nobody knows.</returns>
    public static int Look(SafeFileHandle file, long at, int count, out bool isLockedByOther)
    {
        var range = new Flock { l_type = F_WRLCK, l_start = at, l_len = count };
        int number = fcntl(file, F_OFD_GETLK, ref range) == 0 ? 0 : Marshal.GetLastPInvokeError();
        isLockedByOther = number == 0 && range.l_type != F_UNLCK;
        return number;
    }

    private static int Change(SafeFileHandle file, long at, short type)
    {
        while (true)
        {
            var range = new Flock { l_type = type, l_start = at, l_len = 1 };
            if (fcntl(file, F_OFD_SETLK, ref range) == 0) return 0;
            int number = Marshal.GetLastPInvokeError();
            if (number != EINTR) return number;
        }
    }

    // Both are variadic, which is harmless on Linux.
    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial SafeFileHandle open(string path, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fcntl(SafeFileHandle fd, int command, ref Flock range);
}
