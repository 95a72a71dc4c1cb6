using System.Runtime.InteropServices;
using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Posix.Names;
using NativeIpc.Posix.Words;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.Posix.Events;

/// <summary>The file of a POSIX event: 64 bytes of <c>/dev/shm</c> (<see cref="EventWord"/>).</summary>
internal static class EventFile
{
    // A lease of a process that asks whether it is alone lasts for some microseconds.
    private static readonly TimeSpan s_longestLease = TimeSpan.FromSeconds(1);

    /// <summary>Opens the file of an event that exists; -1 and the error number when that fails.</summary>
    internal static unsafe int Open(in NativeIpcKey key, in PeerBound bound, out int number)
    {
        var path = new Utf8Path(PosixNames.Start(IpcObjectKind.SystemEvent), PosixNames.Bare(key));
        var backoff = new Backoff(bound.AtMost(s_longestLease));
        while (true)
        {
            int descriptor = Libc.open_utf8(path.Pointer,
                Flags.O_RDWR | Flags.O_CLOEXEC | Flags.O_NOFOLLOW | Flags.O_NONBLOCK, 0);
            number = descriptor == -1 ? Marshal.GetLastPInvokeError() : 0;

            // EAGAIN: another process has a lease for a moment.
            if (number != Errno.EINTR && !(number == Errno.EAGAIN && backoff.PauseInCrowd())) return descriptor;
        }
    }

    /// <summary>What the name leads to; null when that is nothing, or cannot be told.</summary>
    internal static FileStatus? StatusOfName(in NativeIpcKey key)
        => PosixNames.StatusOf(key, IpcObjectKind.SystemEvent, out FileStatus status) == 0 ? status : null;

    internal static bool IsEvent(in FileStatus status) => status.IsRegularFile && status.Size == EventWord.Size;

    internal static NativeIpcException NoEvent(string attempt, in NativeIpcKey key, in FileStatus status)
        => NoEvent(attempt, key, status.IsRegularFile
            ? $"it has {status.Size} bytes instead of {EventWord.Size}" : "it is no regular file");

    internal static NativeIpcException NoEvent(string attempt, in NativeIpcKey key, string fault)
        => Failure.Found(NativeIpcError.KeyError, attempt, key, "open",
            $"the file {PosixNames.FileOf(key, IpcObjectKind.SystemEvent)} is no event: {fault}",
            "Remove that file, or use another name.");

    /// <summary>Maps an event.</summary>
    internal static nint MapPage(string attempt, in NativeIpcKey key, int file)
    {
        nint address = Libc.mmap(0, EventWord.Size, Flags.PROT_READ | Flags.PROT_WRITE,
            Flags.MAP_SHARED | Flags.MAP_POPULATE, file, 0);
        return address != Libc.MAP_FAILED
            ? address : throw PosixErrors.Map(attempt, key, Marshal.GetLastPInvokeError(), EventWord.Size);
    }

    /// <summary>Writes a new event, in one call: a full /dev/shm is an error and no SIGBUS.</summary>
    internal static unsafe void Write(string attempt, in NativeIpcKey key, EventResetMode mode, bool isSet, int file)
    {
        byte* image = stackalloc byte[EventWord.Size];
        EventWord.Initialize(new(image, EventWord.Size), mode, isSet);
        nint written;
        do written = Libc.pwrite(file, image, EventWord.Size, 0);
        while (written == -1 && Marshal.GetLastPInvokeError() == Errno.EINTR);
        if (written != EventWord.Size)
            throw PosixErrors.Reserve(attempt, key, "pwrite",
                written == -1 ? Marshal.GetLastPInvokeError() : Errno.ENOSPC);
    }
}
