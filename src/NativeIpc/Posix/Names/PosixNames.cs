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
        => kind == IpcObjectKind.SharedMemory || !Libraries.IsGlibc ? "/dev/shm/"u8 : "/dev/shm/sem."u8;

    /// <summary>The file of a segment, Linux only, as messages show it; calls take the two parts above.</summary>
    internal static string SegmentFile(string name) => $"{Folder}/{name.TrimStart('/')}";

    /// <summary>The file of a semaphore, Linux only; musl gives it the same name as a segment's.</summary>
    internal static string SemaphoreFile(string name)
        => Libraries.IsGlibc ? $"{Folder}/sem.{name.TrimStart('/')}" : SegmentFile(name);

    /// <summary>The file of an object, Linux only, as messages show it.</summary>
    internal static string FileOf(in NativeIpcKey key, IpcObjectKind kind)
        => kind == IpcObjectKind.SharedMemory ? SegmentFile(Native(key)) : SemaphoreFile(Native(key));

    /// <summary>The key of a segment's lock; the invalid key when it cannot have one, since the name is too long or,
    /// with musl, taken by the segment itself.</summary>
    internal static NativeIpcKey LockKey(in NativeIpcKey segment)
    {
        NativeIpcKey key = NameRules.LockKey(segment, PlatformEnvironment.Current);
        return UsableKey.FindViolationHere(key, IpcObjectKind.SystemSemaphore) is null
            && !(s_areFiles && AreOneFile(segment, key))
            ? key
            : default;
    }

    /// <summary>Whether a segment and a semaphore are one file: with musl, when they have the same name.</summary>
    internal static bool AreOneFile(in NativeIpcKey segment, in NativeIpcKey semaphore)
    {
        ReadOnlySpan<char> name = Bare(segment);
        if (Libraries.IsGlibc)
        {
            if (!name.StartsWith("sem.")) return false;
            name = name[4..];
        }

        return name.SequenceEqual(Bare(semaphore));
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
