using NativeIpc.Interop.Unix;
using NativeIpc.Keys;
using NativeIpc.Platform;
using NativeIpc.Posix.Words;

namespace NativeIpc.Posix.Names;

/// <summary>
/// Where the C library keeps POSIX objects. On Linux both are files in /dev/shm (<c>shm_overview(7)</c>,
/// <c>sem_overview(7)</c>): knowing that, segments and semaphores can be made complete before they get their name, and
/// a semaphore can be looked at before it is mapped. On Apple names are opaque; there, and when the switch
/// NativeIpc.PlainPosixCalls is on, only the documented calls are used.
/// </summary>
internal static class PosixNames
{
    internal const string Folder = "/dev/shm";

    // glibc's semaphores are files of this name.
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
    internal static ReadOnlySpan<byte> Start(bool isSegment)
        => isSegment || !Libraries.IsGlibc ? "/dev/shm/"u8 : "/dev/shm/sem."u8;

    /// <summary>The file of a segment, Linux only, as messages show it; calls take the two parts above.</summary>
    internal static string SegmentFile(string name) => $"{Folder}/{name.TrimStart('/')}";

    /// <summary>The file of a semaphore, Linux only; musl gives it the same name as a segment's.</summary>
    internal static string SemaphoreFile(string name)
        => Libraries.IsGlibc ? $"{Folder}/sem.{name.TrimStart('/')}" : SegmentFile(name);

    /// <summary>Whether a semaphore has glibc's word: with glibc each one; with musl those whose file has the name of
    /// one of glibc's. So processes on both share it, and one name never leads to two kinds of words: where this cannot
    /// be had, such names are refused (<see cref="WhyRefused"/>).</summary>
    internal static bool HasGlibcWord(in NativeIpcKey semaphore)
        => GlibcSemaphore.s_isKnown
            || (GlibcSemaphore.s_isOffered && s_areFiles && BareOfGlibc(Bare(semaphore)).Length > 0);

    /// <summary>With musl: the name that glibc has for the semaphore in a file, empty when it has none for it.</summary>
    internal static ReadOnlySpan<char> BareOfGlibc(ReadOnlySpan<char> file)
        => file.StartsWith(GlibcPrefix, StringComparison.Ordinal) ? file[GlibcPrefix.Length..] : default;

    /// <summary>Why a semaphore may not be used under its name; null when it may.</summary>
    internal static string? WhyRefused(in NativeIpcKey semaphore)
        => !OperatingSystem.IsLinux() || Libraries.IsGlibc || BareOfGlibc(Bare(semaphore)).Length == 0
            || HasGlibcWord(semaphore)
            ? null
            : "with musl a name that begins with 'sem.' is that of a semaphore of glibc, which the plain POSIX calls "
                + "and the switch NativeIpc.PortableWaits cannot use";

    /// <summary>The key of a segment's lock; the invalid key when it cannot have one, since the name is too long or
    /// refused.</summary>
    internal static NativeIpcKey LockKey(in NativeIpcKey segment)
    {
        NativeIpcKey key = NameRules.LockKey(segment, PlatformEnvironment.Current);
        return UsableKey.FindViolationHere(key, IpcObjectKind.SystemSemaphore) is null && WhyRefused(key) is null
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
    internal static unsafe int StatusOf(in NativeIpcKey key, bool isSegment, out FileStatus status)
    {
        var path = new Utf8Path(Start(isSegment), Bare(key));
        return Libc.Status(path.Pointer, followLink: false, out status);
    }

    /// <summary>Why the system has no POSIX objects, or null when it has.</summary>
    internal static bool WorkHere()
        => Environment.Is64BitProcess
            && (OperatingSystem.IsMacOS()
                || (OperatingSystem.IsLinux() && Libc.Status(Folder, followLink: true,
                    out FileStatus folder) == 0 && folder.IsDirectory));
}
