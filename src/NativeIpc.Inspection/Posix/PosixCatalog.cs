using System.Runtime.InteropServices;
using NativeIpc.Errors;
using NativeIpc.Inspection.Looks;
using NativeIpc.Interop.Unix;
using NativeIpc.Linux;
using NativeIpc.Platform;
using NativeIpc.Posix.Names;
using NativeIpc.Posix.Permits;
using NativeIpc.Posix.Semaphores;
using NativeIpc.Posix.Users;

namespace NativeIpc.Inspection.Posix;

/// <summary>The POSIX objects of the machine: on Linux the files of <c>/dev/shm</c>, looked at by name.</summary>
internal sealed class PosixCatalog : IObjectCatalog
{
    private const string Removing = "remove the object";

    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(1); // no options come with a listed object

    public bool Handles(NativeIpcKeyType type) => type == NativeIpcKeyType.PosixRealtime;

    public bool IsOfThisSystem => !OperatingSystem.IsWindows();

    public string? WhyNotListed()
        => OperatingSystem.IsWindows() ? "Windows has no POSIX objects."
            : !OperatingSystem.IsLinux()
                ? "POSIX objects cannot be listed on this system: it keeps no list of their names. Objects whose key "
                    + "is known can be opened."
            : Libc.Status(PosixNames.Folder, followLink: true, out FileStatus folder) != 0 || !folder.IsDirectory
                ? $"POSIX objects are files of {PosixNames.Folder}, and there is no such folder."
            : null;

    // R1 Race: a name is removed, or leads to another file, between reading the folder and looking at it. Safe because:
    // the last look decides; without a file it is left out.
    public void AddTo(Census census)
    {
        using var looker = new PosixLook(census);
        if (census.Only is { } key)
        {
            string path = PosixNames.FileOf(key, census.Options.Kind ?? IpcObjectKind.SharedMemory);
            if (looker.Look(path[(PosixNames.Folder.Length + 1)..], census.Options.Kind) is { } one) census.Add(one);
            return;
        }

        HashSet<string> names = new(Libc.NamesIn(PosixNames.Folder, out int error) ?? []);
        if (error != 0) census.Note($"{PosixNames.Folder} cannot be read: {Marshal.GetPInvokeErrorMessage(error)}",
            $"'ls -ld {PosixNames.Folder}' and 'findmnt {PosixNames.Folder}' say why.");

        looker.Names = names;
        foreach (string name in names)
        {
            if (looker.Look(name, null) is { } found) census.Add(found);
        }

        if (census.Options.Wants(IpcObjectKind.SharedMemory)) new PosixSubfolders(census, looker).AddTo(looker.Folders);
        foreach (IpcObjectInfo gone in looker.Gone()) census.Add(gone);
    }

    private static string PathOf(IpcObjectInfo found) => $"{PosixNames.Folder}/{found.FileName}";

    /// <summary>Whether it is in a folder of its own. Nothing is removed there: another user may own the folder, and
    /// put a link in its place at any time.</summary>
    private static bool IsBelow(IpcObjectInfo found) => (found.Traits & IpcObjectTraits.InSubfolder) != 0;

    private const string Below = $"it is a file in a folder of {PosixNames.Folder}, to which no key leads";
    private const string HowBelow =
        "It goes with the program that has made the folder, or as any file does: by rm(1), once nobody uses it.";

    public Removal AskUse(IpcObjectInfo found) => IfUnused(found, removes: false);

    public Removal RemoveUnused(IpcObjectInfo found) => IfUnused(found, removes: true);

    private static Removal IfUnused(IpcObjectInfo found, bool removes)
    {
        if (IsBelow(found))
            return new Removal(IpcRemovalOutcome.CannotTell,
                $"{Failure.Printable(PathOf(found))} is not removed here, since {Below}. {HowBelow}");
        if ((found.Traits & IpcObjectTraits.Removed) != 0) return new Removal(IpcRemovalOutcome.Gone);
        string path = PathOf(found);
        int number = Libc.Status(path, followLink: false, out FileStatus there);
        UseResult result = UseResult.CannotTell("statx", number);
        bool isRemoved = false;
        if (number == 0 || number == Errno.ENOENT)
        {
            if (number != 0 || !PosixLook.Is(found, there.Identity))
                return new Removal(IpcRemovalOutcome.Gone);
            result = PosixUsers.RemoveIfUnused(new(path, found.Kind, there.Identity, Own: null,
                () => isRemoved = !removes || Unlink(Removing, found, path)), s_bound);
        }

        if (isRemoved) return new Removal(IpcRemovalOutcome.Removed);
        if (result.Answer == UseAnswer.Gone) return new Removal(IpcRemovalOutcome.Gone);
        if (result.Answer == UseAnswer.InUse) return new Removal(IpcRemovalOutcome.InUse);
        if (!MayRemove(there)) throw NotOurs(found, there);
        const string otherwise = ", or remove it whoever uses it (Remove).";
        NativeIpcException failure = PosixUsers.Refuse(Removing, found.NamingKey, path, result, otherwise);
        if (failure.Error == NativeIpcError.OutOfResources) throw failure;
        string reason = $"{Failure.Describe(found.NamingKey)} is not known to be unused: {result.Reason(path)}.";
        return new Removal(IpcRemovalOutcome.CannotTell, reason, failure);
    }

    /// <summary>Whether the kernel would let this user remove a file of the folder: with the sticky bit, only the owner
    /// of the file, the owner of the folder and root may.</summary>
    private static bool MayRemove(in FileStatus file)
    {
        return Libc.geteuid() == 0 || RealIds.MayBeThisUser(file.Uid)
            || Libc.Status(PosixNames.Folder, followLink: true, out FileStatus folder) != 0
            || !PosixFolder.Has(folder, UnixFileMode.StickyBit) || RealIds.MayBeThisUser(folder.Uid);
    }

    private static NativeIpcException NotOurs(IpcObjectInfo found, in FileStatus file)
        => Failure.Found(NativeIpcError.PermissionDenied, Removing, found.NamingKey, "owner check",
            $"it belongs to user {RealIds.Users.Describe(file.Uid)}, and {PosixNames.Folder} has the sticky bit",
            "Let its owner or root remove it.", Errno.EPERM);

    public bool Remove(IpcObjectInfo found)
    {
        if (IsBelow(found))
            throw Failure.Found(NativeIpcError.KeyError, Removing, found.NamingKey, "unlink", Below, HowBelow);
        string path = PathOf(found);
        if ((found.Traits & IpcObjectTraits.Removed) != 0) return false;
        bool isThere = Libc.Status(path, followLink: false, out FileStatus there) == 0;
        if (!isThere || !PosixLook.Is(found, there.Identity)) return false;

        // Processes of this library size and remove under the lock of the file itself. A file that cannot be locked is
        // compared all the same.
        int flags = Flags.O_RDONLY | Flags.O_CLOEXEC | Flags.O_NOFOLLOW | Flags.O_NONBLOCK;
        using var file = new UnixDescriptor(Libc.open(path, flags, 0));
        FileLock makers = default;
        if (!file.IsInvalid) _ = FileLock.Take((int)file.DangerousGetHandle(), s_bound, out makers);
        using (makers)
        {
            bool isSame = Libc.Status(path, followLink: false, out FileStatus named) == 0
                && named.Identity == there.Identity;
            if (!isSame) return false;
            return Unlink(Removing, found, path);
        }
    }

    public bool IsStill(IpcObjectInfo found)
        => Libc.Status(PathOf(found), followLink: false, out FileStatus named) == 0
            && PosixLook.Is(found, named.Identity);

    private static bool Unlink(string attempt, IpcObjectInfo found, string path)
    {
        if (Libc.unlink(path) == 0) return true;
        int number = Marshal.GetLastPInvokeError();
        return number == Errno.ENOENT ? false : throw PosixErrors.Unlink(attempt, found.NamingKey, "unlink", number);
    }

    public int ReturnLostPermits(IpcObjectInfo found)
    {
        const string attempt = "give back lost permits of the semaphore";
        using AskMark? mark = AskMark.TryBegin(PathOf(found));
        using var file = new UnixDescriptor(
            Libc.open(PathOf(found), Flags.O_RDWR | Flags.O_CLOEXEC | Flags.O_NOFOLLOW | Flags.O_NONBLOCK, 0));
        int number = file.IsInvalid ? Marshal.GetLastPInvokeError()
            : Libc.Status(file, out FileStatus status) is var failed && failed != 0 ? failed
            : PosixLook.Is(found, status.Identity)
                && status.Size == Layout.SizeOfSemT ? 0 : Errno.ENOENT;
        if (number == Errno.ENOENT) return 0;
        if (number != 0) throw PosixErrors.Open(attempt, found.NamingKey, "open", number);
        if (DeadHolder.GiveBack(found.NamingKey, file)) return 1; // then it is a lock, whose permits are not recorded
        return PermitRecords.IsOffered ? PosixSemaphores.ReturnLostPermits(found.NamingKey, file) : 0;
    }

    public unsafe int Read(IpcObjectInfo found, long offset, Span<byte> destination)
    {
        const string attempt = "read the segment";
        string path = PathOf(found);
        if ((found.Traits & IpcObjectTraits.Removed) != 0)
            throw Failure.Found(NativeIpcError.NotFound, attempt, found.NamingKey, "open", "it has no name any more",
                "Its users have it still.");
        using AskMark? mark = AskMark.TryBegin(path);
        using UnixDescriptor file = Libc.OpenToLook(path, out int error);
        if (error != 0) throw PosixErrors.Open(attempt, found.NamingKey, "open", error);
        if (Libc.Status(file, out FileStatus status) != 0
            || !PosixLook.Is(found, status.Identity))
            throw Failure.Found(NativeIpcError.NotFound, attempt, found.NamingKey, "open",
                "another object has taken its name", "Look again.");
        fixed (byte* to = destination)
        {
            int done = 0;
            while (done < destination.Length)
            {
                nint read = Libc.pread((int)file.DangerousGetHandle(), to + done, (nuint)(destination.Length - done),
                    offset + done);
                int number = read < 0 ? Marshal.GetLastPInvokeError() : 0;
                if (read == 0) break;
                if (number == Errno.EINTR) continue;
                if (number != 0) throw PosixErrors.Unknown(attempt, found.NamingKey, "pread", number);
                done += (int)read;
            }

            return done;
        }
    }

    public void Diagnose(Diagnosis diagnosis) => PosixDiagnosis.Examine(diagnosis);

    public IEnumerable<IpcLimit> Limits() => PosixDiagnosis.Limits();
}
