using NativeIpc.Interop.Unix;
using NativeIpc.Keys;
using NativeIpc.Platform;

namespace NativeIpc.Posix.Names;

/// <summary>
/// Where the C library keeps POSIX objects. On Linux both are files in /dev/shm (<c>shm_overview(7)</c>,
/// <c>sem_overview(7)</c>): so they can be completed before they get their name, and a semaphore can be looked at
/// before it is mapped. On Apple names are opaque; there, and where the switch NativeIpc.PlainPosixCalls is on, only
/// the documented calls are used.
/// </summary>
internal static class PosixNames
{
    internal const string Folder = "/dev/shm";

    // What glibc puts before a semaphore's name.
    private const string GlibcPrefix = "sem.";

    /// <summary>Whether objects are files whose place is known.</summary>
    internal static readonly bool s_areFiles = OperatingSystem.IsLinux()
        && !(AppContext.TryGetSwitch("NativeIpc.PlainPosixCalls", out bool plain) && plain);

    /// <summary>The name as the calls take it: UTF-8 follows from the declarations; Apple's file names are
    /// decomposed.</summary>
    internal static string Native(in NativeIpcKey key) => NameText.ForThisSystem(key.NativeKey);

    /// <summary>The file name of an object, Linux only. Leading slashes do not matter to the C library.</summary>
    internal static ReadOnlySpan<char> Bare(in NativeIpcKey key) => Native(key).AsSpan().TrimStart('/');

    /// <summary>What stands before the file name of an object, Linux only.</summary>
    internal static ReadOnlySpan<byte> Start(IpcObjectKind kind)
        => kind == IpcObjectKind.SystemEvent ? "/dev/shm/nativeipc-event."u8
        : kind == IpcObjectKind.SharedMemory || !Libraries.IsGlibc ? "/dev/shm/"u8 : "/dev/shm/sem."u8;

    /// <summary>The file of a segment, Linux only, as messages show it; calls take the two parts above.</summary>
    internal static string SegmentFile(string name) => $"{Folder}/{name.TrimStart('/')}";

    /// <summary>The file of a semaphore, Linux only; musl gives it the same name as a segment's.</summary>
    internal static string SemaphoreFile(string name)
        => Libraries.IsGlibc ? $"{Folder}/sem.{name.TrimStart('/')}" : SegmentFile(name);

    /// <summary>The file of an object, Linux only, as messages show it.</summary>
    internal static string FileOf(in NativeIpcKey key, IpcObjectKind kind)
        => kind switch
        {
            IpcObjectKind.SharedMemory => SegmentFile(Native(key)),
            IpcObjectKind.SystemSemaphore => SemaphoreFile(Native(key)),
            _ => $"{Folder}/{UsableKey.EventPrefix}{Native(key).TrimStart('/')}",
        };

    // With musl: whether this library makes and uses semaphores of glibc there.
    private static readonly bool s_sharesWithGlibc = s_areFiles && !Libraries.IsGlibc && Environment.Is64BitProcess
        && BitConverter.IsLittleEndian
        && !(AppContext.TryGetSwitch("NativeIpc.PortableWaits", out bool isPortable) && isPortable);

    /// <summary>Whether a semaphore is one of glibc's, with musl: by the name of its file. Processes on both share it,
    /// and one name never leads to two kinds of words: where that cannot be had, such names are refused
    /// (<see cref="WhyRefused"/>).</summary>
    internal static bool IsOfGlibc(in NativeIpcKey semaphore)
        => s_sharesWithGlibc && NameWithGlibc(Bare(semaphore)).Length > 0;

    /// <summary>The same of a file in <see cref="Folder"/>.</summary>
    internal static bool IsOfGlibc(string file) => s_sharesWithGlibc && NameWithGlibc(file).Length > 0;

    /// <summary>The name that glibc has for the semaphore in a file; empty when it has none for it.</summary>
    internal static ReadOnlySpan<char> NameWithGlibc(ReadOnlySpan<char> file)
        => file.StartsWith(GlibcPrefix, StringComparison.Ordinal) ? file[GlibcPrefix.Length..] : default;

    /// <summary>Why a semaphore may not be used under its name; null when it may.</summary>
    internal static string? WhyRefused(in NativeIpcKey semaphore)
        => !OperatingSystem.IsLinux() || Libraries.IsGlibc || s_sharesWithGlibc
            || NameWithGlibc(Bare(semaphore)).Length == 0
            ? null
            : "with musl a name that begins with 'sem.' is that of a semaphore of glibc, which cannot be used with the "
                + "plain POSIX calls or the switch NativeIpc.PortableWaits";

    /// <summary>The key of a segment's lock, for removing it: also where this process may not use it
    /// (<see cref="WhyRefused"/>), since others may have made it. The invalid key when there is none, since the name
    /// would be too long.</summary>
    internal static NativeIpcKey LockKey(in NativeIpcKey segment)
    {
        NativeIpcKey key = NameRules.LockKey(segment, PlatformEnvironment.Current);
        return UsableKey.FindViolationHere(key, IpcObjectKind.SystemSemaphore) is null ? key : default;
    }

    /// <summary>Opens a file without a name where objects are, to read and write, Linux only. Gives what open(2)
    /// does.</summary>
    internal static unsafe int OpenUnnamed(UnixFileMode mode)
    {
        fixed (byte* folder = "/dev/shm\0"u8)
            return Libc.open_utf8(folder, Flags.O_TMPFILE | Flags.O_RDWR | Flags.O_CLOEXEC, (uint)mode);
    }

    /// <summary>What an object's name leads to, Linux only. Returns 0, or the error number.</summary>
    internal static unsafe int StatusOf(in NativeIpcKey key, IpcObjectKind kind, out FileStatus status)
    {
        var path = new Utf8Path(Start(kind), Bare(key));
        return Libc.Status(path.Pointer, followLink: false, out status);
    }

    /// <summary>Whether the system has POSIX objects.</summary>
    internal static bool WorkHere()
        => Environment.Is64BitProcess
            && (OperatingSystem.IsMacOS()
                || (OperatingSystem.IsLinux() && Libc.Status(Folder, followLink: true,
                    out FileStatus folder) == 0 && folder.IsDirectory));
}
