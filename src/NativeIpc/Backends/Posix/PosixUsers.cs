using System.Runtime.InteropServices;
using NativeIpc.Errors;
using NativeIpc.Platform;
using static NativeIpc.Interop;

namespace NativeIpc.Backends.Posix;

/// <summary>Who uses a POSIX object, and what follows for removing it: the kernel says whether a file is open or mapped anywhere else. Linux only.</summary>
/// <remarks>
/// Interleavings. (1) Two let go together: each has closed what it had before it asks, so the first one that asks finds nobody. (2) Two reclaim
/// together: the lock on the folder lets one ask at a time, so the other's descriptor is not taken for a user. (3) Somebody opens while the lease is held: a Qt or
/// C program waits in the kernel and then has a file without a name, as after any removal; ours get EAGAIN and look again. (4) A process dies at any point: the
/// kernel drops lease, lock and descriptors; the name stays for the next one who asks.
/// </remarks>
internal static class PosixUsers
{
    /// <summary>Refuses what needs the kernel's knowledge where there is none.</summary>
    internal static void CheckOffered(in NativeIpcKey key, RemovalPolicy removal, bool reclaim)
    {
        if (PosixNames.s_areFiles || (removal != RemovalPolicy.LastOneOut && !reclaim)) return;
        throw new PlatformNotSupportedException(
            $"{(reclaim ? "Reclaim" : "RemovalPolicy.LastOneOut")} is not offered for {Failure.Describe(key)}: for POSIX objects only Linux says who uses them, and not by the plain POSIX calls. Use the default policy, or a System V segment.");
    }

    /// <summary>Removes an object, and the lock of a segment, if no process has it open or mapped: in whatever language, user or namespace.</summary>
    /// <param name="attempt">What for.</param>
    /// <param name="key">The key.</param>
    /// <param name="isSegment">A segment, or a semaphore.</param>
    /// <param name="lockKey">The key of the segment's lock; invalid for none.</param>
    /// <param name="identity">The file that it must be; null for whatever has the name.</param>
    /// <param name="own">The only descriptor of this process, if it has one left; the file is not mapped here any more.</param>
    /// <param name="bound">How long to wait for another one that asks.</param>
    /// <returns>0 when it is gone; EAGAIN when somebody uses it; otherwise why the system cannot tell (EACCES, EPERM: neither the owner nor CAP_LEASE).</returns>
    internal static int RemoveIfUnused(string attempt, in NativeIpcKey key, bool isSegment, in NativeIpcKey lockKey, FileIdentity? identity, UnixDescriptor? own, TimeSpan bound)
    {
        using var folder = new UnixDescriptor(Libc.open(PosixNames.Folder, Flags.O_RDONLY | Flags.O_CLOEXEC, 0));
        if (folder.IsInvalid) return Marshal.GetLastPInvokeError();
        int number = FileLock.Take((int)folder.DangerousGetHandle(), bound, out FileLock held);
        if (number != 0) return number;
        using (held)
        {
            string name = PosixNames.Native(key);
            string path = isSegment ? PosixNames.SegmentFile(name) : PosixNames.SemaphoreFile(name);
            UnixDescriptor? opened = own is null ? new UnixDescriptor(Libc.open(path, Flags.O_RDWR | Flags.O_CLOEXEC | Flags.O_NOFOLLOW | Flags.O_NONBLOCK, 0)) : null;
            using (opened)
            {
                if (opened is { IsInvalid: true })
                {
                    number = Marshal.GetLastPInvokeError();
                    return number == Errno.ENOENT ? 0 : number;
                }

                UnixDescriptor file = own ?? opened!;
                number = Libc.Status(file, out FileStatus status);
                if (number != 0) return number;
                if (!status.IsRegularFile) return Errno.EAGAIN; // no object; the caller's own look says so
                if (identity is { } expected && expected != status.Identity) return 0;
                number = Libc.TakeLease(file);
                if (number != 0) return number;
                try
                {
                    // Users of this library may have let go of a lock for a moment: see SteppingAside.
                    if (!isSegment && status.Size == Layout.SizeOfSemT)
                    {
                        if (HolderSlots.LookAside(file) is not { } isAnyAside) return Errno.ENOMEM; // cannot tell
                        if (isAnyAside) return Errno.EAGAIN;
                    }

                    number = Libc.Status(path, followLink: false, out FileStatus named);
                    if (number is not (0 or Errno.ENOENT)) return number; // not told is not gone
                    if (number != 0 || named.Identity != status.Identity) return 0;
                    PosixRemoval.Unlink(key, isSegment);
                    if (lockKey.IsValid) PosixRemoval.Unlink(lockKey, isSegment: false);
                    return 0;
                }
                finally
                {
                    Libc.DropLease(file);
                }
            }
        }
    }

    /// <summary>For <see cref="SharedMemoryOptions.Reclaim"/>: removes what nobody uses, before it is looked at as if there had been nothing.</summary>
    /// <exception cref="NativeIpcException">The system cannot tell.</exception>
    internal static void Reclaim(string attempt, in NativeIpcKey key, bool isSegment, in NativeIpcKey lockKey, TimeSpan bound)
    {
        int number = RemoveIfUnused(attempt, key, isSegment, lockKey, identity: null, own: null, bound);
        if (number == 0 || number == Errno.EAGAIN || number == Errno.ELOOP || number is Errno.ENXIO or Errno.EISDIR) return; // used; or no object, as the next look says
        if (number is Errno.EACCES or Errno.EPERM)
        {
            throw Failure.Of(NativeIpcError.PermissionDenied, attempt, key, "fcntl(F_SETLEASE)", number,
                "Whether anybody still uses it, the kernel tells only its owner and root (CAP_LEASE): run as its owner, or do without Reclaim.");
        }

        throw PosixErrors.Unknown(attempt, key, "fcntl(F_SETLEASE)", number);
    }

    /// <summary>Lets go of an object for <see cref="RemovalPolicy.LastOneOut"/>. Nothing can be thrown where this runs: what the system cannot tell is logged.</summary>
    internal static void LetGo(in NativeIpcKey key, bool isSegment, in NativeIpcKey lockKey, FileIdentity identity, UnixDescriptor? own, TimeSpan bound)
    {
        try
        {
            int number = RemoveIfUnused("remove as the last one out", key, isSegment, lockKey, identity, own, bound);
            if (number == 0 || number == Errno.EAGAIN) return;
            NativeIpcEventSource.s_log.NotRemoved($"{Failure.Describe(key)} was not removed: whether anybody still uses it, the kernel tells only its owner and root: \"{Marshal.GetPInvokeErrorMessage(number)}\" (error {number})");
        }
        catch (NativeIpcException failure)
        {
            NativeIpcEventSource.s_log.NotRemoved(failure.Message);
        }
    }

    /// <summary>Refuses an object of another user than this one and root, who may have planted it.</summary>
    /// <param name="attempt">What for.</param>
    /// <param name="key">The key.</param>
    /// <param name="isSegment">A segment, or a semaphore.</param>
    /// <param name="status">Of the very descriptor that is mapped then.</param>
    /// <param name="trusted">One more user that may own it; for the lock of a segment, the segment's owner.</param>
    internal static void CheckOwner(string attempt, in NativeIpcKey key, bool isSegment, in FileStatus status, uint? trusted = null)
    {
        if (!PosixNames.s_areFiles || RealIds.IsTrusted(status.Uid)
            || (trusted is { } other && RealIds.Users.AreSame(status.Uid, other))) return;
        string name = PosixNames.Native(key);
        string path = isSegment ? PosixNames.SegmentFile(name) : PosixNames.SemaphoreFile(name);
        throw Failure.Found(NativeIpcError.PermissionDenied, attempt, key, "owner check",
            $"the file {path} belongs to user {RealIds.Users.Describe(status.Uid)}, and this is user "
                + $"{Libc.geteuid()}: somebody may have planted it",
            RealIds.Users.IsReal(status.Uid)
                ? "Let its owner or root remove it, use another name, or set AllowOtherOwners where users share "
                + "objects." : RealIds.Remedy, Errno.EACCES);
    }
}

/// <summary>The last one out at a normal end of the process without Dispose.</summary>
/// <remarks>Dispose and exit may come together: the gate lets one through. Threads may still use the memory: it is replaced by an empty private page in
/// one call, never taken away under them.</remarks>
internal sealed class PosixLastOut(NativeIpcKey key, bool isSegment, NativeIpcKey lockKey, FileIdentity identity, TimeSpan bound, nint address, long size, UnixDescriptor? file, Action? comeBack = null) : ExitDuty
{
    private readonly Lock _gate = new();
    private bool _performed;

    static PosixLastOut() => NativeIpcEventSource.Load();

    /// <summary>At the end of the process.</summary>
    public override void Perform()
    {
        lock (_gate)
        {
            if (_performed) return;
            _performed = true;
            comeBack?.Invoke(); // to the true page and file, if they are let go of for a moment
            if (Mapping.Replace(address, size)) PosixUsers.LetGo(key, isSegment, lockKey, identity, file, bound);
        }

        ProcessExit.Forget(this);
    }

    /// <summary>After the object was closed here.</summary>
    public void Closed()
    {
        lock (_gate)
        {
            if (!_performed) PosixUsers.LetGo(key, isSegment, lockKey, identity, null, bound);
            _performed = true;
        }

        ProcessExit.Forget(this);
    }
}
