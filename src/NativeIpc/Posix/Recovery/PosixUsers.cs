using System.Runtime.InteropServices;
using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Lifetime;
using NativeIpc.Linux;
using NativeIpc.Platform;
using NativeIpc.Posix.Names;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.Posix.Recovery;

/// <summary>What came of asking whether anybody uses an object.</summary>
internal enum UseAnswer
{
    /// <summary>Nobody did, and the name is removed; or it was gone, or leads to another object.</summary>
    Gone,

    /// <summary>Another process has it open or mapped.</summary>
    InUse,

    /// <summary>The system does not say, or not to this process now.</summary>
    CannotTell,
}

/// <summary>An answer, and for <see cref="UseAnswer.CannotTell"/> the call that was refused and its error
/// number.</summary>
internal readonly record struct UseResult(UseAnswer Answer, string Call = "", int Number = 0)
{
    internal static UseResult CannotTell(string call, int number) => new(UseAnswer.CannotTell, call, number);

    /// <summary>Why it cannot be told: a clause.</summary>
    internal string Reason(string path) => Number == Errno.EACCES || Number == Errno.EPERM
        ? "whether anybody still uses it, the kernel tells only its owner and root (CAP_LEASE)"
        : Call == AskMark.Call
            ? "whether anybody still uses it cannot be told, since another process says, by a lock on "
                + $"{PosixNames.Folder} or {path}, that it has {path} open only to ask that, or does not use it any "
                + $"more"
        : Number == Errno.EAGAIN
            ? $"whether anybody still uses it cannot be told, since another process keeps a lock or a lease on {path}"
        : "whether anybody still uses it cannot be told";

    /// <summary>What helps: a sentence without its full stop.</summary>
    internal string Remedy(string path) => Number == Errno.EACCES || Number == Errno.EPERM ? "Run as its owner"
        : Number == Errno.EAGAIN ? $"End that process (fuser {path} names it)"
        : UnixErrors.Explain(Call, Number).Remedy.TrimEnd('.');
}

/// <summary>Who uses a POSIX object, and what follows for removing it: the kernel says whether a file is open or mapped
/// anywhere else. Linux only.</summary>
/// <remarks>
/// <para>To ask is to have the file open for a moment, so those that ask at once look like users to each other. They
/// say so (<see cref="AskMark"/>), and the file lock of the object itself (<see cref="FileLock"/>) lets them ask one
/// after the other; nobody can take that who may not open the object. Whoever may can keep it, as he can keep the
/// object open: then the answer is that it cannot be told, after the caller's bound.</para>
/// <para>Interleavings. (1) Two let go together: each has closed what it had before it asks. A has the object's lock;
/// B, who has opened the file, does not get it, closes, and comes again; A waits until it has. When A is through, B
/// waits until A has closed the file, which it does after it gave the lock back. However long either is cut off in
/// between, the last one to ask finds nobody, or a user. (2) Where there are no such marks (no reading of the folder,
/// no such locks): whoever finds a user closes, pauses and asks again, for a fifth of a second. (3) Two reclaim
/// together: as (1); the second one finds no name, or the object of the first, which is in use. (4) A segment and its
/// lock: the names go together, while the lease and the file lock are held; who makes the lock has the segment open, so
/// there is no lease then. (5) Somebody opens while the lease is held: a Qt or C program waits in the kernel and then
/// has a file without a name, as after any removal; ours get EAGAIN and look again. (6) A process dies at any point:
/// the kernel drops lease, locks and descriptors; the name stays for the next one who asks. (7) One stops inside: it
/// keeps the object's lock; the others say that they cannot tell. (8) Two processes end together: each replaces its
/// descriptor by one of another file before it asks, since the kernel counts it until the process is gone. (9) One who
/// asks stops, or somebody only says that he asks: he is waited for; then it is asked all the same, and if the kernel
/// says that somebody has the file open, it cannot be told who that is. (10) A proof that a lock's holder is dead
/// (<see cref="HeldSemaphore"/>) has a lease for a moment: opening says EAGAIN, and is tried again. (11) A process lets
/// go while it starts another one: the child has the file open until it executes its program, and is waited for
/// (<see cref="NoUseMark"/>).</para>
/// </remarks>
internal static class PosixUsers
{
    // How often, and for how long, it is asked again without marks: who asks may be cut off with the file open.
    private const int MostRounds = 10;

    // How often it is asked about what says nothing of itself: see TakeLease.
    private const int LooksWithoutMark = 3;

    // Of about a millisecond each.
    private const int MostPausesDue = 300;

    // How long one who asks is let finish before this one asks, too.
    private static readonly TimeSpan s_patience = TimeSpan.FromMilliseconds(200);

    // Who asks has the object's lock for some system calls.
    private const int RoundsBeforeLookingAtLocks = 4;

    /// <summary>Refuses what needs the kernel's knowledge where there is none.</summary>
    internal static void CheckOffered(in NativeIpcKey key, RemovalPolicy removal, bool reclaim)
    {
        if (PosixNames.s_areFiles || (removal != RemovalPolicy.LastOneOut && !reclaim)) return;
        throw new PlatformNotSupportedException(
            $"{(reclaim ? "Reclaim" : "RemovalPolicy.LastOneOut")} is not offered for {Failure.Describe(key)}: for "
                + $"POSIX objects only Linux says who uses them, and not by the plain POSIX calls. Use the default "
                + $"policy, or a System V segment.");
    }

    /// <summary>Removes an object, and the lock of a segment, if no process has it open or mapped: in whatever
    /// language, user or namespace.</summary>
    /// <param name="key">The key.</param>
    /// <param name="isSegment">A segment, or a semaphore.</param>
    /// <param name="lockKey">The key of the segment's lock; invalid for none.</param>
    /// <param name="identity">The file that it must be; null for whatever has the name.</param>
    /// <param name="own">The only descriptor of this process, if it has one left; the file is not mapped here any
    /// more.</param>
    /// <param name="bound">How long to wait for another one that has the object's file lock.</param>
    private static UseResult RemoveIfUnused(
        in NativeIpcKey key, bool isSegment, in NativeIpcKey lockKey, FileIdentity? identity, UnixDescriptor? own,
        TimeSpan bound)
    {
        NativeIpcKey named = key, itsLock = lockKey;
        return RemoveIfUnused(PathOf(key, isSegment), isSegment, identity, own, bound,
            () => PosixRemoval.UnlinkBoth(named, isSegment, itsLock));
    }

    /// <summary>Removes a file of the folder, if no process has it open or mapped.</summary>
    /// <param name="path">The file.</param>
    /// <param name="isSegment">A segment, or a semaphore.</param>
    /// <param name="identity">What it must be; null for whatever has the name.</param>
    /// <param name="own">The only descriptor of this process, if it has one left.</param>
    /// <param name="bound">How long to wait for another one that has the object's file lock.</param>
    /// <param name="unlink">Removes the names.</param>
    internal static UseResult RemoveIfUnused(
        string path, bool isSegment, FileIdentity? identity, UnixDescriptor? own, TimeSpan bound, Func<bool> unlink)
    {
        using AskMark? mark = AskMark.TryBegin(path);
        // Where this thread hardly comes to look, neither do those come on that it waits for.
        int fewestPauses = bound < TimeSpan.Zero ? 0 : (int)Math.Min(bound.TotalMilliseconds / 2, MostPausesDue);
        var backoff = new Backoff(bound, fewestPauses: fewestPauses);
        for (int round = 0; ; round++)
        {
            if (round > 0) mark?.Begin(path);
            if (mark?.IsAnotherAsking == true && backoff.Elapsed < s_patience)
            {
                mark.End();
                if (backoff.Pause()) continue;
                mark.Begin(path);
            }

            UseResult result = Ask(path, isSegment, identity, own, mark, unlink, ref backoff, out bool isFinal);
            mark?.End(); // the file is closed
            if (isFinal) return result;
            if (result.Answer == UseAnswer.InUse && round >= MostRounds && backoff.Elapsed >= s_patience) return result;
            bool isLast = !backoff.Pause();
            if ((isLast || round >= RoundsBeforeLookingAtLocks) && result.Call == "flock" && HasSharedLock(path))
                return new UseResult(UseAnswer.InUse);
            if (isLast) return result;
        }
    }

    /// <summary>Whether another process is seen to have a shared lock of an object, as .NET's FileStream has: who asks
    /// never takes one, not even to find out, so it is one who uses the file.</summary>
    private static bool HasSharedLock(string path)
        => Libc.Status(path, followLink: false, out FileStatus status) == 0 && FileLockHolder.IsShared(status.Identity);

    /// <summary>Asks once. <paramref name="isFinal"/>: to ask again cannot bring another answer.</summary>
    private static UseResult Ask(
        string path, bool isSegment, FileIdentity? identity, UnixDescriptor? own, AskMark? mark, Func<bool> unlink,
        ref Backoff backoff, out bool isFinal)
    {
        isFinal = true;
        int number = 0;
        using UnixDescriptor? opened = own is null ? Open(path, out number) : null;
        if (number != 0)
        {
            // No object; the caller's own look says so.
            if (number is Errno.ENXIO or Errno.EISDIR || number == Errno.ELOOP) return new UseResult(UseAnswer.InUse);
            isFinal = number != Errno.EAGAIN; // a lease
            return number == Errno.ENOENT ? new UseResult(UseAnswer.Gone) : UseResult.CannotTell("open", number);
        }

        if (opened is not null && mark is not null) NoUseMark.Set(opened);
        UnixDescriptor file = own ?? opened!;
        while (Libc.flock((int)file.DangerousGetHandle(), Flags.LOCK_EX | Flags.LOCK_NB) != 0)
        {
            number = Marshal.GetLastPInvokeError();
            if (number == Errno.EINTR) continue;
            if (number != Errno.EAGAIN) break; // where there are no such locks, some rounds have to do
            isFinal = false;
            return UseResult.CannotTell("flock", number);
        }

        bool isLocked = number == 0;
        try
        {
            if (isLocked) mark?.Ask();
            number = Libc.Status(file, out FileStatus status);
            if (number != 0) return UseResult.CannotTell("statx", number);
            if (!status.IsRegularFile) return new UseResult(UseAnswer.InUse); // no object, as above
            if (identity is { } expected && expected != status.Identity) return new UseResult(UseAnswer.Gone);
            number = TakeLease(file, mark, ref backoff, out bool isAnother, out bool isClosing);
            if (number == Errno.EAGAIN && (isAnother || isClosing))
            {
                // Not with the object's lock held: a child may take its time.
                isFinal = !isClosing || (backoff.Elapsed >= NoUseMark.s_patience && backoff.Pauses >= MostPausesDue);
                return UseResult.CannotTell(AskMark.Call, number);
            }

            isFinal = number != Errno.EAGAIN || (mark is not null && isLocked);
            if (number == Errno.EAGAIN) return new UseResult(UseAnswer.InUse);
            if (number != 0) return UseResult.CannotTell("fcntl(F_SETLEASE)", number);
            try
            {
                // Users of this library may have let go of a lock for a moment: see SteppingAside.
                if (!isSegment && status.Size == Layout.SizeOfSemT)
                {
                    if (HolderSlots.LookAside(file) is not { } isAnyAside)
                        return UseResult.CannotTell("mmap", Errno.ENOMEM);
                    if (isAnyAside) return new UseResult(UseAnswer.InUse);
                }

                number = Libc.Status(path, followLink: false, out FileStatus named);
                // Not told is not gone
                if (number is not (0 or Errno.ENOENT)) return UseResult.CannotTell("statx", number);
                if (number == 0 && named.Identity == status.Identity) unlink();
                return new UseResult(UseAnswer.Gone);
            }
            finally
            {
                Libc.DropLease(file);
            }
        }
        finally
        {
            // Before closing: see FileLock.
            if (isLocked) _ = Libc.flock((int)file.DangerousGetHandle(), Flags.LOCK_UN);
        }
    }

    /// <summary>Takes a lease, once those are gone that have the file open only to ask or to look.</summary>
    /// <param name="file">The file.</param>
    /// <param name="mark">This one's.</param>
    /// <param name="backoff">How long.</param>
    /// <param name="isAnother">Whether another one asks or looks, so that the answer means nothing.</param>
    /// <param name="isClosing">Whether somebody who has let go of it has it open still
    /// (<see cref="NoUseMark"/>).</param>
    /// <returns>0, or the error number.</returns>
    private static int TakeLease(
        UnixDescriptor file, AskMark? mark, ref Backoff backoff, out bool isAnother, out bool isClosing)
    {
        for (int unmarked = 0; ;)
        {
            isClosing = false;
            isAnother = mark?.IsAnotherThere == true;
            int number = Libc.TakeLease(file);
            if (number != Errno.EAGAIN || mark is null) return number;
            isAnother |= mark.IsAnotherThere;
            isClosing = !isAnother && NoUseMark.IsThere(file);
            if (isClosing) return number;
            if (isAnother)
            {
                if (!backoff.Pause()) return number;
                continue;
            }

            // Race: a child executes its program after the lease was refused and before its mark was looked for; the
            // kernel drops the mark first, then what it counts. Safe but for a child that is cut off in between for
            // longer than these looks: what has no mark is asked about again, and others may run meanwhile.
            if (++unmarked == LooksWithoutMark) return number;
            _ = Thread.Yield();
        }
    }

    private static UnixDescriptor Open(string path, out int number)
    {
        foreach (int access in (ReadOnlySpan<int>)[Flags.O_RDWR, Flags.O_RDONLY])
        {
            int flags = access | Flags.O_CLOEXEC | Flags.O_NOFOLLOW | Flags.O_NONBLOCK;
            var opened = new UnixDescriptor(Libc.open(path, flags, 0));
            number = opened.IsInvalid ? Marshal.GetLastPInvokeError() : 0;
            if (number != Errno.EACCES || access == Flags.O_RDONLY) return opened;
            opened.Dispose();
        }

        throw new System.Diagnostics.UnreachableException();
    }

    private static string PathOf(in NativeIpcKey key, bool isSegment)
    {
        string name = PosixNames.Native(key);
        return isSegment ? PosixNames.SegmentFile(name) : PosixNames.SemaphoreFile(name);
    }

    /// <summary>For <see cref="SharedMemoryOptions.Reclaim"/>: removes what nobody uses, before it is looked at as if
    /// there had been nothing.</summary>
    /// <exception cref="NativeIpcException">The system cannot tell: PermissionDenied for who may not ask, LockError
    /// when another process keeps a lock on the object.</exception>
    internal static void Reclaim(
        string attempt, in NativeIpcKey key, bool isSegment, in NativeIpcKey lockKey, TimeSpan bound)
    {
        UseResult result = RemoveIfUnused(key, isSegment, lockKey, identity: null, own: null, bound);
        if (result.Answer != UseAnswer.CannotTell) return;
        throw Refuse(attempt, key, PathOf(key, isSegment), result, ", or do without Reclaim.");
    }

    /// <summary>The failure of a call that has to know whether somebody uses an object.</summary>
    internal static NativeIpcException Refuse(
        string attempt, in NativeIpcKey key, string path, in UseResult result, string otherwise)
    {
        NativeIpcError error = result.Number is Errno.EACCES or Errno.EPERM ? NativeIpcError.PermissionDenied
            : result.Number == Errno.EAGAIN ? NativeIpcError.LockError
            : UnixErrors.Explain(result.Call, result.Number).Error;
        string remedy = $"It is not known to be unused: {result.Reason(path)}. {result.Remedy(path)}{otherwise}";
        return Failure.Of(error, attempt, key, result.Call, result.Number, remedy);
    }

    /// <summary>Lets go of an object for <see cref="RemovalPolicy.LastOneOut"/>. Nothing can be thrown where this runs:
    /// what the system cannot tell is logged.</summary>
    internal static void LetGo(in NativeIpcKey key, bool isSegment, in NativeIpcKey lockKey, FileIdentity identity,
        UnixDescriptor? own, TimeSpan bound)
    {
        try
        {
            UseResult result = RemoveIfUnused(key, isSegment, lockKey, identity, own, bound);
            if (result.Answer != UseAnswer.CannotTell) return;
            string said =
                $"{result.Call} says \"{Marshal.GetPInvokeErrorMessage(result.Number)}\" (error {result.Number})";
            NativeIpcEventSource.s_log.NotRemoved(
                $"{Failure.Describe(key)} was not removed: {result.Reason(PathOf(key, isSegment))}: {said}");
        }
        catch (NativeIpcException failure)
        {
            NativeIpcEventSource.s_log.NotRemoved(failure.Message);
        }
    }

    /// <summary>At the end of the process: makes a descriptor mean another file, as long and without bytes, so that the
    /// kernel does not count this process among the users of the object while it still ends.</summary>
    /// <returns>Whether that could be done.</returns>
    internal static bool TryReplace(UnixDescriptor file, long size)
    {
        const uint mode = 0x180; // 0600
        using var other = new UnixDescriptor(
            Libc.open(PosixNames.Folder, Flags.O_TMPFILE | Flags.O_RDWR | Flags.O_CLOEXEC, mode));
        if (other.IsInvalid) return false;
        bool isReferenced = false;
        try
        {
            file.DangerousAddRef(ref isReferenced);
            int opened = (int)other.DangerousGetHandle();
            return Libc.ftruncate(opened, size) == 0
                && Libc.dup3(opened, (int)file.DangerousGetHandle(), Flags.O_CLOEXEC) >= 0;
        }
        catch (ObjectDisposedException)
        {
            return true; // it is closed
        }
        finally
        {
            if (isReferenced) file.DangerousRelease();
        }
    }

    /// <summary>Refuses an object of another user than this one and root, who may have planted it.</summary>
    /// <param name="attempt">What for.</param>
    /// <param name="key">The key.</param>
    /// <param name="isSegment">A segment, or a semaphore.</param>
    /// <param name="status">Of the very descriptor that is mapped then.</param>
    /// <param name="trusted">One more user that may own it; for the lock of a segment, the segment's owner.</param>
    internal static void CheckOwner(string attempt, in NativeIpcKey key, bool isSegment, in FileStatus status,
        uint? trusted = null)
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
/// <remarks>Dispose and exit may come together: the gate lets one through. Threads may still use the memory: it is
/// replaced by an empty private page in one call, never taken away under them.</remarks>
internal sealed class PosixLastOut(NativeIpcKey key, bool isSegment, NativeIpcKey lockKey, FileIdentity identity,
    TimeSpan bound, nint address, long size, UnixDescriptor? file, Action? comeBack = null) : ExitDuty
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
            if (Mapping.Replace(address, size))
            {
                if (file is not null) NoUseMark.Set(file);
                UnixDescriptor? own = file is null || PosixUsers.TryReplace(file, size) ? null : file;
                PosixUsers.LetGo(key, isSegment, lockKey, identity, own, bound);
            }
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
