namespace NativeIpc.Keys;

/// <summary>The platform whose key rules apply. A parameter of every rule, so that each can be tested on any machine.</summary>
internal enum KeyPlatform
{
    /// <summary>Linux with glibc: semaphores live in files called <c>sem.NAME</c>, so their names are four bytes shorter.</summary>
    Linux,

    /// <summary>Linux with musl.</summary>
    LinuxMusl,

    /// <summary>Android: no System V; the legacy default is POSIX.</summary>
    Android,

    /// <summary>macOS and its relatives: 30 usable bytes, opaque names, decomposed UTF-8.</summary>
    Apple,

    /// <summary>Windows: kernel object names in UTF-16.</summary>
    Windows,
}
