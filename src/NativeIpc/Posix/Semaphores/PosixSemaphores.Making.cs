using System.Runtime.InteropServices;
using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Lifetime;
using NativeIpc.Linux;
using NativeIpc.Platform;
using NativeIpc.Posix.Names;
using NativeIpc.Posix.Words;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.Posix.Semaphores;

/// <content>Making a semaphore: without a name first, by sem_open(3), or under its name.</content>
internal sealed partial class PosixSemaphores
{
    private static readonly WholePublishing s_whole = new();

    /// <summary>Makes a semaphore; null when the name is taken.</summary>
    /// <remarks>By three ways, each for where the one before is refused; only the last refusal is reported.</remarks>
    private static MappedSemaphore? TryCreate(in NativeIpcKey key, int initialCount, in SemaphoreUse use)
    {
        SizeLimits.CheckFile(Creating, key, Layout.SizeOfSemT);
        bool isRefused = false;
        if (s_whole.IsOn)
        {
            MappedSemaphore? made = MakeWhole(key, initialCount, use, out int failure);
            if (made is not null) s_whole.Worked();
            if (failure == 0 || failure == Errno.EEXIST) return made;
            isRefused = failure is Errno.EACCES or Errno.EPERM;
            if (!isRefused) s_whole.TurnOff();
        }

        // musl's sem_open would make other words.
        int number = Errno.EACCES;
        int count = CountAtFirst(initialCount, use);
        MappedSemaphore? plain = PosixNames.IsOfGlibc(key) ? null : MakeBySemOpen(key, count, use, out number);
        if (number is Errno.EACCES or Errno.EPERM && PosixNames.s_areFiles)
            plain = MakeUnderItsName(key, count, use);
        else if (number != 0 && number != Errno.EEXIST) throw PosixErrors.Create(Creating, key, "sem_open", number);
        if (isRefused && plain is not null) s_whole.WasRefused();
        return HeldIfAsked(plain, initialCount, use);
    }

    /// <summary>Makes it without a name and gives it one when it is complete. <paramref name="number"/>: 0; EEXIST when
    /// the name is taken; or why it cannot be made in this way, with nothing left behind.</summary>
    private static unsafe MappedSemaphore? MakeWhole(in NativeIpcKey key, int initialCount, in SemaphoreUse use,
        out int number)
    {
        int unnamed = PosixNames.OpenUnnamed(use.Mode);
        number = unnamed == -1 ? Marshal.GetLastPInvokeError() : 0;
        if (number != 0)
            return WholePublishing.Of(number, PublishingCall.Open) != WholePublishing.Verdict.Failed
                ? null : throw PosixErrors.Create(Creating, key, "open", number);
        bool isKept = false;
        try
        {
            SemaphoreFile.Write(Creating, key, CountAtFirst(initialCount, use), unnamed);
            FileIdentity identity = Dress(key, use, unnamed);
            if (use.IsRecorded) RemovalRecord.Write(unnamed);
            bool isLock = use.Recovery != LockRecovery.None;
            nint page = SemaphoreFile.MapPage(Creating, key, unnamed, isLock ? FirstTouch.Now : FirstTouch.Later);

            // A lock has its slot before any peer can know it: what fails about that leaves nothing behind.
            MappedSemaphore? made = isLock ? Own(key, page, unnamed, identity, Origin.Made, use, out isKept) : null;
            if (made is HeldSemaphore held && initialCount == 0) held.TakeAtFirst();
            if (use.SharesMaximum) SharedMaximum.Write(page, use.Maximum);
            var path = new Utf8Path(PosixNames.Start(IpcObjectKind.SystemSemaphore), PosixNames.Bare(key));
            number = UnnamedFile.Link(unnamed, path.Pointer);
            if (number != 0)
            {
                if (made is not null) made.Dispose();
                else _ = Libc.munmap(page, Layout.SizeOfSemT);
                bool isOver = number != Errno.EEXIST
                    && WholePublishing.Of(number, PublishingCall.Link) == WholePublishing.Verdict.Failed;
                return isOver ? throw PosixErrors.Create(Creating, key, "linkat", number) : null;
            }

            try
            {
                return WithDuty(made ?? Own(key, page, unnamed, identity, Origin.Made, use, out isKept), use);
            }
            catch
            {
                TakeBack(key, identity);
                throw;
            }
        }
        finally
        {
            if (!isKept) _ = Libc.close(unnamed);
        }
    }

    /// <summary>What is written for a new one: a lock that begins held is taken once its holder has a slot.</summary>
    private static int CountAtFirst(int initialCount, in SemaphoreUse use)
        => use.Recovery == LockRecovery.None ? initialCount : 1;

    /// <summary>Takes a lock that is to begin held, where others may know it already.</summary>
    /// <exception cref="NativeIpcException">LockError: one of them took it.</exception>
    private static MappedSemaphore? HeldIfAsked(MappedSemaphore? made, int initialCount, in SemaphoreUse use)
    {
        if (made is null || use.Recovery == LockRecovery.None || initialCount != 0 || made.TryAcquire()) return made;
        NativeIpcKey key = made.Key;
        made.Dispose();
        throw Failure.Found(NativeIpcError.LockError, Creating, key, "sem_open",
            "another process took it at the moment when it was made", "Try again.");
    }

    /// <summary>Has the C library make it, which on Linux takes a temporary name beside the final one.</summary>
    private static MappedSemaphore? MakeBySemOpen(in NativeIpcKey key, int initialCount, in SemaphoreUse use,
        out int number)
    {
        nint opened;
        do
        {
            opened = Libc.sem_open(PosixNames.Native(key), Flags.O_CREAT | Flags.O_EXCL, (uint)use.Mode,
                (uint)initialCount);
            number = opened == Libc.SEM_FAILED ? Marshal.GetLastPInvokeError() : 0;
        }
        while (number == Errno.EINTR);

        if (number != 0) return null;
        var handle = PosixSemaphoreHandle.Opened(opened);
        FileIdentity identity;
        try
        {
            identity = PosixNames.s_areFiles ? DressByName(key, opened, use.Mode) : default;
        }
        catch
        {
            handle.Close();
            throw;
        }

        PosixSemaphore plain = Plain(key, handle, identity, Origin.Made, use.Maximum);
        if (use.SharesMaximum) SharedMaximum.Write(opened, use.Maximum);
        if (!use.KeepsFile) return WithDuty(plain, use);

        // Files, but no O_TMPFILE or /proc to make them whole with: opened anew for its descriptor.
        using (plain)
        {
            try
            {
                return TryOpen(key, use, out _, made: identity);
            }
            catch
            {
                TakeBack(key, identity);
                throw;
            }
        }
    }

    /// <summary>Sets the exact mode of what sem_open has made: the umask has cut it, and there is no descriptor to set
    /// it on. It is set by name, once that is known to lead to what was made. When that fails, nothing is
    /// left.</summary>
    /// <remarks>R1 Race: another process of this user removes the name and makes a semaphore under it. Safe because:
    /// before the look, that one is told apart and stays as it is; between the look and chmod, it gets the mode and is
    /// not removed, since the identity is that of what was made.</remarks>
    /// <returns>The file; all zero where that cannot be told, and then nobody removes it.</returns>
    internal static FileIdentity DressByName(in NativeIpcKey key, nint opened, UnixFileMode mode)
    {
        int number = PosixNames.StatusOf(key, IpcObjectKind.SystemSemaphore, out FileStatus named);
        string call = "statx";
        FileIdentity made;
        if (number != 0) made = ProcessMaps.MappedAt(opened);
        else if (IsNamed(key, opened, named, out made, out number))
        {
            if (!RealIds.MayBeThisUser(named.Uid) || (UnixFileMode)named.Permissions == mode) return made;
            call = "chmod";
            number = Libc.chmod(PosixNames.SemaphoreFile(PosixNames.Native(key)), (uint)mode) == 0
                ? 0 : Marshal.GetLastPInvokeError();
        }
        else
        {
            // The mode of another semaphore is its maker's business; one that cannot be told apart has to be right.
            if (made != default || (UnixFileMode)named.Permissions == mode) return made;
            call = "sem_open";
        }

        // Removed meanwhile: what gets the name from now on is another semaphore.
        if (number is 0 or Errno.ENOENT) return made;
        TakeBack(key, made);
        throw PosixErrors.Unknown(Creating, key, call, number);
    }

    /// <summary>Whether the name leads to what sem_open has made, without a guess. <paramref name="named"/>: the file
    /// that had the name before. <paramref name="made"/>: what sem_open has made; all zero where that cannot be told.
    /// <paramref name="number"/>: 0, or why the C library could not tell.</summary>
    /// <remarks> To open a semaphore again that this process has open gives the same address (sem_open(3)): the C
    /// library compares inodes, and one that is mapped here is no other file's. A name that has lost its file never
    /// leads to it again, so it led there at the look before, too. That needs no /proc, and no device number of maps,
    /// which btrfs and overlayfs tell otherwise than stat(2). Where the file may not be opened (umask), maps has to
    /// tell. </remarks>
    private static bool IsNamed(in NativeIpcKey key, nint opened, in FileStatus named, out FileIdentity made,
        out int number)
    {
        number = 0;
        if (named.IsRegularFile)
        {
            nint again = Libc.sem_open_existing(PosixNames.Native(key), 0);
            if (again == Libc.SEM_FAILED) number = Marshal.GetLastPInvokeError();
            else _ = Libc.sem_close(again);
            made = named.Identity;
            if (again == opened) return true;
        }

        made = ProcessMaps.MappedAt(opened);
        return number != 0 && made == named.Identity;
    }

    /// <summary>
    /// Removes the name of what was just made and could not be opened, unless another file has it by now. A file that
    /// could not be told stays, and the event says so.
    /// </summary>
    private static void TakeBack(in NativeIpcKey key, FileIdentity identity)
    {
        var removal = new PosixRemoval(key, IpcObjectKind.SystemSemaphore, lockKey: default, identity,
            TimeSpan.FromSeconds(1));
        removal.Perform();
    }

    /// <summary>
    /// Makes it under its final name, where no other name may be made and no file without one: in strict snaps, say,
    /// AppArmor allows names that begin with the snap's. Null when the name is taken.
    /// </summary>
    /// <remarks>
    /// <para>For a moment the file has the name and no bytes, which come in one write under the file lock, when mode
    /// and group are right. R2 Race: another process of this library meets it then. Safe because: it takes a file
    /// without bytes for a half-made semaphore and waits for the bytes; if the maker died, a creating call of the same
    /// user completes it in place after PeerTimeout, under the file lock and after another look; a maker that was only
    /// slow finds bytes when it has the lock, and opens what is there.</para>
    /// <para>R3 Race: a C program opens it then. Not safe: glibc maps what has no bytes, and its first operation ends
    /// it. Hence this way is the last.</para>
    /// </remarks>
    private static unsafe MappedSemaphore? MakeUnderItsName(in NativeIpcKey key, int initialCount, in SemaphoreUse use)
    {
        var path = new Utf8Path(PosixNames.Start(IpcObjectKind.SystemSemaphore), PosixNames.Bare(key));
        int file;
        int number;
        do
        {
            file = Libc.open_utf8(path.Pointer,
                Flags.O_RDWR | Flags.O_CREAT | Flags.O_EXCL | Flags.O_CLOEXEC | Flags.O_NOFOLLOW,
                (uint)use.Mode);
            number = file == -1 ? Marshal.GetLastPInvokeError() : 0;
        }
        while (number == Errno.EINTR);

        if (number == Errno.EEXIST) return null;
        if (number != 0) throw PosixErrors.Create(Creating, key, "open", number);
        return CompleteOrTakeBack(key, initialCount, use, file, HalfMade.ByThisCall);
    }

    /// <summary>Completes a semaphore whose maker has died under its name; null when that is not so any more.</summary>
    private static MappedSemaphore? Recover(in NativeIpcKey key, int initialCount, in SemaphoreUse use)
    {
        int file = SemaphoreFile.Open(key, Flags.O_RDWR | Flags.O_CLOEXEC, use.Bound, out int number);
        if (number == Errno.ENOENT) return null;
        return number == 0 ? CompleteOrTakeBack(key, initialCount, use, file, HalfMade.BeforeThisCall)
            : throw PosixErrors.Create(Creating, key, "open", number);
    }

    private enum HalfMade { ByThisCall, BeforeThisCall }

    /// <summary>The same as <see cref="Complete"/>; what it began and could not end leaves no name.</summary>
    private static MappedSemaphore? CompleteOrTakeBack(in NativeIpcKey key, int initialCount, in SemaphoreUse use,
        int file, HalfMade made)
    {
        FileIdentity? own = null;
        try
        {
            return Complete(key, initialCount, use, file, made, out own);
        }
        catch
        {
            // Null when a recoverer has completed it meanwhile.
            if (own is { } identity) TakeBack(key, identity);
            throw;
        }
    }

    /// <summary>
    /// Whether a file may be a semaphore in the making, or one whose maker died: nothing of it is there yet. An
    /// untrusted user's is neither.
    /// </summary>
    private static bool IsHalfMade(in FileStatus status, in SemaphoreUse use)
        => status is { IsRegularFile: true, Size: 0 }
            && (use.Owners == OwnerTrust.Anyone || RealIds.IsThisUser(status.Uid));

    /// <summary>
    /// How long to wait for one in the making. None is for the caller that has the segment's file lock, under which
    /// alone the lock of a segment is made.
    /// </summary>
    private static Backoff WaitFor(in SemaphoreUse use) => new(use.Segment is null ? use.Bound : TimeSpan.Zero);

    /// <summary>Completes a file that has the name and no bytes, and is its creator then; null when another process has
    /// done that, or it has lost its name. Takes over the descriptor. <paramref name="made"/>: made by this very call,
    /// it is certainly this user's. <paramref name="own"/>: the file, as soon as this call is the one that completes
    /// it; also when it fails then.</summary>
    private static MappedSemaphore? Complete(in NativeIpcKey key, int initialCount, in SemaphoreUse use, int file,
        HalfMade made, out FileIdentity? own)
    {
        own = null;
        FileLock held = default;
        nint page = Libc.MAP_FAILED;
        bool isKept = false;
        try
        {
            int number = FileLock.Take(file, use.Bound, out held);
            if (number != 0)
                throw Failure.Of(NativeIpcError.LockError, Creating, key, "flock", number,
                    "Another process is making or removing it; try again.");
            number = Libc.Status(file, out FileStatus status);
            if (number != 0) throw PosixErrors.Unknown(Creating, key, "statx", number);
            if (status.Size != 0 || SemaphoreFile.StatusOfName(key)?.Identity != status.Identity) return null;
            if (made == HalfMade.BeforeThisCall && !RealIds.IsThisUser(status.Uid))
            {
                throw Failure.Found(NativeIpcError.AlreadyExists, Creating, key, "open",
                    $"a half-created semaphore of user {RealIds.Users.Describe(status.Uid)} has this name, and only "
                        + $"its owner's processes recover it", "Let that user remove it, or use another name.");
            }

            own = status.Identity;
            FileIdentity identity = Dress(key, use, file);
            Record(use, file);
            page = SemaphoreFile.MapPage(Creating, key, file, FirstTouch.Later);
            if (use.SharesMaximum) SharedMaximum.Write(page, use.Maximum);
            SemaphoreFile.Write(Creating, key, initialCount, file); // the last step, after which peers use it
            nint mapped = page;
            page = Libc.MAP_FAILED;
            held.Dispose();
            held = default;
            return WithDuty(Own(key, mapped, file, identity, Origin.Made, use, out isKept), use);
        }
        finally
        {
            held.Dispose();
            if (page != Libc.MAP_FAILED) _ = Libc.munmap(page, Layout.SizeOfSemT);
            if (!isKept) _ = Libc.close(file);
        }
    }

    /// <summary>Records that this process has to remove a semaphore, or takes such a record away.</summary>
    private static void Record(in SemaphoreUse use, int file)
    {
        if (use.IsRecorded) RemovalRecord.Write(file);
        else RemovalRecord.Erase(file);
    }

    /// <summary>The same for a semaphore that was taken over, if its name still leads to it.</summary>
    private static void RecordTakenOver(in NativeIpcKey key, in SemaphoreUse use, FileIdentity identity)
    {
        if (!PosixNames.s_areFiles) return;
        using UnixDescriptor file = Libc.OpenToLook(PosixNames.SemaphoreFile(PosixNames.Native(key)), out int number);
        if (number == 0 && Libc.Status(file, out FileStatus status) == 0 && status.Identity == identity)
            Record(use, (int)file.DangerousGetHandle());
    }

    /// <summary>Owner, group and mode.</summary>
    private static FileIdentity Dress(in NativeIpcKey key, in SemaphoreUse use, int file)
    {
        if (use.Group is { } group && Libc.fchown(file, uint.MaxValue, UserGroups.Resolve(group)) != 0)
            throw PosixErrors.Group(Creating, key, group, Marshal.GetLastPInvokeError());
        int number = Libc.Status(file, out FileStatus status);
        if (number != 0) throw PosixErrors.Unknown(Creating, key, "statx", number);

        // Root gives the lock to the segment's owner. A process that may not give it to the segment's group leaves it
        // in its own; the mode then decides who may open it.
        if (use.Segment?.Status is { } segment && (segment.Uid != status.Uid || segment.Gid != status.Gid))
        {
            bool isRoot = Libc.geteuid() == 0;
            uint uid = isRoot && RealIds.Users.IsReal(segment.Uid) ? segment.Uid : uint.MaxValue;
            uint gid = RealIds.Groups.IsReal(segment.Gid) ? segment.Gid : uint.MaxValue;
            if (Libc.fchown(file, uid, gid) != 0 && isRoot)
                throw PosixErrors.Unknown(Creating, key, "fchown", Marshal.GetLastPInvokeError());
        }

        // The umask may have cut the mode.
        if ((UnixFileMode)status.Permissions != use.Mode && Libc.fchmod(file, (uint)use.Mode) != 0)
            throw PosixErrors.Unknown(Creating, key, "fchmod", Marshal.GetLastPInvokeError());
        return status.Identity;
    }
}
