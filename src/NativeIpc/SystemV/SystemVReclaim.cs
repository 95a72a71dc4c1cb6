using System.Runtime.InteropServices;
using NativeIpc.Interop.Unix;
using NativeIpc.Keys;
using NativeIpc.Platform;

namespace NativeIpc.SystemV;

/// <summary>Whether a segment that nobody is attached to was removed.</summary>
internal enum Reclaimed
{
    /// <summary>It was removed, or was gone.</summary>
    Yes,

    /// <summary>Somebody is attached.</summary>
    InUse,

    /// <summary>Somebody holds its lock: a Qt process that is attaching, say.</summary>
    NotNow,
}

/// <summary>Removes a segment without users, so that it can be made afresh. The caller holds the key file's
/// lock.</summary>
/// <remarks>
/// R1 Race: two processes reclaim.
/// Safe because: the file lock puts them in order, and the second one finds a segment with a user.
/// R2 Race: this process dies while it holds the Qt lock.
/// Safe because: the kernel gives the lock back.
/// </remarks>
internal static class SystemVReclaim
{
    internal static Reclaimed TryRemove(string attempt, in NativeIpcKey key, int id, bool trustsOthers)
    {
        int error = SystemVSupport.Status(id, out SegmentStatus status);
        if (SystemVSupport.IsGone(error)) return Reclaimed.Yes;
        if (error != 0) throw SystemVErrors.UseSegment(attempt, key, "shmctl", error);
        if (!trustsOthers) SystemVSupport.CheckOwner(attempt, key, "shmctl", status.Uid, status.CreatorUid);
        if (status.Attached != 0) return Reclaimed.InUse;

        // R3 Race: a process attaches after the look.
        // Safe because: one of this library holds the key file's lock, which is held here, from finding the segment
        // until it is attached; a Qt process holds the Qt lock, and the status is looked at again under it. The last
        // detach takes the Qt lock first and the file's second, so here the Qt lock is only tried, and the caller
        // releases the file before it tries again.
        NativeIpcKey lockKey = NameRules.LockKey(key, PlatformEnvironment.Current);
        int number = FindLock(lockKey, out int qtLock);
        if (number != 0) throw SystemVErrors.GetSemaphore(attempt, lockKey, number);
        if (qtLock != -1 && !SystemVLocks.TryStep(qtLock, -1))
        {
            number = Marshal.GetLastPInvokeError();
            return number is Errno.EINTR || number == Errno.EAGAIN ? Reclaimed.NotNow
                : throw SystemVErrors.UseSemaphore(attempt, lockKey, "semop", number);
        }

        try
        {
            error = SystemVSupport.Status(id, out status);
            if (error != 0 && !SystemVSupport.IsGone(error))
                throw SystemVErrors.UseSegment(attempt, key, "shmctl", error);
            if (error == 0 && status.Attached != 0) return Reclaimed.InUse;
            SystemVSupport.RemoveSegment(attempt, key, id);

            // What a dead holder left behind went with the bytes.
            if (qtLock != -1 && SystemVSupport.SetStatusOf(qtLock, out SetStatus set) == 0
                && set.Count == SystemVLocks.Size)
                _ = Libc.semctl(qtLock, 1, Flags.SETVAL, 0);
            return Reclaimed.Yes;
        }
        finally
        {
            if (qtLock != -1) SystemVLocks.Release(key, qtLock);
        }
    }

    /// <summary>Looks for the set of a segment's lock; -1 for none.</summary>
    /// <returns>0, or the error number of what does not say.</returns>
    internal static int FindLock(in NativeIpcKey lockKey, out int id)
    {
        id = -1;
        string path = KeyFile.Path(lockKey);
        int number = Libc.Status(path, followLink: true, out FileStatus file);
        if (number != 0) return number is Errno.ENOENT or Errno.ENOTDIR ? 0 : number;
        int ipcKey = FileKeys.Of(file.Identity, (int)lockKey.Type);
        if (!FileKeys.s_areKnown)
        {
            ipcKey = Libc.ftok(path, (int)lockKey.Type);
            number = Marshal.GetLastPInvokeError();
            if (ipcKey == -1 && number != 0) return number == Errno.ENOENT ? 0 : number;
        }

        id = Libc.semget(ipcKey, 0, 0);
        number = id == -1 ? Marshal.GetLastPInvokeError() : 0;
        return number == Errno.ENOENT ? 0 : number;
    }
}
