namespace NativeIpc;

/// <summary>The platforms whose key rules differ. See <see cref="NativeIpcKeyRules"/>.</summary>
public enum KeyPlatform
{
    /// <summary>Linux with glibc: semaphores live in files called <c>sem.NAME</c>, so their names are four bytes
    /// shorter.</summary>
    Linux = 0,

    /// <summary>Linux with musl: a segment and a semaphore of one name are one file, so the lock of a POSIX segment is
    /// the semaphore that glibc has for it, under the name of its file, <c>/sem.NAME</c>.</summary>
    LinuxMusl = 1,

    /// <summary>Android: no System V; the legacy default is POSIX.</summary>
    Android = 2,

    /// <summary>macOS and its relatives: 30 usable bytes, opaque names, decomposed UTF-8.</summary>
    Apple = 3,

    /// <summary>Windows: kernel object names in UTF-16.</summary>
    Windows = 4,
}
