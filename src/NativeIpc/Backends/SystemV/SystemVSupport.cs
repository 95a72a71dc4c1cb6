using System.Runtime.InteropServices;
using NativeIpc.Keys;
using NativeIpc.Platform;
using static NativeIpc.Interop;

namespace NativeIpc.Backends.SystemV;

/// <summary>What shmctl(IPC_STAT) tells of a segment.</summary>
internal readonly record struct SegmentStatus(long Size, long Attached, uint Mode, uint Uid, uint Gid)
{
    /// <summary>Marked for destruction (Linux; elsewhere such a segment cannot be asked at all).</summary>
    public bool IsRemoved => (Mode & Flags.SHM_DEST) != 0;
}

/// <summary>The few calls that both kinds of System V objects need.</summary>
internal static class SystemVSupport
{
    /// <summary>Any key does to ask whether the calls are there.</summary>
    internal const int ProbeKey = 0x51000001;

    /// <summary>Whether it may be asked at all: on Android and in an Apple sandbox the first call ends the process (SIGSYS).</summary>
    internal static bool MayCall => Environment.Is64BitProcess
        && (PlatformEnvironment.Platform is KeyPlatform.Linux or KeyPlatform.LinuxMusl || (PlatformEnvironment.Platform == KeyPlatform.Apple && !PlatformEnvironment.IsSandboxed));

    /// <summary>Whether a get call that may have found nothing was at least answered: ENOSYS and EPERM come from kernels and sandboxes without System V.</summary>
    internal static bool HasCalls(int probe)
        => probe != -1 || Marshal.GetLastPInvokeError() is Errno.ENOENT or Errno.EACCES or Errno.EINVAL;

    /// <summary>Whether this process is in the first PID namespace, which sees the processes of all the others. Its number is fixed (PROC_PID_INIT_INO).</summary>
    internal static bool SeesEveryProcess => !OperatingSystem.IsLinux() || new FileInfo("/proc/self/ns/pid").LinkTarget == "pid:[4026531836]";

    /// <summary>Returns 0, or the error number.</summary>
    internal static unsafe int Status(int id, out SegmentStatus status)
    {
        byte* b = stackalloc byte[Layout.SizeOfIpcBuffer];
        int error = Libc.shmctl(id, Flags.IPC_STAT, b) == 0 ? 0 : Marshal.GetLastPInvokeError();
        status = error != 0 ? default : new SegmentStatus(
            *(long*)(b + Layout.ShmSegsz),
            IsApple ? *(ushort*)(b + Layout.ShmNattch) : *(long*)(b + Layout.ShmNattch),
            IsApple ? *(ushort*)(b + Layout.IpcPermMode) : *(uint*)(b + Layout.IpcPermMode),
            *(uint*)(b + Layout.IpcPermUid),
            *(uint*)(b + Layout.IpcPermUid + sizeof(uint)));
        return error;
    }

    /// <summary>Whether an error number says that the object is no longer there.</summary>
    internal static bool IsGone(int number) => number == Errno.EINVAL || number == Errno.EIDRM;

    /// <summary>Removes a segment by its id; false when it is gone already.</summary>
    internal static unsafe bool RemoveSegment(string attempt, in NativeIpcKey key, int id)
    {
        if (Libc.shmctl(id, Flags.IPC_RMID, null) == 0) return true;
        int number = Marshal.GetLastPInvokeError();
        return IsGone(number) ? false : throw SystemVErrors.UseSegment(attempt, key, "shmctl", number);
    }

    /// <summary>Removes a semaphore by its id; false when it is gone already.</summary>
    internal static bool RemoveSemaphore(string attempt, in NativeIpcKey key, int id)
    {
        if (Libc.semctl(id, 0, Flags.IPC_RMID) == 0) return true;
        int number = Marshal.GetLastPInvokeError();
        return IsGone(number) ? false : throw SystemVErrors.UseSemaphore(attempt, key, "semctl", number);
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
