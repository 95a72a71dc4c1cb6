using NativeIpc.Interop.Unix;

namespace NativeIpc.Inspection;

/// <summary>What is remarkable about an object that was found on the machine.</summary>
[Flags]
public enum IpcObjectTraits
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>A semaphore that is the lock of a segment: it stands under the segment's key (Windows: with <c>_sem</c>
    /// behind it), or under the legacy key that belongs to the segment's. System V: where the key file is known, since
    /// other programs give a segment and a set the same number without meaning a lock.</summary>
    LockOfSegment = 1,

    /// <summary>The name is one that Qt 4.4 to 6.5 made (<c>qipc_…</c>).</summary>
    LegacyName = 1 << 1,

    /// <summary>
    /// No process has it open or attached now. That is all it says: a server may own it, and come back to it. POSIX: no
    /// process was seen to use it, and all could be looked at; or so the kernel's lease says, where that was asked for
    /// (<see cref="IpcEnumerationOptions.FindUnused"/>). System V segments: by the number of attachments. Never set for
    /// System V semaphores, since the kernel does not count who uses a set, but for one of which this library recorded
    /// that it made it as the lock of such a segment, and for which nobody waits; nor for the lock, when it is free, of
    /// a POSIX segment that is in use.
    /// </summary>
    Unused = 1 << 2,

    /// <summary>A key file with one of Qt's legacy names and no object: its maker is in the middle, or died
    /// there; or somebody removed the object alone.</summary>
    HalfCreated = 1 << 3,

    /// <summary>Its name is gone, or it is marked to be destroyed, and processes are still attached.</summary>
    Removed = 1 << 4,

    /// <summary>A file with the name of a POSIX semaphore and another size than this process's semaphores have: one of
    /// a 32-bit program (16 bytes), a segment whose name begins with <c>sem.</c>, or a broken one. The C library kills
    /// a process that uses it as a semaphore.</summary>
    WrongSize = 1 << 5,

    /// <summary>System V: none of the folders that were searched has a file with this key. It may have been made with a
    /// number instead of a file, or with a file elsewhere.</summary>
    KeyFileMissing = 1 << 6,

    /// <summary>
    /// System V: none of the folders has a file with this key, but one has a younger file on the same file system, of
    /// the same owner, that leads to no object: the key file was probably removed and made anew, so a process that
    /// opens it now misses this object.
    /// </summary>
    KeyFileReplaced = 1 << 7,

    /// <summary>System V: two or more files lead to this object (<c>ftok(3)</c> takes 16 bits of the inode and 8 of the
    /// device).</summary>
    KeyCollision = 1 << 8,

    /// <summary>System V: made with IPC_PRIVATE, or its key was taken away by its removal. No key leads to
    /// it.</summary>
    NoKey = 1 << 9,

    /// <summary>
    /// There is nothing in it: a POSIX file without bytes, or a System V set whose members are all 0 and that no
    /// process has used. It may be meant so (a lock file, an event), its maker may be in the middle (between
    /// <c>shm_open(3)</c> and <c>ftruncate(2)</c>, <c>semget(2)</c> and <c>semctl(2)</c>), or have died there: no look
    /// tells these apart. A creating call of this library finishes it in place.
    /// </summary>
    Empty = 1 << 10,

    /// <summary>
    /// <see cref="Unused"/>, and left behind by a process that had to remove it: this library recorded, when it was
    /// made or taken over, that it is to be removed with its users (a <see cref="RemovalPolicy"/> other than
    /// <see cref="RemovalPolicy.Keep"/>), and the process that had this duty is proved dead, in this boot, PID
    /// namespace and time namespace. The lock of such a segment is orphaned with it. Never set for what other programs
    /// made, for other System V semaphores, nor where the record could not be made (docs/design.md, Listing).
    /// </summary>
    Orphaned = 1 << 11,

    /// <summary>A file in a folder of <c>/dev/shm</c> (Linux), up to eight folders deep. No key leads to it, since a
    /// POSIX name has no slash, so it can be looked at and read by <see cref="IpcObjects"/>, but neither opened nor
    /// removed here: it goes with the program that has made the folder.</summary>
    InSubfolder = 1 << 12,

    /// <summary>POSIX, Linux: its name has bytes that are no UTF-8. No key leads to it, since keys are text; it can be
    /// looked at, read and removed by <see cref="IpcObjects"/>.</summary>
    NameNotText = 1 << 13,
}
