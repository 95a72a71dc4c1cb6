using System.Text;
using NativeIpc.Platform;

namespace NativeIpc.Keys;

/// <summary>The rules that a key must meet before any system call is made with it (mission B4).</summary>
internal static class UsableKey
{
    private const int LongestFileName = 255; // NAME_MAX on Linux and Apple, in bytes
    private const int LongestPlain = LongestFileName - 16; // EventPrefix and EventSuffix are as long
    private const int WindowsLimit = NameRules.WindowsMaxPath - 1; // MAX_PATH counts the terminating zero

    /// <summary>Says which rule the key breaks and what to do, or null when it can be used on this platform. Whether
    /// its type is supported is the back ends' question.</summary>
    public static string? FindViolation(in NativeIpcKey key, IpcObjectKind kind, KeyPlatform platform,
        NameForm form = NameForm.Decomposed)
    {
        string name = key.NativeKey;
        if (IsPlain(name, key.Type, platform)) return null;
        if (name.Length == 0)
            return "The native key is empty. Give it a name, or let PlatformSafeKey make it from one (with a type "
                + "that this system supports: a type of another one gives an empty key, and NativeIpcKeyRules makes "
                + "its keys).";
        if (name.Contains('\0'))
            return $"The native key has a NUL character at position {name.IndexOf('\0')}, where the operating system "
                + $"would cut it. Use a name without NUL.";
        if (KeyText.IndexOfLoneSurrogate(name) is var at and >= 0)
            return $"The native key has a lone surrogate at position {at}, which has no encoding, so that different "
                + $"names would meet. Use well-formed text (a name that was cut may have been split there).";

        if (key.Type == NativeIpcKeyType.Windows)
            return platform == KeyPlatform.Windows ? FindWindowsViolation(name) : null;
        if (platform == KeyPlatform.Windows) return null;
        if (key.Type != NativeIpcKeyType.PosixRealtime && !key.Type.IsSystemV) return null;
        if (platform == KeyPlatform.Apple && form == NameForm.Refused && !Ascii.IsValid(name))
            return "The native key is not ASCII and this process runs with InvariantGlobalization, in which .NET "
                + "cannot decompose text as names on Apple systems are. Use an ASCII name, turn "
                + "InvariantGlobalization off, or pass names as they are (the switch NativeIpc.NamesAsTheyAre).";

        name = NameText.ForSystem(name, platform, form);
        if (kind == IpcObjectKind.SystemEvent && key.Type.IsSystemV) name += EventSuffix;
        return key.Type.IsSystemV ? FindPathViolation(name, kind, platform)
            : platform == KeyPlatform.Apple ? FindAppleViolation(name, kind)
            : FindPosixViolation(name, kind, platform);
    }

    // As nearly all names on Linux are, and seen at each opening: printable ASCII, short, and nothing that a rule is
    // about. False says nothing about the name.
    private static bool IsPlain(string name, NativeIpcKeyType type, KeyPlatform platform)
    {
        if (platform is not (KeyPlatform.Linux or KeyPlatform.LinuxMusl or KeyPlatform.Android)
            || name.Length is 0 or > LongestPlain || name.AsSpan().ContainsAnyExceptInRange('!', '~'))
            return false;
        if (type.IsSystemV) return name[^1] != EventSuffix[^1];
        ReadOnlySpan<char> bare = name.AsSpan(name[0] == '/' ? 1 : 0);
        return type == NativeIpcKeyType.PosixRealtime && bare.Length > 0 && bare[0] != '.' && bare[0] != EventPrefix[0]
            && !bare.Contains('/');
    }

    /// <summary>The same on the platform of this process.</summary>
    public static string? FindViolationHere(in NativeIpcKey key, IpcObjectKind kind)
        => FindViolation(key, kind, PlatformEnvironment.Platform, NameText.FormOfThisPlatform);

    /// <summary>The length of a native key in the unit that the platform counts, and the most that it takes.</summary>
    public static (int Length, int Limit) MeasureLength(in NativeIpcKey key, IpcObjectKind kind, KeyPlatform platform,
        NameForm form = NameForm.Decomposed)
    {
        if (key.Type == NativeIpcKeyType.Windows) return (key.NativeKey.Length, WindowsLimit);
        string name = NameText.ForSystem(key.NativeKey, platform, form);
        if (kind == IpcObjectKind.SystemEvent && key.Type.IsSystemV) name += EventSuffix;
        return key.Type != NativeIpcKeyType.PosixRealtime ? PathLength(name, platform)
            : platform == KeyPlatform.Apple ? AppleLength(name, kind)
            : PosixLength(name, kind, platform);
    }

    /// <summary>What stands before the name of an event's file in /dev/shm.</summary>
    internal const string EventPrefix = "nativeipc-event.";

    /// <summary>What stands after the path of an event's System V key file.</summary>
    internal const string EventSuffix = ".nativeipc-event";

    // glibc keeps a semaphore in a file called sem.NAME; musl and bionic do not.
    private static (int Length, int Limit) PosixLength(string name, IpcObjectKind kind, KeyPlatform platform)
        => (Encoding.UTF8.GetByteCount(name.TrimStart('/')), kind switch
        {
            IpcObjectKind.SystemEvent => LongestFileName - EventPrefix.Length,
            IpcObjectKind.SystemSemaphore when platform == KeyPlatform.Linux => LongestFileName - 4,
            _ => LongestFileName,
        });

    // PSHMNAMLEN is 31; the check for semaphores counts the terminating zero. Names are opaque: slashes do not matter.
    private static (int Length, int Limit) AppleLength(string name, IpcObjectKind kind)
        => (Encoding.UTF8.GetByteCount(name), kind == IpcObjectKind.SystemSemaphore ? 30 : 31);

    // PATH_MAX counts the terminating zero.
    private static (int Length, int Limit) PathLength(string path, KeyPlatform platform)
        => (Encoding.UTF8.GetByteCount(path), (platform == KeyPlatform.Apple ? 1024 : 4096) - 1);

    private static string? FindPosixViolation(string name, IpcObjectKind kind, KeyPlatform platform)
    {
        // Leading slashes do not matter: a, /a and //a are one object
        ReadOnlySpan<char> bare = name.AsSpan().TrimStart('/');
        if (bare.Length == 0) return $"The native key '{name}' has nothing after its slash. Add a name.";
        if (bare.Contains('/'))
            return $"The native key '{name}' has a slash inside; a POSIX name is one file name, with slashes only "
                + $"before it. Use another character.";
        if (bare is "." or "..")
            return $"The native key '{name}' names a folder; '.' and '..' cannot be POSIX names. Use another name.";

        bool hasPlainName = kind == IpcObjectKind.SharedMemory
            || (kind == IpcObjectKind.SystemSemaphore && platform != KeyPlatform.Linux);
        if (hasPlainName && bare.StartsWith(EventPrefix, StringComparison.Ordinal))
            return $"The native key '{name}' begins with '{EventPrefix}', as the files of this library's events do, "
                + $"and would meet one. Use another name.";

        (int length, int limit) = PosixLength(name, kind, platform);
        if (length <= limit) return null;
        string what = What(kind);
        return $"The native key has {length} bytes after its slash, in UTF-8; a POSIX {what} has at most {limit} "
            + $"here. Use a shorter name.";
    }

    private static string What(IpcObjectKind kind) => kind switch
    {
        IpcObjectKind.SharedMemory => "segment",
        IpcObjectKind.SystemSemaphore => "semaphore",
        _ => "event",
    };

    private static string? FindAppleViolation(string name, IpcObjectKind kind)
    {
        (int length, int limit) = AppleLength(name, kind);
        if (length <= limit) return null;
        string what = What(kind);
        return $"The native key '{name}' has {length} bytes in decomposed UTF-8, its slash included; a POSIX {what} "
            + $"has at most {limit} on Apple systems. Use a shorter name.";
    }

    private static string? FindPathViolation(string path, IpcObjectKind kind, KeyPlatform platform)
    {
        // A segment has its lock under its own key: a set, as the event is
        if (kind != IpcObjectKind.SystemEvent && platform is KeyPlatform.Linux or KeyPlatform.LinuxMusl
            && path.EndsWith(EventSuffix, StringComparison.Ordinal))
            return $"The native key '{path}' ends with '{EventSuffix}', as the key files of this library's events do, "
                + $"and would meet one. Use another name.";
        (int length, int limit) = PathLength(path, platform);
        if (length > limit)
            return $"The path of the System V key has {length} bytes in UTF-8; the system takes at most {limit}. Use "
                + $"a shorter path.";
        if (length <= LongestFileName) return null; // and so is each component
        foreach (Range component in path.AsSpan().Split('/'))
        {
            int bytes = Encoding.UTF8.GetByteCount(path.AsSpan()[component]);
            if (bytes > LongestFileName)
                return $"The path of the System V key has a component of {bytes} bytes in UTF-8; a file name has at "
                    + $"most {LongestFileName}. Use a shorter name.";
        }

        return null;
    }

    private static string? FindWindowsViolation(string name)
    {
        int prefix = NameRules.WindowsPrefixLength(name);
        if (name.Length == prefix) return $"The native key '{name}' has nothing after its prefix. Add a name.";
        if (name.AsSpan(prefix).Contains('\\'))
            return $"The native key '{name}' has a backslash; a Windows name has none, except in a leading Local\\ or "
                + $"Global\\. Use another character.";
        if (name.Length > WindowsLimit)
            return $"The native key has {name.Length} UTF-16 units; a Windows name has at most {WindowsLimit}, its "
                + $"prefix included. Use a shorter name.";
        return null;
    }
}
