using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace NativeIpc.Tool.Running;

/// <summary>What the tool itself asks of a Unix system, for <c>run</c>, <c>jobserver</c> and <c>--mine</c> only;
/// everything about IPC objects is the library's business.</summary>
internal static unsafe partial class Libc
{
    public const int ENOENT = 2;
    private const int EINTR = 4;

    public static int EAGAIN => OperatingSystem.IsLinux() ? 11 : 35;

    private const int EPIPE = 32;

    /// <summary>Linux and macOS number it differently.</summary>
    public static int SIGSTOP => OperatingSystem.IsLinux() ? 19 : 17;

    public const int SIGPIPE = 13; // the same on Linux and macOS, as SIG_DFL and SIG_IGN
    public const nint SIG_DFL = 0;
    public const nint SIG_IGN = 1;

    /// <summary>Becomes another program, with the environment that this one was started with (execvp(3)). Returns only
    /// when it fails.</summary>
    [LibraryImport("libc", SetLastError = true)]
    public static partial int execvp(byte* file, byte** arguments);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int statx(int folder, byte* path, int flags, uint mask, byte* status);

    [LibraryImport("libc", SetLastError = true)]
    private static partial byte* realpath(byte* path, byte* resolved);

    /// <summary>Whether a path leads to a regular file, without following a link at its end (Linux,
    /// statx(2)).</summary>
    public static bool IsRegularFile(string path)
    {
        const int NoFollow = 0x100;
        const int ModeAt = 28; // stx_mode, the same on every processor
        byte* status = stackalloc byte[StatusSize];
        return TryStatus(path, NoFollow, status) && (*(ushort*)(status + ModeAt) & 0xF000) == 0x8000;
    }

    /// <summary>Whether a path is a folder of this user, and no link to one (Linux). In a folder with the sticky bit
    /// nobody else can put another in its place.</summary>
    public static bool IsOwnFolder(string path)
    {
        const int NoFollow = 0x100;
        const int UserAt = 20, ModeAt = 28; // stx_uid, stx_mode
        byte* status = stackalloc byte[StatusSize];
        return TryStatus(path, NoFollow, status) && (*(ushort*)(status + ModeAt) & 0xF000) == 0x4000
            && *(uint*)(status + UserAt) == geteuid();
    }

    /// <summary>Whether a folder is the one of POSIX objects or below it, whatever path leads there: links are
    /// resolved, and another mount of its file system is seen by its device (Linux).</summary>
    public static bool IsOfPosixObjects(string folder)
    {
        const string objects = "/dev/shm";
        if (DeviceOf(folder) is not { } device || DeviceOf(objects) is not { } its) return false; // there is none
        if (device == its && its != DeviceOf("/dev")) return true;
        string path = Resolved(folder), root = Resolved(objects);
        return path == root || path.StartsWith(root + "/", StringComparison.Ordinal);
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int access(string path, int mode);

    /// <summary>Whether nobody may write below a path, since its file system is mounted for reading only.</summary>
    public static bool IsReadOnly(string path)
    {
        const int Write = 2;
        const int EROFS = 30;
        return access(path, Write) != 0 && Marshal.GetLastPInvokeError() == EROFS;
    }

    private const int StatusSize = 256;

    private static (uint Major, uint Minor)? DeviceOf(string path)
    {
        const int DeviceAt = 136; // stx_dev_major, stx_dev_minor
        byte* status = stackalloc byte[StatusSize];
        if (!TryStatus(path, flags: 0, status)) return null;
        return (*(uint*)(status + DeviceAt), *(uint*)(status + DeviceAt + 4));
    }

    private static bool TryStatus(string path, int flags, byte* status)
    {
        const int AtWorkingDirectory = -100;
        nint text = Marshal.StringToCoTaskMemUTF8(path);
        try
        {
            return statx(AtWorkingDirectory, (byte*)text, flags, mask: 0xb, status) == 0; // type, mode, user
        }
        finally
        {
            Marshal.FreeCoTaskMem(text);
        }
    }

    /// <summary>A path without links (realpath(3)); as it was given where it cannot be resolved.</summary>
    public static string Resolved(string path)
    {
        byte* resolved = stackalloc byte[4096]; // PATH_MAX
        nint text = Marshal.StringToCoTaskMemUTF8(path);
        try
        {
            return realpath((byte*)text, resolved) is null ? path : Marshal.PtrToStringUTF8((nint)resolved) ?? path;
        }
        finally
        {
            Marshal.FreeCoTaskMem(text);
        }
    }

    /// <summary>Whether the system has a process of this number; one that may not be seen (hidepid of proc(5)) counts,
    /// too.</summary>
    public static bool HasProcess(int process)
    {
        const int ESRCH = 3;
        return kill(process, 0) == 0 || Marshal.GetLastPInvokeError() != ESRCH;
    }

    /// <summary>Sees to it that what this process opens never gets the number of a standard stream that is closed: what
    /// is printed would go into it. In its place stands a descriptor that cannot be written to, or read from; a command
    /// that this process starts or becomes finds the stream closed, as it was.</summary>
    public static void KeepStandardNumbersFree()
    {
        const int F_GETFD = 1;
        const int FD_CLOEXEC = 1;
        const int ReadOnly = 0;
        const int WriteOnly = 1;
        int closeOnExec = OperatingSystem.IsMacOS() ? 0x1000000 : 0x80000;
        for (int number = 0; number <= 2; number++)
        {
            int flags = fcntl(number, F_GETFD);
            // That was opened since: it has not come through exec
            s_isClosed[number] = flags < 0 || (flags & FD_CLOEXEC) != 0;
            if (flags >= 0) continue;
            // The lowest number that is free
            fixed (byte* nothing = "/dev/null\0"u8)
                _ = open(nothing, (number == 0 ? WriteOnly : ReadOnly) | closeOnExec);
        }
    }

    /// <summary>Whether a standard stream was closed when this process began.</summary>
    public static bool WasClosed(int number) => s_isClosed[number];

    private static readonly bool[] s_isClosed = new bool[3];

    // Variadic with further arguments only that these calls do not need.
    [LibraryImport("libc", SetLastError = true)]
    private static partial int fcntl(int descriptor, int command);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int open(byte* path, int flags);

    /// <summary>Writes all bytes to a descriptor. Nobody who reads any more is no failure, as for other tools that a
    /// shell ends by SIGPIPE, which .NET ignores.</summary>
    /// <exception cref="IOException">They cannot be written; its HResult is the error number.</exception>
    public static void WriteAll(int descriptor, ReadOnlySpan<byte> bytes)
    {
        const int EBADF = 9;
        if (s_isClosed[descriptor]) throw new IOException(Marshal.GetPInvokeErrorMessage(EBADF), EBADF);
        while (!bytes.IsEmpty)
        {
            nint written;
            int error = 0;
            fixed (byte* from = bytes)
            {
                written = write(descriptor, from, bytes.Length);
                if (written < 0) error = Marshal.GetLastPInvokeError();
            }

            if (written >= 0) bytes = bytes[(int)written..];
            else if (error == EPIPE) return;
            // EAGAIN: somebody has made it non-blocking
            else if (error == (OperatingSystem.IsMacOS() ? 35 : 11)) AwaitWritable(descriptor);
            else if (error != EINTR) throw new IOException(Marshal.GetPInvokeErrorMessage(error), error);
        }
    }

    private static void AwaitWritable(int descriptor)
    {
        const short POLLOUT = 4;
        var wait = new PollDescriptor { Descriptor = descriptor, Events = POLLOUT };
        _ = poll(&wait, 1, -1);
    }

    /// <summary>The columns and lines of the terminal at a descriptor; 0 where there is none (Linux,
    /// ioctl_tty(2)).</summary>
    public static (int Columns, int Lines) TerminalSize(int descriptor)
    {
        const int TIOCGWINSZ = 0x5413;
        ushort* size = stackalloc ushort[4];
        return ioctl(descriptor, TIOCGWINSZ, size) == 0 ? (size[1], size[0]) : default;
    }

    // Variadic, which is harmless on Linux.
    [LibraryImport("libc", SetLastError = true)]
    private static partial int ioctl(int descriptor, nuint request, ushort* size);

    [StructLayout(LayoutKind.Sequential)]
    private struct PollDescriptor
    {
        public int Descriptor;
        public short Events;
        public short Returned;
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint write(int descriptor, byte* bytes, nint count);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int poll(PollDescriptor* descriptors, nuint count, int milliseconds);

    // What a jobserver needs, Linux only; flags are those of x64 and arm64.
    public const int O_RDONLY = 0, O_WRONLY = 1, O_RDWR = 2, O_CREAT = 0x40, O_NONBLOCK = 0x800, O_CLOEXEC = 0x80000;
    public const int LOCK_SH = 1, LOCK_EX = 2, LOCK_NB = 4;

    /// <summary>Makes a FIFO that this user alone may open.</summary>
    /// <exception cref="IOException">It cannot be made.</exception>
    public static void MakeFifo(string path)
    {
        const uint OwnerReadsAndWrites = 0x180; // 0600
        if (mkfifo(path, OwnerReadsAndWrites) != 0) throw Failed($"make the FIFO {path}");
    }

    /// <summary>Opens a file; what it makes, this user alone may open. Without <see cref="O_CLOEXEC"/> the commands
    /// that this process starts have it open as well.</summary>
    /// <exception cref="IOException">It cannot be opened; its HResult is the error number.</exception>
    public static SafeFileHandle Open(string path, int flags)
    {
        const uint OwnerReadsAndWrites = 0x180;
        int descriptor = open(path, flags, OwnerReadsAndWrites);
        if ((flags & O_CLOEXEC) == 0) descriptor = AboveScripts(descriptor);
        return descriptor >= 0 ? new SafeFileHandle(descriptor, ownsHandle: true) : throw Failed($"open {path}");
    }

    // What a command inherits is kept from its scripts, which use lower numbers without asking (exec 5<>file).
    private static int AboveScripts(int descriptor)
    {
        const int F_DUPFD = 0, First = 64;
        if (descriptor is < 0 or >= First || fcntl(descriptor, F_DUPFD, First) is not (>= 0 and var moved))
            return descriptor;
        _ = close(descriptor);
        return moved;
    }

    /// <summary>How many bytes wait in a FIFO.</summary>
    public static int WaitingBytes(SafeFileHandle fifo)
    {
        const nuint FIONREAD = 0x541B;
        int count = 0;
        return ioctl(fifo, FIONREAD, &count) == 0 ? count : throw Failed("ask how much is in a FIFO");
    }

    /// <summary>Reads what is there, up to a number of bytes; 0 where there is nothing.</summary>
    public static int ReadWaiting(SafeFileHandle file, Span<byte> buffer)
    {
        while (true)
        {
            nint count;
            fixed (byte* to = buffer) count = read(file, to, buffer.Length);
            if (count >= 0) return (int)count;
            int error = Marshal.GetLastPInvokeError();
            if (error == EAGAIN) return 0;
            if (error != EINTR) throw Failed("read", error);
        }
    }

    /// <summary>Writes one byte into a FIFO that has room for it.</summary>
    public static void WriteByte(SafeFileHandle fifo, byte value)
    {
        while (write(fifo, &value, 1) != 1)
        {
            int error = Marshal.GetLastPInvokeError();
            if (error != EINTR) throw Failed("write into a FIFO", error);
        }
    }

    /// <summary>Watches one file for reading and writing (inotify(7)): each makes <see cref="ReadWaiting"/> of the
    /// result come back. <see cref="EndWatch"/> does so, too.</summary>
    public static SafeFileHandle Watch(string path, out int watch)
    {
        const uint AccessOrModify = 3; // IN_ACCESS, IN_MODIFY
        int descriptor = inotify_init1(O_CLOEXEC);
        if (descriptor < 0) throw Failed("watch a FIFO");
        var handle = new SafeFileHandle(descriptor, ownsHandle: true);
        watch = inotify_add_watch(handle, path, AccessOrModify);
        if (watch >= 0) return handle;
        IOException failure = Failed($"watch {path}");
        handle.Dispose();
        throw failure;
    }

    public static void EndWatch(SafeFileHandle handle, int watch) => _ = inotify_rm_watch(handle, watch);

    /// <summary>Takes a lock of flock(2) without waiting; false when others have it.</summary>
    public static bool TryLock(SafeFileHandle file, int kind) => flock(file, kind | LOCK_NB) == 0;

    private static IOException Failed(string what) => Failed(what, Marshal.GetLastPInvokeError());

    private static IOException Failed(string what, int error)
        => new($"Cannot {what}: {Marshal.GetPInvokeErrorMessage(error)}.", error);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int mkfifo(string path, uint mode);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int open(string path, int flags, uint mode);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fcntl(int descriptor, int command, nint argument);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int close(int descriptor);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint read(SafeFileHandle file, byte* bytes, nint count);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint write(SafeFileHandle file, byte* bytes, nint count);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int ioctl(SafeFileHandle file, nuint request, int* value);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int inotify_init1(int flags);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int inotify_add_watch(SafeFileHandle handle, string path, uint mask);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int inotify_rm_watch(SafeFileHandle handle, int watch);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int flock(SafeFileHandle file, int operation);

    [LibraryImport("libc")]
    public static partial nint signal(int number, nint handler);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int kill(int processId, int number);

    [LibraryImport("libc")]
    public static partial int getpgrp();

    [LibraryImport("libc")]
    public static partial uint geteuid();

    [LibraryImport("libc", SetLastError = true)]
    public static partial int tcgetpgrp(SafeFileHandle terminal);
}
