using System.Runtime.InteropServices;
using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Lifetime;
using NativeIpc.Linux;
using NativeIpc.Platform;
using NativeIpc.Posix.Names;

namespace NativeIpc.Posix.Segments;

/// <content>Making a segment: complete before it has a name, or under its name.</content>
internal sealed partial class PosixSharedMemory
{
    private const long HugePage = 2 << 20; // x64 and arm64; elsewhere only speed depends on it

    private static readonly WholePublishing s_whole = new();

    /// <summary>Makes a segment and gives it the name; null when the name is taken.</summary>
    private static PosixSegment? Publish(in NativeIpcKey key, long size, SharedMemoryOptions options)
    {
        CheckSize(key, size, options);
        if (!s_whole.IsOn) return PublishThenSize(key, size, options);
        int unnamed = PosixNames.OpenUnnamed(options.Mode);
        int number = unnamed == -1 ? Marshal.GetLastPInvokeError() : 0;
        if (number == 0)
        {
            PosixSegment? made = PublishWhole(key, size, options, unnamed, out number);
            if (number == 0 || number == Errno.EEXIST) return made;
        }
        else if (WholePublishing.Of(number, PublishingCall.Open) == WholePublishing.Verdict.Failed)
        {
            throw PosixErrors.Create(Creating, key, "open", number);
        }

        bool isRefused = number is Errno.EACCES or Errno.EPERM;
        if (!isRefused) s_whole.TurnOff();
        PosixSegment? plain = PublishThenSize(key, size, options);
        if (isRefused && plain is not null) s_whole.WasRefused();
        return plain;
    }

    /// <summary>Completes the file and gives it the name. <paramref name="descriptor"/>: the file without a name; taken
    /// over. <paramref name="number"/>: 0; EEXIST when the name is taken; or why it can get no name in this way, with
    /// nothing left behind.</summary>
    private static unsafe PosixSegment? PublishWhole(in NativeIpcKey key, long size, SharedMemoryOptions options,
        int descriptor, out int number)
    {
        nint address = Libc.MAP_FAILED;
        FileStatus status;
        try
        {
            bool byPages = options.Allocation == SharedMemoryAllocation.Populate && size >= HugePage;
            SharedMemoryAllocation allocation = byPages ? SharedMemoryAllocation.Sparse : options.Allocation;
            status = Prepare(key, descriptor, size, options, allocation, FileName.None);
            address = Map(Creating, key, descriptor, size, SharedMemoryAccess.ReadWrite, allocation);
            if (byPages) Fill(key, descriptor, address, size);

            // The last step: whatever fails before it leaves nothing behind.
            var path = new Utf8Path(PosixNames.Start(IpcObjectKind.SharedMemory), PosixNames.Bare(key));
            number = UnnamedFile.Link(descriptor, path.Pointer);
            if (number is not (0 or Errno.EEXIST)
                && WholePublishing.Of(number, PublishingCall.Link) == WholePublishing.Verdict.Failed)
                throw PosixErrors.Create(Creating, key, "linkat", number);
        }
        catch
        {
            Undo(descriptor, address, size);
            throw;
        }

        if (number != 0)
        {
            Undo(descriptor, address, size);
            return null;
        }

        s_whole.Worked();
        return PosixSegment.Own(key, address, status, SharedMemoryAccess.ReadWrite, Origin.Made,
            descriptor, options);
    }

    private static PosixSegment? PublishThenSize(in NativeIpcKey key, long size, SharedMemoryOptions options)
    {
        string name = PosixNames.Native(key);
        int number;
        int descriptor;
        do
        {
            descriptor = Libc.shm_open(name, Flags.O_RDWR | Flags.O_CREAT | Flags.O_EXCL, (uint)options.Mode);
            number = descriptor == -1 ? Marshal.GetLastPInvokeError() : 0;
        }
        while (number == Errno.EINTR);

        if (number == Errno.EEXIST) return null;
        if (number != 0) throw PosixErrors.Create(Creating, key, "shm_open", number);
        FileIdentity identity;
        try
        {
            identity = StatusOf(key, descriptor).Identity;
        }
        catch (NativeIpcException failure)
        {
            // What it is must be known before its name is removed, which may lead to another segment by now.
            if (Libc.Status(descriptor, out FileStatus made) == 0)
            {
                RemovalOf(key, made.Identity, options).Perform(descriptor);
            }
            else
            {
                string what = $"{Failure.Describe(key)} was half made and stays: {failure.Message}";
                NativeIpcEventSource.s_log.NotRemoved(what);
            }

            _ = Libc.close(descriptor);
            throw;
        }

        try
        {
            // R3 Race: a recoverer takes this process for dead and comes first. Safe because: Recover finds a size
            // under the file lock and gives null; the other process is the creator then.
            return Recover(key, size, options, descriptor, HalfMade.ByThisCall);
        }
        catch
        {
            RemovalOf(key, identity, options).Perform();
            throw;
        }
    }

    private static PosixRemoval RemovalOf(in NativeIpcKey key, FileIdentity identity, SharedMemoryOptions options)
        => new(key, IpcObjectKind.SharedMemory, lockKey: default, identity, options.PeerTimeout);

    private enum HalfMade { ByThisCall, BeforeThisCall }

    /// <summary>Gives a size to a segment that has none, and is its creator then; null when another process has done
    /// that, or it has lost its name. Takes over the descriptor. <paramref name="made"/>: made by this very call, it is
    /// certainly this user's.</summary>
    private static PosixSegment? Recover(in NativeIpcKey key, long size, SharedMemoryOptions options, int descriptor,
        HalfMade made)
    {
        nint address = Libc.MAP_FAILED;
        FileLock held = default;
        FileStatus status;
        bool isCreator = false;
        try
        {
            int error = FileLock.Take(descriptor, options.PeerTimeout, out held);
            if (error != 0 && error != Errno.EAGAIN) throw PosixErrors.Unknown(Creating, key, "flock", error);
            if (error != 0)
                throw Failure.Of(NativeIpcError.LockError, Creating, key, "flock", error,
                    "Another process is making or removing it; try again.");
            status = StatusOf(key, descriptor);
            if (status.Size > 0 || !LeadsTo(key, status)) return null;
            if (made == HalfMade.BeforeThisCall) CheckRecoverable(key, size, options, status);
            try
            {
                status = Prepare(key, descriptor, size, options, options.Allocation, FileName.Given);
            }
            catch (NativeIpcException failure)
                when (Target.IsApple && failure is { Operation: "ftruncate", NativeErrorCode: Errno.EINVAL }
                    && StatusOf(key, descriptor).Size > 0)
            {
                return null; // Apple sizes a segment once: another recoverer did
            }

            address = Map(Creating, key, descriptor, size, SharedMemoryAccess.ReadWrite, options.Allocation);
            isCreator = true;
        }
        finally
        {
            held.Dispose();
            if (!isCreator) Undo(descriptor, address, size);
        }

        return PosixSegment.Own(key, address, status, SharedMemoryAccess.ReadWrite, Origin.Made,
            descriptor, options);
    }

    private static void CheckRecoverable(in NativeIpcKey key, long size, SharedMemoryOptions options,
        in FileStatus status)
    {
        CheckSize(key, size, options);
        if (!PosixNames.s_areFiles || RealIds.IsThisUser(status.Uid)) return;
        throw Failure.Found(NativeIpcError.AlreadyExists, Creating, key, "shm_open",
            $"a half-created segment of user {RealIds.Users.Describe(status.Uid)} has this name, and only "
                + $"its owner's processes recover it", "Let that user remove it, or use another name.");
    }

    /// <summary>Refuses a size at which the kernel would end this process.</summary>
    private static void CheckSize(in NativeIpcKey key, long size, SharedMemoryOptions options)
    {
        SizeLimits.CheckFile(Creating, key, size);
        if (SizeLimits.FindTooMuchMemory(Creating, key, size, options.Allocation) is { } failure) throw failure;
    }

    private static bool LeadsTo(in NativeIpcKey key, in FileStatus status)
        => !PosixNames.s_areFiles
            || (PosixNames.StatusOf(key, IpcObjectKind.SharedMemory, out FileStatus named) == 0
                && named.Identity == status.Identity);

    /// <summary>Whether peers can know a file.</summary>
    private enum FileName { None, Given }

    /// <summary>Sets the exact mode, and the size: reserved, unless it is to be sparse. Tells what the file is
    /// then.</summary>
    private static FileStatus Prepare(in NativeIpcKey key, int descriptor, long size, SharedMemoryOptions options,
        SharedMemoryAllocation allocation, FileName name)
    {
        if (options.Group is { } group && Libc.fchown(descriptor, uint.MaxValue, UserGroups.Resolve(group)) != 0)
            throw PosixErrors.Group(Creating, key, group, Marshal.GetLastPInvokeError());

        // The mode first: it must be right before a peer can open a segment that has a size. On Apple the umask does
        // not cut it.
        FileStatus status = StatusOf(key, descriptor);
        if (!Target.IsApple && (UnixFileMode)status.Permissions != options.Mode
            && Libc.fchmod(descriptor, (uint)options.Mode) != 0)
            throw PosixErrors.Unknown(Creating, key, "fchmod", Marshal.GetLastPInvokeError());

        if (options.Removal != RemovalPolicy.Keep) RemovalRecord.Write(descriptor);
        else if (name == FileName.Given) RemovalRecord.Erase(descriptor);
        if (allocation == SharedMemoryAllocation.Sparse || !OperatingSystem.IsLinux()) Truncate(key, descriptor, size);
        else Reserve(key, descriptor, size, name);
        return PosixNames.s_areFiles ? status with { Mode = (status.Mode & Flags.S_IFMT) | (uint)options.Mode,
            Size = size } : StatusOf(key, descriptor);
    }

    private static void Truncate(in NativeIpcKey key, int descriptor, long size)
    {
        while (Libc.ftruncate(descriptor, size) != 0)
        {
            if (Marshal.GetLastPInvokeError() is var number && number != Errno.EINTR)
                throw PosixErrors.Resize(Creating, key, "ftruncate", number, size);
        }
    }

    private static void Reserve(in NativeIpcKey key, int descriptor, long size, FileName name)
    {
        int number;
        do
        {
            number = Libc.posix_fallocate(descriptor, 0, size);
        }
        while (number == Errno.EINTR);

        if (number is Errno.EPERM || number == Errno.ENOSYS || number == Errno.EOPNOTSUPP)
            ReserveByTouching(key, descriptor, size, name, number);
        else if (number != 0) throw PosixErrors.Resize(Creating, key, "posix_fallocate", number, size);
    }

    /// <summary>
    /// Where posix_fallocate is refused: has the kernel take the pages as if they were written to, which changes none
    /// of them and is an error, and no signal, when there is no room.
    /// </summary>
    /// <remarks>Before Linux 5.14 the kernel cannot do that. Then zeros are written into a file without a name. One
    /// that has its name may have users as soon as it has a size: it stays unreserved, and an event says so, since the
    /// first touch of a page ends the process when /dev/shm is full.</remarks>
    private static void ReserveByTouching(in NativeIpcKey key, int descriptor, long size, FileName name, int refusal)
    {
        Truncate(key, descriptor, size);
        nint address = Libc.mmap(0, (nuint)size, Flags.PROT_READ | Flags.PROT_WRITE, Flags.MAP_SHARED, descriptor, 0);
        if (address == Libc.MAP_FAILED) throw PosixErrors.Map(Creating, key, Marshal.GetLastPInvokeError(), size);
        int number = Libc.madvise(address, (nuint)size, Flags.MADV_POPULATE_WRITE) == 0
            ? 0 : Marshal.GetLastPInvokeError();
        _ = Libc.munmap(address, (nuint)size);
        if (number == 0) return;
        if (number is not (Errno.EINVAL or Errno.EPERM) && number != Errno.ENOSYS)
        {
            // EFAULT: what would be a SIGBUS, madvise(2)
            throw PosixErrors.Resize(Creating, key, "madvise", number == Errno.EFAULT ? Errno.ENOSPC : number, size);
        }

        if (name == FileName.None)
        {
            WriteZeros(key, descriptor, size);
            return;
        }

        NativeIpcEventSource.s_log.NotReserved(
            $"the segment {Failure.Describe(key)} is as with Sparse, since posix_fallocate says "
                + $"\"{Marshal.GetPInvokeErrorMessage(refusal)}\" (error {refusal}): should /dev/shm become full, "
                + $"the first touch of a page ends the process");
    }

    private static unsafe void WriteZeros(in NativeIpcKey key, int descriptor, long size)
    {
        const int mostAtOnce = 1 << 16;
        var zeros = new byte[(int)Math.Min(size, mostAtOnce)];
        fixed (byte* from = zeros)
        {
            for (long at = 0; at < size;)
            {
                nint written = Libc.pwrite(descriptor, from, (nuint)Math.Min(size - at, zeros.Length), at);
                if (written > 0) at += written;
                else if (written == 0 || Marshal.GetLastPInvokeError() != Errno.EINTR)
                    throw PosixErrors.Resize(Creating, key, "pwrite",
                        written == 0 ? Errno.ENOSPC : Marshal.GetLastPInvokeError(), size);
            }
        }
    }

    /// <summary>
    /// Takes the pages of a large file without a name by writing to them through its mapping: only so they become huge
    /// ones on a /dev/shm that is mounted with huge=advise, which makes this 40 times faster. What fails about it
    /// (/dev/shm is full; Linux before 5.14), posix_fallocate says, or makes good.
    /// </summary>
    private static void Fill(in NativeIpcKey key, int descriptor, nint address, long size)
    {
        _ = Libc.madvise(address, (nuint)size, Flags.MADV_HUGEPAGE); // fails where the kernel has none
        if (Libc.madvise(address, (nuint)size, Flags.MADV_POPULATE_WRITE) == 0) return;
        Reserve(key, descriptor, size, FileName.None);
    }

    private static FileStatus StatusOf(in NativeIpcKey key, int descriptor)
    {
        int error = Libc.Status(descriptor, out FileStatus status);
        return error == 0 ? status : throw PosixErrors.Unknown(Creating, key, "statx", error);
    }

    private static void Undo(int descriptor, nint address, long size)
    {
        if (address != Libc.MAP_FAILED) _ = Libc.munmap(address, (nuint)size);
        _ = Libc.close(descriptor);
    }
}
