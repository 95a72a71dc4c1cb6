using System.Security.Cryptography;
using System.Text;
using NativeIpc.Platform;

namespace NativeIpc.Keys;

/// <summary>From a portable name to a native key (mission B1 to B3, C3).</summary>
internal static class NameRules
{
    /// <summary>MAX_PATH of Windows, in UTF-16 units, with the terminating zero.</summary>
    public const int WindowsMaxPath = 260;

    /// <summary>What Qt takes of a name on Apple: with the slash, what the system takes for a semaphore.</summary>
    private const int AppleNameLength = 29;

    public static NativeIpcKeyType DefaultType(KeyPlatform platform)
        => platform == KeyPlatform.Windows ? NativeIpcKeyType.Windows : NativeIpcKeyType.PosixRealtime;

    public static NativeIpcKeyType LegacyDefaultType(KeyPlatform platform, bool isSandboxed, bool preferPosix)
        => platform switch
    {
        KeyPlatform.Windows => NativeIpcKeyType.Windows,
        KeyPlatform.Android => NativeIpcKeyType.PosixRealtime,
        KeyPlatform.Apple when isSandboxed => NativeIpcKeyType.PosixRealtime,
        _ => preferPosix ? NativeIpcKeyType.PosixRealtime : NativeIpcKeyType.SystemV,
    };

    /// <summary>The key that Qt's platformSafeKey makes of a name, and whether the name had to be cut for it. A type
    /// foreign to the platform, like an empty name, gives an empty native key.</summary>
    public static NativeIpcKey PlatformSafeKey(string name, NativeIpcKeyType type, IpcObjectKind kind,
        KeyEnvironment environment, out bool wasCut)
    {
        ArgumentNullException.ThrowIfNull(name);
        wasCut = false;
        string nativeKey = !HasNames(type, environment.Platform) || name.Length == 0 ? ""
            : type == NativeIpcKeyType.Windows ? WindowsName(name, kind, out wasCut)
            : type == NativeIpcKeyType.PosixRealtime ? PosixName(name, environment, out wasCut)
            : name[0] == '/' ? name
            : $"{environment.RuntimeDirectory}/{name}";
        return new NativeIpcKey(nativeKey, type);
    }

    /// <summary>As <see cref="PlatformSafeKey"/>, but refuses a name that gives a key that could not be used, or one
    /// that was cut. A type foreign to the platform still gives an empty native key, since types travel between
    /// machines.</summary>
    /// <param name="name">The name.</param>
    /// <param name="shown">What the caller calls it.</param>
    /// <param name="type">The type of the key.</param>
    /// <param name="kind">What the key is for.</param>
    /// <param name="environment">The platform.</param>
    /// <exception cref="ArgumentException">It gives no such key.</exception>
    public static NativeIpcKey Strict(string name, string shown, NativeIpcKeyType type, IpcObjectKind kind,
        KeyEnvironment environment)
    {
        NativeIpcKey key = PlatformSafeKey(name, type, kind, environment, out bool wasCut);
        if (wasCut) throw new ArgumentException(DescribeCut(name, key), nameof(name));
        if (!HasNames(type, environment.Platform)) return key;
        if (UsableKey.FindViolation(key, kind, environment.Platform, NameText.FormHere) is { } violation)
            throw new ArgumentException($"The name '{shown}' gives a key that cannot be used. {violation}",
                nameof(name));
        return key;
    }

    /// <summary>The key that Qt 4.4 to 6.5 made of a name; it remembers the name, unless the native key is
    /// empty.</summary>
    public static NativeIpcKey LegacyNativeKey(string name, NativeIpcKeyType type, IpcObjectKind kind,
        KeyEnvironment environment)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (kind == IpcObjectKind.SystemEvent)
            throw new ArgumentOutOfRangeException(nameof(kind), kind, "Qt 4.4 to 6.5 made no events.");
        if (!HasNames(type, environment.Platform) || name.Length == 0) return new NativeIpcKey("", type);

        string hash = Convert.ToHexStringLower(HashOf(name));
        string legacyName = string.Concat(LegacyPrefix(kind), LettersOf(name), hash);
        string nativeKey = type switch
        {
            NativeIpcKeyType.Windows => legacyName,
            NativeIpcKeyType.PosixRealtime when environment.Platform != KeyPlatform.Apple => "/" + legacyName,
            NativeIpcKeyType.PosixRealtime => environment.IsSandboxed ? name : "/" + hash[..AppleNameLength],
            _ => $"{environment.TemporaryDirectory}/{legacyName}",
        };
        return new NativeIpcKey(nativeKey, type, name);
    }

    /// <summary>Whether a file or object name is one that Qt 4.4 to 6.5 made for a kind of object.</summary>
    /// <param name="name">The name, without slash or folder.</param>
    /// <param name="kind">The kind of object.</param>
    /// <param name="original">The portable name that it was made of, where its hash proves it: a name of ASCII letters
    /// only, which Qt keeps whole. Otherwise empty.</param>
    public static bool IsLegacyName(string name, IpcObjectKind kind, out string original)
    {
        const int HashLength = 40;
        original = "";
        if (kind == IpcObjectKind.SystemEvent) return false; // they made none
        string prefix = LegacyPrefix(kind);
        if (!name.StartsWith(prefix, StringComparison.Ordinal) || name.Length < prefix.Length + HashLength)
            return false;
        string letters = name[prefix.Length..^HashLength];
        if (LettersOf(letters) != letters) return false;
        foreach (char digit in name[^HashLength..])
        {
            if (!char.IsAsciiHexDigitLower(digit)) return false;
        }

        if (letters.Length > 0 && Convert.ToHexStringLower(HashOf(letters)) == name[^HashLength..]) original = letters;
        return true;
    }

    /// <summary>The legacy name of the lock of a segment with a legacy name, or the other way round: all but the prefix
    /// is the same.</summary>
    public static string LegacySibling(string name, IpcObjectKind kind)
        => LegacyPrefix(kind == IpcObjectKind.SharedMemory ? IpcObjectKind.SystemSemaphore : IpcObjectKind.SharedMemory)
            + name[LegacyPrefix(kind).Length..];

    private static string LegacyPrefix(IpcObjectKind kind)
        => kind == IpcObjectKind.SharedMemory ? "qipc_sharedmemory_" : "qipc_systemsem_";

    /// <summary>The key of the semaphore that Qt uses as the lock of a segment (mission C3).</summary>
    public static NativeIpcKey LockKey(in NativeIpcKey segment, KeyEnvironment environment)
    {
        const string Suffix = "_sem";
        NativeIpcKey key = segment.LegacyKey.Length > 0
            ? LegacyNativeKey(segment.LegacyKey, segment.Type, IpcObjectKind.SystemSemaphore, environment)
            : new NativeIpcKey(segment.NativeKey, segment.Type);
        // With musl a segment and a semaphore of one name are one file. The lock is the one that processes on glibc
        // have, by the name of its file.
        if (environment.Platform == KeyPlatform.LinuxMusl && key.Type == NativeIpcKeyType.PosixRealtime)
            return new NativeIpcKey("/sem." + key.NativeKey.TrimStart('/'), key.Type);
        if (segment.LegacyKey.Length > 0 || segment.Type != NativeIpcKeyType.Windows) return key;

        // On Windows all kinds of objects share one space of names. Qt cuts the name so that the suffix fits; not run
        // on Windows, but with one unit more the name could not be used at all.
        int kept = Math.Min(segment.NativeKey.Length, WindowsMaxPath - 1 - Suffix.Length);
        return new NativeIpcKey(segment.NativeKey[..kept] + Suffix, segment.Type);
    }

    /// <summary>The message of the strict variant: what a cut name has become, and what to do.</summary>
    public static string DescribeCut(string name, in NativeIpcKey key) => key.Type == NativeIpcKeyType.Windows
        ? $"The name has {name.Length} UTF-16 units, more than Windows takes together with Qt's prefix "
            + $"({WindowsMaxPath}): it would be cut to '{key.NativeKey}'. Use a shorter name."
        : $"The name '{name}' has {name.Length} UTF-16 units, more than the {AppleNameLength} that a key has room for "
            + $"here: it would be cut to '{key.NativeKey}', as would every name that starts the same. Use a shorter "
            + $"name.";

    /// <summary>The length of a leading <c>Local\</c> or <c>Global\</c>, which select the session's or the machine's
    /// name space.</summary>
    public static int WindowsPrefixLength(string name)
        => name.StartsWith(@"Local\", StringComparison.Ordinal) ? 6
        : name.StartsWith(@"Global\", StringComparison.Ordinal) ? 7
        : 0;

    /// <summary>Whether a platform has names of a type, in the sense of Qt's key functions: on Unix, each type without
    /// rules of its own (0, and 0x102 and up) is named like System V. Whether a type works is the back end's
    /// question.</summary>
    private static bool HasNames(NativeIpcKeyType type, KeyPlatform platform)
        => (type == NativeIpcKeyType.Windows) == (platform == KeyPlatform.Windows);

    private static string PosixName(string name, KeyEnvironment environment, out bool wasCut)
    {
        wasCut = false;
        if (environment.Platform != KeyPlatform.Apple) return "/" + name;

        // The sandbox wants <application group>/<name>, without a slash before it. Qt passes such a name as it is;
        // another one cannot be used there.
        if (environment.IsSandboxed && name.IndexOf('/') is > 0 and var slash && slash < name.Length - 1) return name;
        wasCut = name.Length > AppleNameLength;
        return "/" + (wasCut ? name[..AppleNameLength] : name);
    }

    private static string WindowsPrefix(IpcObjectKind kind) => kind switch
    {
        IpcObjectKind.SharedMemory => "shm_",
        IpcObjectKind.SystemSemaphore => "sem_",
        _ => "event_", // Qt has none; all kinds share one space of names
    };

    private static string WindowsName(string name, IpcObjectKind kind, out bool wasCut)
    {
        // Qt cuts the whole at MAX_PATH. Whether it counts the terminating zero was not observed; 260 units are refused
        // when used, so the difference shows only in the text of a key that works nowhere.
        string nativeKey = name.Insert(WindowsPrefixLength(name), WindowsPrefix(kind));
        wasCut = nativeKey.Length > WindowsMaxPath;
        return wasCut ? nativeKey[..WindowsMaxPath] : nativeKey;
    }

    private static string LettersOf(string name)
    {
        var letters = new StringBuilder(name.Length);
        foreach (char one in name)
        {
            if (char.IsAsciiLetter(one)) letters.Append(one);
        }

        return letters.ToString();
    }

#pragma warning disable CA5350 // SHA-1: the hash is part of Qt's names, not a protection.
    private static byte[] HashOf(string name) => SHA1.HashData(NameText.Utf8.GetBytes(name));
#pragma warning restore CA5350
}
