using System.Runtime.InteropServices;
using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Posix.Names;
using NativeIpc.Posix.Words;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.Posix.Semaphores;

/// <summary>The file of a POSIX semaphore on Linux: 32 bytes of <c>/dev/shm</c> that hold a <c>sem_t</c>.</summary>
internal static class SemaphoreFile
{
    // A lease of a process that asks whether it is alone lasts for some microseconds.
    private static readonly TimeSpan s_longestLease = TimeSpan.FromSeconds(1);

    /// <summary>Opens the file of a semaphore that exists; -1 and the error number when that fails.</summary>
    internal static unsafe int Open(in NativeIpcKey key, int flags, in PeerBound bound, out int number)
    {
        var path = new Utf8Path(PosixNames.Start(IpcObjectKind.SystemSemaphore), PosixNames.Bare(key));
        var backoff = new Backoff(bound.AtMost(s_longestLease));
        while (true)
        {
            int descriptor = Libc.open_utf8(path.Pointer, flags | Flags.O_NOFOLLOW | Flags.O_NONBLOCK, 0);
            number = descriptor == -1 ? Marshal.GetLastPInvokeError() : 0;

            // EAGAIN: another process has a lease for a moment.
            if (number != Errno.EINTR && !(number == Errno.EAGAIN && backoff.PauseInCrowd())) return descriptor;
        }
    }

    /// <summary>Whether a semaphore's page begins with glibc's word.</summary>
    internal static bool HasGlibcWord(in NativeIpcKey key) => GlibcSemaphore.s_isKnown || PosixNames.IsOfGlibc(key);

    /// <summary>Refuses, with musl, what musl's sem_open has made under the name of a semaphore of glibc: it has other
    /// words. The page is unmapped then.</summary>
    internal static void CheckWord(string attempt, in NativeIpcKey key, nint page)
    {
        if (!PosixNames.IsOfGlibc(key) || GlibcSemaphore.IsMadeForGlibc(page)) return;
        _ = Libc.munmap(page, Layout.SizeOfSemT);
        throw Failure.Found(NativeIpcError.KeyError, attempt, key, "mmap",
            "a program with musl has made it, and under a name that begins with 'sem.' this library uses what programs "
                + "with glibc make",
            "Remove it, or use another name.");
    }

    internal static bool IsSemaphore(in FileStatus status) => status.IsRegularFile && status.Size == Layout.SizeOfSemT;

    /// <summary>What the name leads to; null when that is nothing, or cannot be told.</summary>
    internal static FileStatus? StatusOfName(in NativeIpcKey key)
        => PosixNames.s_areFiles
            && PosixNames.StatusOf(key, IpcObjectKind.SystemSemaphore, out FileStatus status) == 0
            ? status : null;

    internal static NativeIpcException NoSemaphore(string attempt, in NativeIpcKey key, in FileStatus status)
    {
        string what = status.IsRegularFile
            ? $"it has {status.Size} bytes instead of {Layout.SizeOfSemT}" : "it is no regular file";
        return Failure.Found(NativeIpcError.KeyError, attempt, key, "sem_open",
            $"the file {PosixNames.SemaphoreFile(PosixNames.Native(key))} is no semaphore: {what}",
            "Remove that file, or use another name.");
    }

    /// <summary>Maps the page of a semaphore. <paramref name="touch"/>: when the page is used: to map it at once costs
    /// less than the page fault.</summary>
    internal static nint MapPage(string attempt, in NativeIpcKey key, int file, FirstTouch touch)
    {
        int populate = touch == FirstTouch.Now ? Flags.MAP_POPULATE : 0;
        nint address = Libc.mmap(0, Layout.SizeOfSemT, Flags.PROT_READ | Flags.PROT_WRITE,
            Flags.MAP_SHARED | populate, file, 0);
        return address != Libc.MAP_FAILED
            ? address : throw PosixErrors.Map(attempt, key, Marshal.GetLastPInvokeError(), Layout.SizeOfSemT);
    }

    /// <summary>Writes an initialised semaphore, in one call.</summary>
    /// <remarks>Initialised in private memory and written, as the C library does it: that costs less than a page fault,
    /// and a full /dev/shm is an error and no SIGBUS.</remarks>
    internal static unsafe void Write(string attempt, in NativeIpcKey key, int initialCount, int file)
    {
        ulong* image = stackalloc ulong[Layout.SizeOfSemT / sizeof(ulong)];
        if (PosixNames.IsOfGlibc(key)) GlibcSemaphore.Initialize(new(image, Layout.SizeOfSemT), initialCount);
        else if (Libc.sem_init((nint)image, 1, (uint)initialCount) != 0)
            throw PosixErrors.Unknown(attempt, key, "sem_init", Marshal.GetLastPInvokeError());
        nint written;
        do written = Libc.pwrite(file, (byte*)image, Layout.SizeOfSemT, 0);
        while (written == -1 && Marshal.GetLastPInvokeError() == Errno.EINTR);
        if (written != Layout.SizeOfSemT)
            throw PosixErrors.Reserve(attempt, key, "pwrite",
                written == -1 ? Marshal.GetLastPInvokeError() : Errno.ENOSPC);
    }
}

/// <summary>When a mapped page is used first.</summary>
internal enum FirstTouch { Later, Now }
