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
    /// <remarks>
    /// Three ways, each for where the one before is refused; only the last one's refusal is reported.
    /// </remarks>
    private static MappedSemaphore? TryCreate(in NativeIpcKey key, int initialCount, in Use use)
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

        // musl's would have another word.
        int number = Errno.EACCES;
        MappedSemaphore? plain = !Libraries.IsGlibc && PosixNames.HasGlibcWord(key)
            ? null : MakeBySemOpen(key, initialCount, use, out number);
        if (number is Errno.EACCES or Errno.EPERM && PosixNames.s_areFiles)
            plain = MakeUnderItsName(key, initialCount, use);
        else if (number != 0 && number != Errno.EEXIST) throw PosixErrors.Create(Creating, key, "sem_open", number);
        if (isRefused && plain is not null) s_whole.WasRefused();
        return plain;
    }

    /// <summary>Makes it without a name and gives it one when it is complete.</summary>
    /// <param name="key">The key.</param>
    /// <param name="initialCount">The count.</param>
    /// <param name="use">How it is used.</param>
    /// <param name="number">0; EEXIST when the name is taken; or why it cannot be made in this way, with nothing left
    /// behind.</param>
    private static unsafe MappedSemaphore? MakeWhole(in NativeIpcKey key, int initialCount, in Use use, out int number)
    {
        int unnamed = Libc.open(PosixNames.Folder, Flags.O_TMPFILE | Flags.O_RDWR | Flags.O_CLOEXEC, use.Mode);
        number = unnamed == -1 ? Marshal.GetLastPInvokeError() : 0;
        if (number != 0)
            return WholePublishing.Of(number, isLink: false) != WholePublishing.Verdict.Failed
                ? null : throw PosixErrors.Create(Creating, key, "open", number);
        bool isKept = false;
        try
        {
            Write(key, initialCount, unnamed);
            FileIdentity identity = Dress(key, use, unnamed);
            if (IsRecorded(use)) RemovalRecord.Write(unnamed);
            nint page = MapPage(Creating, key, unnamed, isTouched: use.IsHeld);

            // A lock has its slot before anybody can know it: what fails about that leaves nothing behind.
            MappedSemaphore? made =
                use.IsHeld ? Own(key, page, unnamed, identity, createdNew: true, use, out isKept) : null;
            var path = new Utf8Path(PosixNames.Start(false), PosixNames.Bare(key));
            number = UnnamedFile.Link(unnamed, path.Pointer);
            if (number != 0)
            {
                if (made is not null) made.Dispose();
                else _ = Libc.munmap(page, Layout.SizeOfSemT);
                bool isOver = number != Errno.EEXIST
                    && WholePublishing.Of(number, isLink: true) == WholePublishing.Verdict.Failed;
                return isOver ? throw PosixErrors.Create(Creating, key, "linkat", number) : null;
            }

            try
            {
                return WithDuty(made ?? Own(key, page, unnamed, identity, createdNew: true, use, out isKept), use);
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

    /// <summary>Has the C library make it, which on Linux takes a temporary name beside the final one.</summary>
    private static MappedSemaphore? MakeBySemOpen(in NativeIpcKey key, int initialCount, in Use use, out int number)
    {
        nint opened;
        do
        {
            opened = Libc.sem_open(PosixNames.Native(key), Flags.O_CREAT | Flags.O_EXCL, use.Mode, (uint)initialCount);
            number = opened == Libc.SEM_FAILED ? Marshal.GetLastPInvokeError() : 0;
        }
        while (number == Errno.EINTR);

        if (number != 0) return null;

        var plainHandle = new PosixSemaphoreHandle(opened, isMapping: false);
        FileIdentity identity;
        try
        {
            identity = PosixNames.s_areFiles ? DressByName(key, opened, use.Mode) : default;
        }
        catch
        {
            plainHandle.Release();
            throw;
        }

        PosixSemaphore plain = Plain(key, plainHandle, identity, createdNew: true, use);
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
    /// <remarks>Race: another process of this user removes the name and makes a semaphore under it. Before the look:
    /// that one is told apart, and stays as it is. Between the look and chmod: it gets the mode, and is not removed,
    /// since the identity is that of what was made.</remarks>
    /// <param name="key">The key.</param>
    /// <param name="opened">What sem_open gave.</param>
    /// <param name="mode">The mode.</param>
    /// <returns>The file; all zero where that cannot be told, and then nobody removes it.</returns>
    internal static FileIdentity DressByName(in NativeIpcKey key, nint opened, uint mode)
    {
        int number = PosixNames.StatusOf(key, isSegment: false, out FileStatus named);
        string call = "statx";
        FileIdentity made;
        if (number != 0) made = ProcessMaps.MappedAt(opened);
        else if (IsNamed(key, opened, named, out made, out number))
        {
            if (!RealIds.MayBeThisUser(named.Uid) || named.Permissions == mode) return made;
            call = "chmod";
            number = Libc.chmod(PosixNames.SemaphoreFile(PosixNames.Native(key)), mode) == 0
                ? 0 : Marshal.GetLastPInvokeError();
        }
        else
        {
            // Another one's mode is none of this call's business; one that cannot be told from it has to be right.
            if (made != default || named.Permissions == mode) return made;
            call = "sem_open";
        }

        // Removed meanwhile: what gets the name from now on is another one.
        if (number is 0 or Errno.ENOENT) return made;
        TakeBack(key, made);
        throw PosixErrors.Unknown(Creating, key, call, number);
    }

    /// <summary>Whether the name leads to what sem_open has made, without a guess.</summary>
    /// <remarks>
    /// Whoever opens what this process has open under the name gets the same address (sem_open(3)): the C library
    /// compares inodes, and one that is mapped here is no other file's. A name that has lost its file never leads to it
    /// again, so it led there at the look before, too. That needs no /proc, and no device number of maps, which btrfs
    /// and overlayfs tell otherwise than stat(2). Where the file may not be opened (umask), maps has to tell.
    /// </remarks>
    /// <param name="key">The key.</param>
    /// <param name="opened">What sem_open gave.</param>
    /// <param name="named">The file that had the name before.</param>
    /// <param name="made">What sem_open has made; all zero where that cannot be told.</param>
    /// <param name="number">0, or why the C library could not tell.</param>
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
    /// Removes the name of what was just made and could not be opened; not that of another one which has it by now. A
    /// file that could not be told stays, and the event says so.
    /// </summary>
    private static void TakeBack(in NativeIpcKey key, FileIdentity identity)
        => new PosixRemoval(key, isSegment: false, lockKey: default, identity, TimeSpan.FromSeconds(1)).Perform();

    /// <summary>
    /// Makes it under its final name, where no other name may be made and no file without one: in strict snaps, say,
    /// AppArmor allows names that begin with the snap's. Null when the name is taken.
    /// </summary>
    /// <remarks>
    /// For a moment the file has the name and no bytes. Peers of ours take a file without bytes for a half-made
    /// semaphore: they wait for it. Its bytes come in one write, under the file lock, when mode and group are
    /// right. Interleavings: (1) two make it: O_EXCL lets one win, and the other waits for the bytes. (2) The maker
    /// dies before the write: a creating call of the same user
    /// finds no bytes for as long as PeerTimeout, takes the file lock, looks again, and completes it in place. (3) The
    /// maker was only slow: it finds bytes when it has the lock, and opens
    /// what is there, as if it had come second. (4) It loses its name in between: whoever has the lock sees that, and
    /// starts again. (5) A C program opens it in that moment: glibc
    /// maps what has no bytes, and its first operation ends it: hence this way is the last.
    /// </remarks>
    private static unsafe MappedSemaphore? MakeUnderItsName(in NativeIpcKey key, int initialCount, in Use use)
    {
        var path = new Utf8Path(PosixNames.Start(false), PosixNames.Bare(key));
        int file;
        int number;
        do
        {
            file = Libc.open_utf8(path.Pointer,
                Flags.O_RDWR | Flags.O_CREAT | Flags.O_EXCL | Flags.O_CLOEXEC | Flags.O_NOFOLLOW, use.Mode);
            number = file == -1 ? Marshal.GetLastPInvokeError() : 0;
        }
        while (number == Errno.EINTR);

        if (number == Errno.EEXIST) return null;
        if (number != 0) throw PosixErrors.Create(Creating, key, "open", number);
        return CompleteOrTakeBack(key, initialCount, use, file, isMade: true);
    }

    /// <summary>Completes a semaphore whose maker has died under its name; null when that is not so any more.</summary>
    private static MappedSemaphore? Recover(in NativeIpcKey key, int initialCount, in Use use)
    {
        int file = OpenFile(key, Flags.O_RDWR | Flags.O_CLOEXEC, use.Bound, out int number);
        if (number == Errno.ENOENT) return null;
        return number == 0 ? CompleteOrTakeBack(key, initialCount, use, file, isMade: false)
            : throw PosixErrors.Create(Creating, key, "open", number);
    }

    /// <summary>The same as <see cref="Complete"/>; what it began and could not end leaves no name.</summary>
    private static MappedSemaphore? CompleteOrTakeBack(in NativeIpcKey key, int initialCount, in Use use, int file,
        bool isMade)
    {
        FileIdentity? own = null;
        try
        {
            return Complete(key, initialCount, use, file, isMade, out own);
        }
        catch
        {
            // Not what a recoverer has completed meanwhile.
            if (own is { } identity) TakeBack(key, identity);
            throw;
        }
    }

    /// <summary>
    /// Whether a file may be a semaphore in the making, or one whose maker died: nothing of it is there yet. A
    /// stranger's is none of ours.
    /// </summary>
    private static bool IsHalfMade(in FileStatus status, in Use use)
        => status is { IsRegularFile: true, Size: 0 } && (use.TrustsOthers || RealIds.IsThisUser(status.Uid));

    /// <summary>
    /// How long one in the making is waited for. The lock of a segment is made under the segment's file lock: nobody
    /// is making one who has that.
    /// </summary>
    private static Backoff WaitFor(in Use use) => new(use.Segment is null ? use.Bound : TimeSpan.Zero);

    /// <summary>
    /// Completes a file that has the name and no bytes, and is its creator then; null when somebody else has done
    /// that, or it has lost its name. Takes over the descriptor.
    /// </summary>
    /// <param name="key">The key.</param>
    /// <param name="initialCount">The count.</param>
    /// <param name="use">How it is used.</param>
    /// <param name="file">The descriptor.</param>
    /// <param name="isMade">Whether this very call has made it, so that nobody has to ask whose it is.</param>
    /// <param name="own">The file, as soon as this call is the one that completes it; also when it fails then.</param>
    private static MappedSemaphore? Complete(in NativeIpcKey key, int initialCount, in Use use, int file, bool isMade,
        out FileIdentity? own)
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
            if (status.Size != 0 || StatusOfName(key) is not { } named || named.Identity != status.Identity)
                return null;
            if (!isMade && !RealIds.IsThisUser(status.Uid))
            {
                throw Failure.Found(NativeIpcError.AlreadyExists, Creating, key, "open",
                    $"a half-created semaphore of user {RealIds.Users.Describe(status.Uid)} has this name, and only "
                        + $"its "
                        + "owner's processes recover it", "Let that user remove it, or use another name.");
            }

            own = status.Identity;
            FileIdentity identity = Dress(key, use, file);
            Record(use, file);
            page = MapPage(Creating, key, file, isTouched: false);
            Write(key, initialCount, file); // the last step, after which peers use it
            nint mapped = page;
            page = Libc.MAP_FAILED;
            held.Dispose();
            held = default;
            return WithDuty(Own(key, mapped, file, identity, createdNew: true, use, out isKept), use);
        }
        finally
        {
            held.Dispose();
            if (page != Libc.MAP_FAILED) _ = Libc.munmap(page, Layout.SizeOfSemT);
            if (!isKept) _ = Libc.close(file);
        }
    }

    /// <summary>Writes what an initialised semaphore is, in one call.</summary>
    private static unsafe void Write(in NativeIpcKey key, int initialCount, int file)
    {
        // Initialised in private memory and written, as the C library does it: that costs less than a page fault, and
        // a full /dev/shm is an error and no SIGBUS.
        ulong* image = stackalloc ulong[Layout.SizeOfSemT / sizeof(ulong)];
        if (!Libraries.IsGlibc && PosixNames.HasGlibcWord(key))
            GlibcSemaphore.Initialize(new Span<byte>(image, Layout.SizeOfSemT), initialCount);
        else if (Libc.sem_init((nint)image, 1, (uint)initialCount) != 0)
            throw PosixErrors.Unknown(Creating, key, "sem_init", Marshal.GetLastPInvokeError());
        nint written;
        do written = Libc.pwrite(file, (byte*)image, Layout.SizeOfSemT, 0);
        while (written == -1 && Marshal.GetLastPInvokeError() == Errno.EINTR);
        if (written != Layout.SizeOfSemT)
            throw PosixErrors.Reserve(Creating, key, "pwrite",
                written == -1 ? Marshal.GetLastPInvokeError() : Errno.ENOSPC);
    }

    // The lock of a segment is removed with it, if it is.
    private static bool IsRecorded(in Use use) => use.Removal != RemovalPolicy.Keep || use.Segment is not null;

    /// <summary>Records that this process has to remove a semaphore; what keeps it takes such a record away.</summary>
    private static void Record(in Use use, int file)
    {
        if (IsRecorded(use)) RemovalRecord.Write(file);
        else RemovalRecord.Erase(file);
    }

    /// <summary>The same for a semaphore that was taken over, if its name still leads to it.</summary>
    private static void RecordTakenOver(in NativeIpcKey key, in Use use, FileIdentity identity)
    {
        if (!PosixNames.s_areFiles) return;
        using UnixDescriptor file = Libc.OpenToLook(PosixNames.SemaphoreFile(PosixNames.Native(key)), out int number);
        if (number == 0 && Libc.Status(file, out FileStatus status) == 0 && status.Identity == identity)
            Record(use, (int)file.DangerousGetHandle());
    }

    /// <summary>Owner, group and mode.</summary>
    private static FileIdentity Dress(in NativeIpcKey key, in Use use, int file)
    {
        if (use.Group is { } group && Libc.fchown(file, uint.MaxValue, UserGroups.Resolve(group)) != 0)
            throw PosixErrors.Group(Creating, key, group, Marshal.GetLastPInvokeError());
        int number = Libc.Status(file, out FileStatus status);
        if (number != 0) throw PosixErrors.Unknown(Creating, key, "statx", number);

        // Root gives the lock to the segment's owner. A visitor who may not give it to the segment's group leaves it
        // in its own: who is let in then is a matter of the mode.
        if (use.Segment?.Status is { } segment && (segment.Uid != status.Uid || segment.Gid != status.Gid))
        {
            bool isRoot = Libc.geteuid() == 0;
            uint uid = isRoot && RealIds.Users.IsReal(segment.Uid) ? segment.Uid : uint.MaxValue;
            uint gid = RealIds.Groups.IsReal(segment.Gid) ? segment.Gid : uint.MaxValue;
            if (Libc.fchown(file, uid, gid) != 0 && isRoot)
                throw PosixErrors.Unknown(Creating, key, "fchown", Marshal.GetLastPInvokeError());
        }

        // The umask has cut the mode, or has not.
        if (status.Permissions != use.Mode && Libc.fchmod(file, use.Mode) != 0)
            throw PosixErrors.Unknown(Creating, key, "fchmod", Marshal.GetLastPInvokeError());
        return status.Identity;
    }
}
