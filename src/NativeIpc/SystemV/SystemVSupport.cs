using System.Runtime.InteropServices;
using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Platform;

namespace NativeIpc.SystemV;

/// <summary>What shmctl(IPC_STAT) tells of a segment.</summary>
internal readonly record struct SegmentStatus(long Size, long Attached, uint Mode, uint Uid, uint Gid, uint CreatorUid)
{
    /// <summary>Marked for destruction (Linux; elsewhere such a segment cannot be asked at all).</summary>
    public bool IsRemoved => (Mode & Flags.SHM_DEST) != 0;

    /// <summary>Who may do what.</summary>
    public UnixFileMode Permissions => SystemVSupport.PermissionsOf(Mode);
}

/// <summary>What semctl(IPC_STAT) tells of a set. Times are in whole seconds; the last change is not before the
/// making.</summary>
internal readonly record struct SetStatus(int Count, uint Uid, uint Gid, uint CreatorUid, long LastOperation,
    long LastChange);

/// <summary>The few calls that both kinds of System V objects need.</summary>
internal static class SystemVSupport
{
    private const UnixFileMode AllPermissions =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
        | UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute
        | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;

    /// <summary>Any key does to ask whether the calls are there.</summary>
    internal const int ProbeKey = 0x51000001;

    /// <summary>Who may do what, without the kernel's own marks in an object's mode.</summary>
    internal static UnixFileMode PermissionsOf(uint mode) => (UnixFileMode)mode & AllPermissions;

    /// <summary>Whether it may be asked at all: on Android and in an Apple sandbox the first call ends the process
    /// (SIGSYS).</summary>
    internal static bool MayCall => Environment.Is64BitProcess
        && (PlatformEnvironment.Platform is KeyPlatform.Linux or KeyPlatform.LinuxMusl
            || (PlatformEnvironment.Platform == KeyPlatform.Apple && !PlatformEnvironment.IsSandboxed));

    /// <summary>Whether a get call that may have found nothing was at least answered: ENOSYS and EPERM come from
    /// kernels and sandboxes without System V.</summary>
    internal static bool HasCalls(int probe)
        => probe != -1 || Marshal.GetLastPInvokeError() is Errno.ENOENT or Errno.EACCES or Errno.EINVAL;

    /// <summary>Why the calls are not there: what was found, without a full stop, and what to do.</summary>
    internal static (string Finding, string Remedy) WhyNotHere(string call) => (
        MayCall ? $"{call} is refused to this process: a kernel without System V objects (CONFIG_SYSVIPC), or a "
            + $"sandbox" : "this system has no System V objects for this process (Android, a sandboxed or a 32-bit "
            + "process)",
        "Use a POSIX key (NativeIpcKeyType.PosixRealtime), or allow the System V calls there (shmget, shmat, shmctl, "
            + "semget, semop, semctl).");

    /// <summary>Returns 0, or the error number.</summary>
    internal static unsafe int Status(int id, out SegmentStatus status)
    {
        byte* b = stackalloc byte[Layout.SizeOfIpcBuffer];
        int error = Libc.shmctl(id, Flags.IPC_STAT, b) == 0 ? 0 : Marshal.GetLastPInvokeError();
        status = error != 0 ? default : new SegmentStatus(
            *(long*)(b + Layout.ShmSegsz),
            Target.IsApple ? *(ushort*)(b + Layout.ShmNattch) : *(long*)(b + Layout.ShmNattch),
            Target.IsApple ? *(ushort*)(b + Layout.IpcPermMode) : *(uint*)(b + Layout.IpcPermMode),
            *(uint*)(b + Layout.IpcPermUid),
            *(uint*)(b + Layout.IpcPermUid + sizeof(uint)),
            *(uint*)(b + Layout.IpcPermCuid));
        return error;
    }

    /// <summary>Returns 0, or the error number.</summary>
    internal static unsafe int SetStatusOf(int id, out SetStatus status)
    {
        byte* b = stackalloc byte[Layout.SizeOfIpcBuffer];
        int error = Libc.semctl(id, 0, Flags.IPC_STAT, (nint)b) == 0 ? 0 : Marshal.GetLastPInvokeError();
        status = error != 0 ? default : new SetStatus(
            *(ushort*)(b + Layout.SemNsems),
            *(uint*)(b + Layout.IpcPermUid),
            *(uint*)(b + Layout.IpcPermUid + sizeof(uint)),
            *(uint*)(b + Layout.IpcPermCuid),
            *(long*)(b + Layout.SemOtime),
            *(long*)(b + Layout.SemCtime));
        return error;
    }

    /// <summary>Gives a set to another user and group; null leaves either. Returns 0, or the error number.</summary>
    internal static unsafe int GiveSet(int id, uint? uid, uint? gid)
    {
        byte* b = stackalloc byte[Layout.SizeOfIpcBuffer];
        if (Libc.semctl(id, 0, Flags.IPC_STAT, (nint)b) != 0) return Marshal.GetLastPInvokeError();
        Change(b, uid, gid);
        return Libc.semctl(id, 0, Flags.IPC_SET, (nint)b) == 0 ? 0 : Marshal.GetLastPInvokeError();
    }

    /// <summary>Gives a segment to another group. Returns 0, or the error number.</summary>
    internal static unsafe int GiveSegment(int id, uint gid)
    {
        byte* b = stackalloc byte[Layout.SizeOfIpcBuffer];
        if (Libc.shmctl(id, Flags.IPC_STAT, b) != 0) return Marshal.GetLastPInvokeError();
        Change(b, null, gid);
        return Libc.shmctl(id, Flags.IPC_SET, b) == 0 ? 0 : Marshal.GetLastPInvokeError();
    }

    private static unsafe void Change(byte* status, uint? uid, uint? gid)
    {
        if (uid is { } user) *(uint*)(status + Layout.IpcPermUid) = user;
        if (gid is { } group) *(uint*)(status + Layout.IpcPermUid + sizeof(uint)) = group;
    }

    /// <summary>
    /// Refuses an object that neither this user nor root owns and made. It is asked of the id that is then used: an id
    /// keeps its creator for ever, and only the owner can give it away.
    /// </summary>
    /// <param name="attempt">What was tried.</param>
    /// <param name="key">The key.</param>
    /// <param name="call">The call that told the owner.</param>
    /// <param name="uid">The owner.</param>
    /// <param name="creator">The user that made it.</param>
    /// <param name="alsoTrusted">For a lock: the owner of its segment.</param>
    internal static void CheckOwner(string attempt, in NativeIpcKey key, string call, uint uid, uint creator,
        uint? alsoTrusted = null)
    {
        if (IsTrusted(uid) && IsTrusted(creator)) return;
        throw Failure.Found(NativeIpcError.PermissionDenied, attempt, key, call,
            $"it belongs to user {RealIds.Users.Describe(uid)} and was made by user "
                + $"{RealIds.Users.Describe(creator)}, and this is user {Libc.geteuid()}: somebody may have planted it",
            RealIds.Users.IsReal(uid) && RealIds.Users.IsReal(creator)
                ? "Remove it, use a key in a folder of this user's own, or set AllowOtherOwners where users share "
                    + "objects." : RealIds.Remedy, Errno.EACCES);

        bool IsTrusted(uint user)
            => RealIds.IsTrusted(user) || (alsoTrusted is { } other && RealIds.Users.AreSame(user, other));
    }

    /// <summary>Whether an error number says that the object is no longer there.</summary>
    internal static bool IsGone(int number) => number == Errno.EINVAL || number == Errno.EIDRM;

    /// <summary>Whether a segment has a System V key.</summary>
    /// <exception cref="NativeIpcException">The system does not say.</exception>
    internal static bool HasSegment(string attempt, in NativeIpcKey key, int ipcKey)
    {
        if (Libc.shmget(ipcKey, 0, 0) != -1) return true;
        int number = Marshal.GetLastPInvokeError();
        return number == Errno.ENOENT ? false : throw SystemVErrors.UseSegment(attempt, key, "shmget", number);
    }

    /// <summary>Removes a segment by its id; false when it is gone already.</summary>
    internal static unsafe bool RemoveSegment(string attempt, in NativeIpcKey key, int id)
    {
        if (Libc.shmctl(id, Flags.IPC_RMID, null) == 0) return true;
        int number = Marshal.GetLastPInvokeError();
        return IsGone(number) ? false : throw SystemVErrors.Remove(attempt, key, "shmctl", number);
    }

    /// <summary>Removes a semaphore by its id; false when it is gone already.</summary>
    internal static bool RemoveSemaphore(string attempt, in NativeIpcKey key, int id)
    {
        if (Libc.semctl(id, 0, Flags.IPC_RMID) == 0) return true;
        int number = Marshal.GetLastPInvokeError();
        return IsGone(number) ? false : throw SystemVErrors.Remove(attempt, key, "semctl", number);
    }

    /// <summary>
    /// Removes a segment or a set after a failure, which the caller is to hear: another one goes to the log.
    /// </summary>
    internal static void TakeBack(IpcObjectKind kind, string attempt, in NativeIpcKey key, int id)
    {
        try
        {
            if (kind == IpcObjectKind.SharedMemory) RemoveSegment(attempt, key, id);
            else RemoveSemaphore(attempt, key, id);
        }
        catch (NativeIpcException failure)
        {
            NativeIpcEventSource.s_log.NotRemoved(failure.Message);
        }
    }

    /// <summary>Removes the semaphore that has a System V key; false when there is none.</summary>
    internal static bool RemoveSemaphoreOf(string attempt, in NativeIpcKey key, int ipcKey)
    {
        int id = Libc.semget(ipcKey, 0, 0);
        if (id != -1) return RemoveSemaphore(attempt, key, id);
        int number = Marshal.GetLastPInvokeError();
        return number == Errno.ENOENT ? false : throw SystemVErrors.GetSemaphore(attempt, key, number);
    }
}
