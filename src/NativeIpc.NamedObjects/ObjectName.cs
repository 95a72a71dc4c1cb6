using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace NativeIpc.NamedObjects;

/// <summary>What a name is the name of: objects of two kinds never meet.</summary>
internal enum ObjectKind { Semaphore, Mutex, Event, Memory }

/// <summary>A name of Windows as a key on Linux, by the rule that README.md publishes.</summary>
/// <param name="Key">The key.</param>
/// <param name="IsOfMachine">Whether every user may use the object.</param>
internal readonly record struct ObjectName(NativeIpcKey Key, bool IsOfMachine)
{
    internal const string GlobalPrefix = @"Global\";
    internal const string LocalPrefix = @"Local\";

    // With what stands before it, the longest name of a file (255 bytes) has room for it.
    private const int LongestText = 160;
    private const int TextBesideHash = 120;
    private const int HashBytes = 16;

    /// <summary>The permission bits of a new object.</summary>
    public UnixFileMode Mode => IsOfMachine
        ? UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite
            | UnixFileMode.OtherRead | UnixFileMode.OtherWrite
        : UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>The object that a name stands for.</summary>
    /// <param name="kind">What it is.</param>
    /// <param name="name">The name, not empty.</param>
    /// <param name="options">What .NET's options say; null where the call has none.</param>
    /// <exception cref="PlatformNotSupportedException">There are no such objects here.</exception>
    /// <exception cref="ArgumentException">The prefix does not go with the options.</exception>
    /// <exception cref="DirectoryNotFoundException">The name has a backslash that ends no prefix.</exception>
    public static ObjectName Of(ObjectKind kind, string name, NamedWaitHandleOptions? options)
    {
        if (!OperatingSystem.IsLinux())
            throw new PlatformNotSupportedException(
                "NativeIpc.NamedObjects has named objects on Linux and on Windows. Elsewhere use SystemSemaphore and "
                    + "SharedMemory, whose lifetimes are others.");
        bool isGlobal = name.StartsWith(GlobalPrefix, StringComparison.Ordinal);
        bool isLocal = name.StartsWith(LocalPrefix, StringComparison.Ordinal);
        if (options is { } asked)
        {
            if (asked.CurrentSessionOnly ? isGlobal : isLocal)
                throw new ArgumentException(
                    $"The prefix of the name '{name}' does not go with CurrentSessionOnly = "
                        + $"{asked.CurrentSessionOnly}.", nameof(name));
            isGlobal |= !asked.CurrentSessionOnly;
        }

        string rest = name.StartsWith(GlobalPrefix, StringComparison.Ordinal) ? name[GlobalPrefix.Length..]
            : isLocal ? name[LocalPrefix.Length..] : name;
        if (rest.Length == 0 || rest.Contains('\\'))
            throw new DirectoryNotFoundException(
                $@"The name '{name}' cannot be used: a backslash may only end the prefix Global\ or Local\, and a name "
                    + "follows it.");
        bool isOfMachine = isGlobal && options is not { CurrentUserOnly: true };
        string space = isOfMachine ? "g" : $"{(isGlobal ? 'g' : 'u')}{CurrentUser.Id}";
        string word = kind switch
        {
            ObjectKind.Semaphore => "sem",
            ObjectKind.Mutex => "mutex",
            ObjectKind.Event => "event",
            _ => "map",
        };

        // With musl a semaphore of glibc, which is what knows its holder, has the name of its file.
        bool isSemaphore = kind is ObjectKind.Semaphore or ObjectKind.Mutex;
        string start = isSemaphore && NativeIpcKeyRules.Current.Platform == KeyPlatform.LinuxMusl ? "/sem." : "/";
        return new(new NativeIpcKey($"{start}nipc.{word}.{space}~{Escape(rest)}", NativeIpcKeyType.PosixRealtime),
            isOfMachine);
    }

    /// <summary>The text of a name in a key: ASCII letters, digits, '.', '_' and '-' as they are, every other byte of
    /// its UTF-8 as %XX; when that is too long its beginning and a hash.</summary>
    internal static string Escape(string name)
    {
        var text = new StringBuilder(name.Length);
        Span<byte> bytes = stackalloc byte[4];
        for (int at = 0; at < name.Length;)
        {
            if (!Rune.TryGetRuneAt(name, at, out Rune rune))
            {
                text.Append(CultureInfo.InvariantCulture, $"%u{(int)name[at++]:X4}"); // a surrogate on its own
                continue;
            }

            at += rune.Utf16SequenceLength;
            if (rune.IsAscii && (char.IsAsciiLetterOrDigit((char)rune.Value) || rune.Value is '.' or '_' or '-'))
            {
                text.Append((char)rune.Value);
                continue;
            }

            foreach (byte one in bytes[..rune.EncodeToUtf8(bytes)])
                text.Append(CultureInfo.InvariantCulture, $"%{one:X2}");
        }

        if (text.Length <= LongestText) return text.ToString();
        byte[] hash = SHA256.HashData(Encoding.ASCII.GetBytes(text.ToString()));
        return $"{text.ToString(0, TextBesideHash)}~{Convert.ToHexStringLower(hash, 0, HashBytes)}";
    }
}
