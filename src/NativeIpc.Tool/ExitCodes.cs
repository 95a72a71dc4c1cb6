namespace NativeIpc.Tool;

/// <summary>What the process ends with. A contract with scripts (docs/nipc.md): numbers are added, never
/// changed.</summary>
internal static class ExitCodes
{
    public const int Ok = 0;

    /// <summary>The time was up, or something stands in the way: it exists already, is in use, a peer is in the middle
    /// of making it.</summary>
    public const int Conflict = 1;

    /// <summary>The command line cannot be meant, or the key cannot name an object here.</summary>
    public const int Usage = 2;

    public const int NotFound = 3;

    public const int Permission = 4;

    /// <summary>A limit of the system: memory, /dev/shm, System V limits, a size that it never gives.</summary>
    public const int Limit = 5;

    /// <summary>This platform cannot do or say it.</summary>
    public const int Unsupported = 6;

    /// <summary>Any other failure, such as of a file that was to be read or written.</summary>
    public const int Failure = 7;

    /// <summary>As shells: the command of <c>run</c> or <c>jobserver</c> was found and could not be started.</summary>
    public const int CannotStart = 126;

    /// <summary>As shells: there is no such command.</summary>
    public const int NoSuchCommand = 127;

    /// <summary>As shells: ended by a signal, whose number is added.</summary>
    public const int Signalled = 128;

    /// <summary>The table of docs/nipc.md, for the manual page.</summary>
    public static (string Code, string Meaning)[] Meanings =>
    [
        ("0", "Done"),
        ("1",
            "The time was up; it exists already, is in use, or a peer is in the middle of it; doctor found something"),
        ("2", "The command line or the key cannot be meant"),
        ("3", "There is no such object or file"),
        ("4", "Not allowed"),
        ("5", "A limit: memory, /dev/shm, System V limits, a size that does not fit, descriptors, threads"),
        ("6", "This platform cannot do or tell it"),
        ("7", "Any other failure"),
        ("126, 127", "run, jobserver: the command cannot be started; there is none"),
        ("128+N", "Ended by signal N (130: Ctrl-C)"),
    ];

    public static int For(NativeIpcError error) => error switch
    {
        NativeIpcError.AlreadyExists or NativeIpcError.LockError => Conflict,
        NativeIpcError.KeyError => Usage,
        NativeIpcError.NotFound => NotFound,
        NativeIpcError.PermissionDenied => Permission,
        NativeIpcError.OutOfResources or NativeIpcError.InvalidSize => Limit,
        _ => Failure,
    };
}
