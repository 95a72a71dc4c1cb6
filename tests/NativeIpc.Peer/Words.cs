using System.Globalization;

namespace NativeIpc.Peer;

/// <summary>The words of one command, read one after the other; what is left at the end are its options.</summary>
internal sealed class Words(string line)
{
    private readonly string[] _words = line.Split(' ');
    private int _at;

    public bool IsOver => _at == _words.Length;

    public string Next() => IsOver ? throw new FormatException($"A word is missing after '{line}'.") : _words[_at++];

    public string? Peek() => IsOver ? null : _words[_at];

    public int NextInt() => int.Parse(Next(), CultureInfo.InvariantCulture);

    public long NextLong() => long.Parse(Next(), CultureInfo.InvariantCulture);

    public int NextIntOr(int fallback) => IsOver ? fallback : NextInt();

    public NativeIpcKey NextKey() => NativeIpcKey.Parse(Next(), CultureInfo.InvariantCulture);

    /// <summary>The key of a semaphore. Who commands may be on another C library (NATIVEIPC_NAMES_OF=glibc or musl),
    /// which has another name for the file of a POSIX semaphore.</summary>
    public NativeIpcKey NextSemaphoreKey()
    {
        const string Prefix = "/sem.";
        NativeIpcKey key = NextKey();
        if (key.Type != NativeIpcKeyType.PosixRealtime) return key;
        return (Environment.GetEnvironmentVariable("NATIVEIPC_NAMES_OF"), NativeIpcKeyRules.Current.Platform) switch
        {
            ("glibc", KeyPlatform.LinuxMusl) => new NativeIpcKey(Prefix + key.NativeKey.TrimStart('/'), key.Type),
            ("musl", KeyPlatform.Linux) when key.NativeKey.StartsWith(Prefix, StringComparison.Ordinal)
                => new NativeIpcKey("/" + key.NativeKey[Prefix.Length..], key.Type),
            _ => key,
        };
    }

    /// <summary>Takes the rest as options, <c>word</c> or <c>word=value</c>.</summary>
    public IEnumerable<(string Name, string Value)> Options()
    {
        while (!IsOver)
        {
            string[] parts = Next().Split('=', 2);
            yield return (parts[0], parts.Length == 2 ? parts[1] : "");
        }
    }

    /// <summary>Text as one word.</summary>
    public static string Quote(string text)
        => text.Replace("%", "%25", StringComparison.Ordinal).Replace(" ", "%20", StringComparison.Ordinal)
        .Replace("\n", "%0A", StringComparison.Ordinal).Replace("\r", "%0D", StringComparison.Ordinal);

    /// <summary>A message without line ends.</summary>
    public static string OneLine(string text) => text.ReplaceLineEndings(" ");
}
