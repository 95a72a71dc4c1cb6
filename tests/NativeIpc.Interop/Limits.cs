namespace NativeIpc.Foreign;

/// <summary>What a peer or a system cannot do, as it stands under the matrix. Each is shown by a test.</summary>
internal static class Limits
{
    internal const string QtSetsTheLock =
        "Qt: a failed create() sets the System V lock of a live segment to 1, also while it is held, and removes it "
            + "with its key file when "
        + "the failed object goes. NativeIpc notices at its release (WasReplaced) and does not raise it to 2.";

    internal const string QtReplacesTheLock =
        "Qt: a failed create() replaces the POSIX lock of a live segment. NativeIpc notices (WasReplaced) and goes on "
        + "with the new one; Qt objects that had the old one keep it.";

    internal const string QtTakesTheName =
        "Qt: the failed create() object of a System V segment takes the lock and with it the key file when it goes: "
            + "nobody can attach to "
        + "the segment any more, and the next create() makes a second one. Attached processes, of NativeIpc and Qt, "
        + "keep their bytes and make the lock anew.";

    internal const string QtNeverUnlinks =
        "Qt never removes a POSIX segment that it has made; its documents say otherwise.";

    internal const string QtTakesTheLock =
        "Qt: whoever made the lock removes it when leaving, also under the others; on System V with the key file, "
            + "which is the segment's "
        + "own unless the key is a legacy one: the segment then has no name any more. Lock once right after making a "
        + "segment, and the lock is "
        + "not Qt's.";

    internal const string QtLeavesTheLock =
        "Qt: the last one to detach from a System V segment removes it and the key file, but not a lock that another "
            + "made: the semaphore "
        + "stays, with a legacy key also its key file.";

    internal const string QtUndoesReleases =
        "Qt asks for SEM_UNDO on release, too: when a producer ends, the kernel takes back what it gave, and one that "
            + "only releases fails "
        + "after some 32,767 operations.";

    internal const string MuslAndGlibc =
        "C on musl: a semaphore and a segment of one name are one file, and a glibc semaphore is another file: no lock "
        + "for POSIX segments, no POSIX semaphores between the two C libraries.";

    internal const string PhpFirst =
        "PHP: sem_get() makes sets of three semaphores and opens no smaller ones, so PHP must be the first to use the "
            + "lock or semaphore; "
        + "NativeIpc opens that of PHP.";

    internal const string PhpConsumes =
        "PHP: sem_release() gives back only what this process acquired, so PHP can consume but not produce.";

    internal const string PosixLockStays =
        "POSIX: the lock of a Qt or C holder that was killed stays taken while another Qt or C program has it open "
            + "(its holder is unknown, and nobody is robbed); when only processes of NativeIpc have, one of them takes "
            + "it over and says so.";

    internal const string PosixNeedsOneOfOurs =
        "POSIX: a waiting Qt or C program gets the lock of a killed holder of NativeIpc when another user of it has "
            + "taken it over and released it; without one it waits on, as with its own kind.";

    internal const string PosixPermitIsGone =
        "POSIX: the permit of a process that was killed is gone; CreateOrReset sets the count in place.";
}
