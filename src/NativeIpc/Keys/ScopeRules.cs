using System.Diagnostics.CodeAnalysis;
using NativeIpc.Platform;

namespace NativeIpc.Keys;

/// <summary>Names with a scope: from a portable name to a native key, and whose a key is.</summary>
internal static class ScopeRules
{
    private const char Mark = '~';

    // Not TMPDIR, which differs from process to process.
    private const string MachineFolder = "/tmp";

    /// <summary>The key of a name in a scope; one that can be used.</summary>
    /// <exception cref="ArgumentException">The name, or the type, cannot be used on the platform.</exception>
    public static NativeIpcKey Key(string name, NameScope scope, NativeIpcKeyType type, IpcObjectKind kind,
        KeyEnvironment environment)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (!Enum.IsDefined(scope))
            throw new ArgumentOutOfRangeException(nameof(scope), scope, "There is no such scope.");
        // One rule for all types and systems, so that a name that works on one works on the others
        if (name.Length == 0 || name[0] == Mark || name is "." or ".." || name.AsSpan().ContainsAny("/\\\0"))
            throw new ArgumentException(
                $"The name '{name}' cannot have a scope: it must not be empty, '.' or '..', begin with '{Mark}', or "
                    + $"have a slash, backslash or NUL in it.", nameof(name));
        NativeIpcKey key = NameRules.Strict(Scoped(name, scope, type, environment), name, type, kind, environment);
        return !key.IsEmpty ? key : throw new ArgumentException(
            $"This system has no names for keys of type {type}, so that the native key would be empty. Use a type that "
                + $"it has, or NativeIpcKeyRules for a key of another system.", nameof(type));
    }

    /// <summary>Whose a key is by its name, if it is one of a user's scope: a number on Unix, a security identifier on
    /// Windows.</summary>
    public static bool TryGetUser(in NativeIpcKey key, KeyPlatform platform, [NotNullWhen(true)] out string? user)
    {
        user = null;
        string native = key.NativeKey;
        bool isWindows = platform == KeyPlatform.Windows;
        if (!native.Contains(Mark) || (key.Type == NativeIpcKeyType.Windows) != isWindows) return false;
        int start = isWindows ? native.IndexOf(Mark) : native.LastIndexOf('/') + 1;
        ReadOnlySpan<char> name = native.AsSpan(start);
        // Behind Global\ and the word of the kind, which ends with _
        int prefix = NameRules.WindowsPrefixLength(native);
        if (isWindows && (prefix == 0 || start <= prefix || native.IndexOf('_', prefix) != start - 1)) return false;
        int dot = name.IndexOf('.');
        if (name.Length == 0 || name[0] != Mark || dot < 2) return false;
        ReadOnlySpan<char> id = name[1..dot];
        if (isWindows ? !id.StartsWith("S-1-") : id.ContainsAnyExceptInRange('0', '9')) return false;
        user = id.ToString();
        return true;
    }

    /// <summary>The same on the platform of this process, and who its user is; null for nobody that is
    /// mapped.</summary>
    public static bool TryGetUserHere(in NativeIpcKey key, [NotNullWhen(true)] out string? user, out string? own)
    {
        bool isScoped = TryGetUser(key, PlatformEnvironment.Platform, out user);
        own = isScoped ? PlatformEnvironment.Current.User : null;
        return isScoped;
    }

    private static string Scoped(string name, NameScope scope, NativeIpcKeyType type, KeyEnvironment environment)
        => type == NativeIpcKeyType.Windows ? scope switch
        {
            NameScope.Machine => $@"Global\{name}",
            NameScope.User => $@"Global\{Mark}{User(environment)}.{name}",
            _ => $@"Local\{name}",
        }
        : type == NativeIpcKeyType.PosixRealtime ? scope switch
        {
            NameScope.Machine => name,
            NameScope.User => $"{Mark}{User(environment)}.{name}",
            _ => $"{Mark}s{Session(environment)}.{name}",
        }
        : scope switch
        {
            NameScope.Machine => $"{MachineFolder}/{Mark}m.{name}",
            NameScope.User when environment.RuntimeDirectory.Length == 0 => throw new InvalidOperationException(
                "There is no runtime folder that is safe to use for key files. Set XDG_RUNTIME_DIR to a folder of this "
                    + "user's own (mode 0700), or use a POSIX key."),
            NameScope.User => $"{Mark}{User(environment)}.{name}",
            _ => $"{MachineFolder}/{Mark}s{Session(environment)}.{name}",
        };

    private static string User(KeyEnvironment environment)
        => environment.User ?? throw new InvalidOperationException(
            "This process has no user of its own: its number stands for all users that this user namespace does not "
                + "map. Map the user (newuidmap; podman run --uidmap), or use the scope Machine or Session.");

    private static string Session(KeyEnvironment environment)
        => environment.Session ?? throw new InvalidOperationException(
            "This process's session has no number here (getsid(2) gives 0): its leader is outside this PID namespace, "
                + "or init started it without one. Start the program in a session of its own (setsid), or use the "
                + "scope Machine or User.");
}
