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
        int qtLock = FindLock(lockKey);
        if (qtLock != -1 && !SystemVLocks.TryStep(qtLock, -1)) return Reclaimed.NotNow;
        try
        {
            if (SystemVSupport.Status(id, out status) == 0 && status.Attached != 0) return Reclaimed.InUse;
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

    /// <summary>The set of a segment's lock; -1 for none.</summary>
    internal static int FindLock(in NativeIpcKey lockKey)
    {
        string path = KeyFile.Path(lockKey);
        return Libc.Status(path, followLink: true, out _) == 0 && Libc.ftok(path, (int)lockKey.Type) is var ipcKey
            && ipcKey != -1 ? Libc.semget(ipcKey, 0, 0) : -1;
    }
}
