namespace NativeIpc.Inspection;

/// <summary>What <see cref="IpcObjects.Diagnose"/> can find.</summary>
public enum IpcFindingKind
{
    /// <summary>The platform, or this user's rights, do not let everything be seen.</summary>
    Unseen = 0,

    /// <summary>An object that no process has open now (<see cref="IpcObjectTraits.Unused"/>): somebody may come back
    /// to it.</summary>
    Unused = 1,

    /// <summary>An object whose maker may have died in the middle of making it, or may be slow; or that is meant to be
    /// so (<see cref="IpcObjectTraits.Empty"/>).</summary>
    HalfCreated = 2,

    /// <summary>A file with the name of a POSIX semaphore and another size
    /// (<see cref="IpcObjectTraits.WrongSize"/>).</summary>
    WrongSize = 3,

    /// <summary>Objects without a name that processes still use. That is normal (programs remove the name early, so
    /// that the object goes with them), and told only while they fill <c>/dev/shm</c>.</summary>
    Removed = 4,

    /// <summary>A System V object whose key file was removed and made anew: its users and those who come now do not
    /// meet.</summary>
    KeyFileReplaced = 5,

    /// <summary>Two key files with one System V key: strangers meet.</summary>
    KeyCollision = 6,

    /// <summary>A permit that nobody holds and nobody gives back, since its holder was killed: of a lock or a
    /// <see cref="SystemSemaphoreOptions.Robust"/> semaphore that it had marked as its own, or recorded by that holder
    /// (<see cref="SystemSemaphoreOptions.Recording"/>; <see cref="IpcObjectInfo.LostPermits"/> says how
    /// many).</summary>
    LostPermit = 7,

    /// <summary>A limit of the system that is nearly reached.</summary>
    LimitNear = 8,

    /// <summary>The folder of POSIX objects is missing, no tmpfs, too small or not open to everybody.</summary>
    SharedMemoryFolder = 9,

    /// <summary>systemd removes the objects of users when they log out (RemoveIPC of <c>logind.conf(5)</c>).</summary>
    RemovedAtLogout = 10,

    /// <summary>This process is in a container or namespace, so that it sees other objects or processes than the host
    /// does; Windows: it is in one of several sessions, or one name stands both in its session and under
    /// <c>Global\</c>.</summary>
    Namespace = 11,

    /// <summary><c>fs.protected_regular</c> makes programs fail that pass O_CREAT for another user's object.</summary>
    ProtectedRegular = 12,

    /// <summary>Users may open one part of an object and not the other: a segment without its lock.</summary>
    Permissions = 13,

    /// <summary>Windows: an object of another kind has the name that the lock of a segment would have, so that the
    /// segment cannot be locked.</summary>
    NameTaken = 14,

    /// <summary>A control group of this process may take less memory than /dev/shm has: the kernel kills a process that
    /// fills a segment beyond that (<c>cgroups(7)</c>).</summary>
    MemoryLimit = 15,

    /// <summary>The kernel removes System V segments that nobody is attached to (<c>kernel.shm_rmid_forced</c> of
    /// <c>proc(5)</c>), so that <see cref="RemovalPolicy.Keep"/> keeps none.</summary>
    RemovedWithoutUsers = 16,

    /// <summary>An object that was to be removed with its users, which are dead
    /// (<see cref="IpcObjectTraits.Orphaned"/>).</summary>
    Orphaned = 17,
}
