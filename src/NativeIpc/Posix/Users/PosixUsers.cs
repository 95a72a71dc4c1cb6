using System.Diagnostics;
using System.Runtime.InteropServices;
using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Linux;
using NativeIpc.Platform;
using NativeIpc.Posix.Names;
using NativeIpc.Posix.Words;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.Posix.Users;

/// <summary>Tells whether any process uses a POSIX object, and removes what none uses: the kernel says whether a file
/// is open or mapped anywhere else. Linux only.</summary>
/// <remarks>
/// To ask is to have the file open for a moment, so processes that ask at once look like users to each other. They say
/// so (<see cref="AskMark"/>), and the file lock of the object itself (<see cref="FileLock"/>) lets them ask one after
/// the other. Only a process that may open the object can take that lock; it can keep it, as it can keep the object
/// open: then, after the caller's bound, the answer is that it cannot be told. Where a process dies, the kernel drops
/// lease, locks and descriptors, and the name stays for the next one that asks.
/// </remarks>
internal static class PosixUsers
{
    // How often to ask again without marks: another process that asks may be cut off with the file open.
    private const int MostRounds = 10;

    // How often to ask about a user that says nothing of itself: see TakeLease.
    private const int LooksWithoutMark = 3;

    // How often to see a user after another process had the object's lock.
    internal const int LooksAfterLock = 20;

    // Of about a millisecond each.
    private const int MostPausesDue = 300;

    // How long to let another process finish its question.
    private static readonly TimeSpan s_patience = TimeSpan.FromMilliseconds(200);

    // A process that asks has the object's lock for some system calls.
    private const int RoundsBeforeLookingAtLocks = 4;

    /// <summary>What each look at a file of a path showed; set by tests.</summary>
    internal static Action<string, UseResult>? Looked { get; set; }

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
    /// language, user or namespace. <paramref name="lockKey"/>: the key of the segment's lock; invalid for none.
    /// <paramref name="identity"/>: the file that it must be; null for whatever has the name. <paramref name="own"/>:
    /// the only descriptor of this process, if it has one left; the file is not mapped here any more. <paramref
    /// name="bound"/>: how long to wait for another process that has the object's file lock.</summary>
    private static UseResult RemoveIfUnused(in NativeIpcKey key, IpcObjectKind kind, in NativeIpcKey lockKey,
        FileIdentity? identity, UnixDescriptor? own, TimeSpan bound)
    {
        NativeIpcKey named = key, itsLock = lockKey;
        return RemoveIfUnused(new(PosixNames.FileOf(key, kind), kind, identity, own,
            () => PosixRemoval.UnlinkBoth(named, kind, itsLock)), bound);
    }

    /// <summary>Removes a file of the folder, if no process has it open or mapped. <paramref name="bound"/>: how long
    /// to wait for another process that has the object's file lock.</summary>
    internal static UseResult RemoveIfUnused(in UseQuestion question, TimeSpan bound)
    {
        string path = question.Path;
        using AskMark? mark = AskMark.TryBegin(path);

        // On a machine where this thread hardly comes to look, those that it waits for hardly come on.
        int fewestPauses = bound < TimeSpan.Zero ? 0 : (int)Math.Min(bound.TotalMilliseconds / 2, MostPausesDue);
        var backoff = new Backoff(bound, fewestPauses: fewestPauses);
        long begun = Stopwatch.GetTimestamp();
        int looksAfterLock = 0;
        for (int round = 0; ; round++)
        {
            if (round > 0) mark?.Begin(path);

            // R1 Race: two last users close together; each has closed what it had before it asks. Safe because: A has
            // the object's lock; B, which has opened the file, does not get it, closes, and comes again; A waits until
            // B has closed, and B until A has, which A does after it gave the lock back. So the last one to ask finds
            // nobody, or a user. One that stops while it asks, or only says that it asks, is waited for, and no longer
            // than s_patience (longer in a crowd, where those that come again and again would seldom leave A alone): if
            // the kernel then says that the file is open, it cannot be told where.
            if (mark?.IsAnotherAsking == true && backoff.IsWithinCrowd(s_patience))
            {
                mark.End();
                if (backoff.PauseInCrowd()) continue;
                mark.Begin(path);
            }

            UseResult result = Ask(question, mark, ref backoff, out bool isFinal);
            mark?.End(); // the file is closed
            Looked?.Invoke(path, result);

            // R4 Race: the process that had the object's lock closes the file. The kernel takes the lock first, and
            // counts that process as a user for a moment longer.
            // Safe because: after such a lock was met, a user is believed only when it was seen several times.
            bool isDoubted = result.Answer == UseAnswer.InUse && looksAfterLock > 0;
            if (result.Call == "flock") looksAfterLock = LooksAfterLock;
            else if (isDoubted)
            {
                looksAfterLock--;
                isFinal = false;
            }

            if (isFinal) return result;
            if (result.Answer == UseAnswer.InUse && !isDoubted && round >= MostRounds && backoff.Elapsed >= s_patience)
                return result;

            // Who asks does a few system calls. On a loaded machine its first question, for which its code is compiled,
            // takes seconds.
            bool isLast = !(mark?.IsAnotherAsking == true ? backoff.PauseInCrowd() : backoff.Pause());
            if ((isLast || round >= RoundsBeforeLookingAtLocks) && result.Call == "flock"
                && HasSharedLock(path, isLast ? LockTable.OfProcess.Now() : LockTable.OfProcess.After(begun)))
                return new UseResult(UseAnswer.InUse);
            if (isLast) return result;
        }
    }

    /// <summary>Whether another process is seen to have a shared lock of an object, as .NET's FileStream takes: this
    /// library never takes one to ask, so that process uses the file.</summary>
    private static bool HasSharedLock(string path, LockTable.Reading? locks)
        => locks is not null && Libc.Status(path, followLink: false, out FileStatus status) == 0
            && FileLockHolder.IsShared(locks.Lines, status.Identity);

    /// <summary>Asks once. <paramref name="isFinal"/>: to ask again cannot bring another answer.</summary>
    private static UseResult Ask(in UseQuestion question, AskMark? mark, ref Backoff backoff, out bool isFinal)
    {
        isFinal = true;
        int number = 0;
        using UnixDescriptor? opened = question.Own is null ? Open(question.Path, out number) : null;
        if (number != 0)
        {
            // No object: the caller's own look says so.
            if (number is Errno.ENXIO or Errno.EISDIR || number == Errno.ELOOP) return new UseResult(UseAnswer.InUse);
            isFinal = number != Errno.EAGAIN; // a lease
            return number == Errno.ENOENT ? new UseResult(UseAnswer.Gone) : UseResult.CannotTell("open", number);
        }

        if (opened is not null && mark is not null) NoUseMark.Set(opened);
        UnixDescriptor file = question.Own ?? opened!;
        while (Libc.flock((int)file.DangerousGetHandle(), Flags.LOCK_EX | Flags.LOCK_NB) != 0)
        {
            number = Marshal.GetLastPInvokeError();
            if (number == Errno.EINTR) continue;
            if (number != Errno.EAGAIN) break; // no such locks here: some rounds have to do
            isFinal = false;
            return UseResult.CannotTell("flock", number);
        }

        bool isLocked = number == 0;
        try
        {
            if (isLocked) mark?.Ask();
            return AskLease(question, file, mark, ref backoff, ref isFinal, isLocked);
        }
        finally
        {
            // Before closing: see FileLock.
            if (isLocked) _ = Libc.flock((int)file.DangerousGetHandle(), Flags.LOCK_UN);
        }
    }

    /// <summary>Asks the kernel, with the file's lock in hand where there are such locks.</summary>
    private static UseResult AskLease(in UseQuestion question, UnixDescriptor file, AskMark? mark, ref Backoff backoff,
        ref bool isFinal, bool isLocked)
    {
        int number = Libc.Status(file, out FileStatus status);
        if (number != 0) return UseResult.CannotTell("statx", number);
        if (!status.IsRegularFile) return new UseResult(UseAnswer.InUse); // no object, as above
        if (question.Identity is { } expected && expected != status.Identity) return new UseResult(UseAnswer.Gone);
        number = TakeLease(file, mark, ref backoff, out OtherUse other);
        if (number == Errno.EAGAIN && other != OtherUse.Unmarked)
        {
            // A child takes its time to execute its program: it is waited for without the object's lock.
            isFinal = other == OtherUse.Asks
                || (backoff.Pauses >= MostPausesDue && !backoff.IsWithinCrowd(NoUseMark.s_patience));
            return UseResult.CannotTell(AskMark.Call, number);
        }

        isFinal = number != Errno.EAGAIN || (mark is not null && isLocked);
        if (number == Errno.EAGAIN) return new UseResult(UseAnswer.InUse);
        if (number != 0) return UseResult.CannotTell("fcntl(F_SETLEASE)", number);
        try
        {
            // R2 Race: a process opens the file while the lease is held. Safe because: a Qt or C program waits in the
            // kernel and then has a file without a name, as after any removal; one of this library gets EAGAIN and
            // looks again. The lock of a segment goes with it: a process that makes the lock has the segment open.
            return RemoveLeased(question, file, status);
        }
        finally
        {
            Libc.DropLease(file);
        }
    }

    private static UseResult RemoveLeased(in UseQuestion question, UnixDescriptor file, in FileStatus status)
    {
        // A user of this library that has stepped aside has the file not open, and comes back to it.
        if (question.Kind == IpcObjectKind.SystemSemaphore && status.Size == Layout.SizeOfSemT)
        {
            if (HolderSlots.IsAnyAside(file) is not { } isAnyAside) return UseResult.CannotTell("mmap", Errno.ENOMEM);
            if (isAnyAside) return new UseResult(UseAnswer.InUse);
        }

        int number = Libc.Status(question.Path, followLink: false, out FileStatus named);
        if (number is not (0 or Errno.ENOENT)) return UseResult.CannotTell("statx", number); // not told is not gone
        if (number == 0 && named.Identity == status.Identity) question.Unlink();
        return new UseResult(UseAnswer.Gone);
    }

    /// <summary>What keeps a lease from being given: a user; a process that asks or looks, too, so that the refusal
    /// means nothing; or a child of one that has closed the file (<see cref="NoUseMark"/>).</summary>
    private enum OtherUse { Unmarked, Asks, IsClosing }

    /// <summary>Takes a lease, once all are gone that have the file open only to ask or to look. <paramref
    /// name="other"/>: what is in the way, where that is EAGAIN.</summary>
    /// <returns>0, or the error number.</returns>
    private static int TakeLease(UnixDescriptor file, AskMark? mark, ref Backoff backoff, out OtherUse other)
    {
        for (int unmarked = 0; ;)
        {
            bool isAnother = mark?.IsAnotherThere == true;
            int number = Libc.TakeLease(file);
            other = OtherUse.Unmarked;
            if (number != Errno.EAGAIN || mark is null) return number;
            if (isAnother || mark.IsAnotherThere)
            {
                other = OtherUse.Asks;
                if (!backoff.PauseInCrowd()) return number;
                continue;
            }

            if (NoUseMark.IsThere(file))
            {
                other = OtherUse.IsClosing;
                return number;
            }

            // R3 Race: a child executes its program after the lease was refused and before its mark was looked for; the
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

    /// <summary>For <see cref="SharedMemoryOptions.Reclaim"/>: removes what nobody uses, before the creating call
    /// looks.</summary>
    /// <exception cref="NativeIpcException">The system cannot tell: PermissionDenied for a user that may not ask,
    /// LockError when another process keeps a lock on the object.</exception>
    internal static void Reclaim(
        string attempt, in NativeIpcKey key, IpcObjectKind kind, in NativeIpcKey lockKey, TimeSpan bound)
    {
        UseResult result = RemoveIfUnused(key, kind, lockKey, identity: null, own: null, bound);
        if (result.Answer != UseAnswer.CannotTell) return;
        throw Refuse(attempt, key, PosixNames.FileOf(key, kind), result, ", or do without Reclaim.");
    }

    /// <summary>Removes what nobody uses. What cannot be told counts as used, and the event says so.</summary>
    internal static UnusedAnswer RemoveLeftover(in NativeIpcKey key, IpcObjectKind kind, in NativeIpcKey lockKey,
        TimeSpan bound)
    {
        CheckOffered(key, RemovalPolicy.Default, reclaim: true);

        // As a rule there is none, and to look costs less than to ask.
        if (PosixNames.StatusOf(key, kind, out _) == Errno.ENOENT) return UnusedAnswer.Unused;
        UseResult result = RemoveIfUnused(key, kind, lockKey, identity: null, own: null, bound);
        if (result.Answer == UseAnswer.CannotTell) TellKept(key, kind, result);
        return result.Answer switch
        {
            UseAnswer.Gone => UnusedAnswer.Unused,
            UseAnswer.InUse => UnusedAnswer.InUse,
            _ => UnusedAnswer.Unknown,
        };
    }

    private static void TellKept(in NativeIpcKey key, IpcObjectKind kind, in UseResult result)
    {
        string said = $"{result.Call} says \"{Marshal.GetPInvokeErrorMessage(result.Number)}\" (error {result.Number})";
        NativeIpcEventSource.s_log.NotRemoved(
            $"{Failure.Describe(key)} was not removed: {result.Reason(PosixNames.FileOf(key, kind))}: {said}");
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

    /// <summary>Removes an object that this process has closed, if that was the last one out. Nothing can be thrown
    /// where this runs: what the system cannot tell is logged.</summary>
    internal static void RemoveIfLast(in NativeIpcKey key, IpcObjectKind kind, in NativeIpcKey lockKey,
        FileIdentity identity, UnixDescriptor? own, TimeSpan bound)
    {
        try
        {
            UseResult result = RemoveIfUnused(key, kind, lockKey, identity, own, bound);
            if (result.Answer == UseAnswer.CannotTell) TellKept(key, kind, result);
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
        const UnixFileMode mode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        using var other = new UnixDescriptor(PosixNames.OpenUnnamed(mode));
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

    /// <summary>Refuses an object of another user than this one and root, which may be planted. <paramref
    /// name="status"/>: of the very descriptor that is mapped then. <paramref name="trusted"/>: one more user that may
    /// own it; for the lock of a segment, the segment's owner.</summary>
    internal static void CheckOwner(string attempt, in NativeIpcKey key, IpcObjectKind kind, in FileStatus status,
        uint? trusted = null)
    {
        if (!PosixNames.s_areFiles || RealIds.IsTrusted(status.Uid)
            || (trusted is { } other && RealIds.Users.AreSame(status.Uid, other))) return;
        string path = PosixNames.FileOf(key, kind);
        throw Failure.Found(NativeIpcError.PermissionDenied, attempt, key, "owner check",
            $"the file {path} belongs to user {RealIds.Users.Describe(status.Uid)}, and this is user "
                + $"{Libc.geteuid()}: somebody may have planted it",
            RealIds.Users.IsReal(status.Uid)
                ? "Let its owner or root remove it, use another name, or set AllowOtherOwners where users share "
                + "objects." : RealIds.Remedy, Errno.EACCES);
    }
}
