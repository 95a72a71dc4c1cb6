using Xunit;

namespace NativeIpc.Foreign;

/// <summary>What eng/peers.sh has built: the index at NATIVEIPC_PEERS, or in the cache folder.</summary>
internal static class PeerIndex
{
    private static readonly Lazy<Dictionary<string, string[]>> s_rows = new(Read);

    internal static string Path { get; } = Variable("NATIVEIPC_PEERS")
        ?? System.IO.Path.Combine(
            Variable("NATIVEIPC_CACHE")
                ?? System.IO.Path.Combine(Variable("XDG_CACHE_HOME")
                    ?? System.IO.Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile),
                        ".cache"), "nativeipc"),
            "peers",
            "index.tsv");

    /// <summary>In CI on Linux, where the packages of eng/debian-packages.txt are installed, a peer that is missing is
    /// a failure.</summary>
    internal static bool MustBeHere => OperatingSystem.IsLinux()
        && string.Equals(Environment.GetEnvironmentVariable("CI"), "true", StringComparison.OrdinalIgnoreCase);

    /// <summary>The words of the command line that starts a peer; skips or fails the test when there is none.</summary>
    internal static string[] Require(string name)
    {
        if (WhyMissing(name) is not { } reason) return WordsOf(name);
        if (MustBeHere) Assert.Fail(reason);
        Assert.Skip(reason);
        return [];
    }

    internal static string? WhyMissing(string name)
        => !OperatingSystem.IsLinux() ? "The peers are built for Linux."
        : !File.Exists(Path) ? $"{Path} is missing: run eng/peers.sh."
        : !s_rows.Value.TryGetValue(name, out string[]? row)
            ? $"{Path} does not know the peer {name}: run eng/peers.sh."
        : row[1] == "ok" ? null
        : row[2];

    /// <summary>The words of the command line that starts a peer which is there.</summary>
    internal static string[] WordsOf(string name) => s_rows.Value[name][3..];

    /// <summary>The version, or the reason why it is missing.</summary>
    internal static string Describe(string name) => WhyMissing(name) ?? s_rows.Value[name][2];

    private static Dictionary<string, string[]> Read()
        => File.ReadAllLines(Path).Select(line => line.Split('\t')).Where(row => row.Length >= 3)
            .ToDictionary(row => row[0]);

    private static string? Variable(string name)
        => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;
}
