using System.Reflection;
using System.Text.RegularExpressions;
using Xunit;

namespace NativeIpc.Tests.Architecture;

/// <summary>
/// Which room may use which. Read from the sources: a room's namespace is its folder (checked here too), so another
/// room's types are reached only by a using directive or a qualified name, and both hold the room's name.
/// </summary>
public partial class RoomTests
{
    private static readonly string s_sources =
        typeof(RoomTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
        .Single(attribute => attribute.Key == "LibrarySources").Value!;

    private const string PublicTypes = "";

    /// <summary>Room, and what must not be mentioned in it.</summary>
    private static readonly (string Room, string[] Forbidden)[] s_rules =
    [
        (PublicTypes, [@"\bInterop\.", @"^\s*#\s*if\b"]),
        ("Keys", [@"\bInterop\.", Room("Backends"), Room("Waiting"), Room("Platform"), Room("Errors"), .. Outside]),
        ("Errors", [@"\bInterop\.", Room("Backends"), Room("Waiting"), Room("Platform")]),
        ("Platform", [Room("Backends"), Room("Errors"), Room("Waiting")]),
        ("Interop", [Room("Backends"), Room("Errors"), Room("Keys"), Room("Waiting"), Room("Platform"),
            @"\bNativeIpcException\b"]),
        ("Backends/Posix", [Room("SystemV"), Room("Windows"), Room("Waiting")]),
        ("Backends/SystemV", [Room("Posix"), Room("Windows"), Room("Waiting")]),
        ("Backends/Windows", [Room("Posix"), Room("SystemV"), Room("Waiting")]),
        ("Waiting", [Room("Keys")]),
    ];

    /// <summary>Files, clock, environment.</summary>
    private static string[] Outside =>
        [@"\bSystem\.IO\b",
            @"\b(File|Directory|Path|FileInfo|DirectoryInfo|Environment|OperatingSystem|RuntimeInformation|AppContext|Stopwatch|DateTime|DateTimeOffset|TimeProvider|Process)\."];

    public static TheoryData<string> Rooms() => [.. s_rules.Select(rule => rule.Room)];

    [Theory]
    [MemberData(nameof(Rooms))]
    public void A_room_uses_only_what_it_may(string room)
    {
        (_, string[] forbidden) = s_rules.Single(rule => rule.Room == room);
        Assert.Empty(Files(room).SelectMany(
            file => Violations(File.ReadAllText(file),
                forbidden).Select(line => $"{Path.GetRelativePath(s_sources, file)}: {line}")));
    }

    [Fact]
    public void The_sources_are_found()
    {
        Assert.True(File.Exists(Path.Combine(s_sources, "NativeIpcKey.cs")), $"no sources in {s_sources}");
        Assert.NotEmpty(Files("Keys"));
        Assert.NotEmpty(Files("Interop"));
        Assert.All(s_rules.Where(rule => rule.Room.Length > 0), rule => Assert.DoesNotContain('\\', rule.Room));
    }

    [Fact]
    public void The_namespace_of_a_room_is_its_folder()
    {
        foreach (string folder in Directory.GetDirectories(s_sources, "*", SearchOption.AllDirectories))
        {
            string room = Path.GetRelativePath(s_sources, folder).Replace('\\', '/');
            // Interop is one nested class
            if (room.Split('/')[0] is "Interop" or "obj" or "bin" or "Properties") continue;
            string expected = $"namespace NativeIpc.{room.Replace('/', '.')};";
            Assert.All(Directory.GetFiles(folder, "*.cs"),
                file => Assert.Contains(expected, File.ReadAllText(file), StringComparison.Ordinal));
        }
    }

    [Theory]
    [InlineData("Keys", "using NativeIpc.Backends.Posix;")]
    [InlineData("Keys", "    int fd = Interop.Libc.open(name, 0, 0);")]
    [InlineData("Keys", "    if (System.IO.File.Exists(name)) return;")]
    [InlineData("Keys", "    string? home = Environment.GetEnvironmentVariable(\"HOME\");")]
    [InlineData("Keys", "    var p = Platform.PlatformEnvironment.Current;")]
    [InlineData("Interop", "using NativeIpc.Keys;")]
    [InlineData("Backends/Posix", "    new SystemV.SystemVSegment(key);")]
    [InlineData("Backends/Windows", "using NativeIpc.Backends.Posix;")]
    [InlineData("Waiting", "using NativeIpc.Keys; // why not")]
    [InlineData(PublicTypes, "#if WINDOWS")]
    [InlineData(PublicTypes, "    Interop.Libc.geteuid();")]
    public void A_forbidden_use_is_seen(string room, string line)
        => Assert.Single(Violations(line, s_rules.Single(rule => rule.Room == room).Forbidden));

    [Theory]
    [InlineData("Keys", "    /// <summary>What Environment.Exit and Interop.Libc do not do.</summary>")]
    [InlineData("Keys", "    if (environment.Platform == KeyPlatform.Windows) return; // not Interop.Libc")]
    [InlineData("Backends/Posix", "    if (key.Type == NativeIpcKeyType.SystemV) return;")]
    [InlineData("Waiting", "    foreach (var key in map.Keys.ToArray()) { }")]
    public void An_allowed_line_is_not_taken_for_one(string room, string line)
        => Assert.Empty(Violations(line, s_rules.Single(rule => rule.Room == room).Forbidden));

    /// <summary>A room's name as a qualifier or in a using directive; not a member of that name.</summary>
    private static string Room(string name)
        => $@"\bNativeIpc\.(\w+\.)*{name}\b|(?<![\w.]){name}\.(?=\w)|\bBackends\.{name}\b";

    private static IEnumerable<string> Files(string room)
    {
        string folder = Path.Combine(s_sources, room);
        return !Directory.Exists(folder) ? [] // a room that is not built yet
            : Directory.EnumerateFiles(folder, "*.cs",
                room == PublicTypes ? SearchOption.TopDirectoryOnly : SearchOption.AllDirectories);
    }

    private static IEnumerable<string> Violations(string source, string[] forbidden)
        => source.Split('\n').Select(line => Comment().Replace(line, ""))
            .Where(line => forbidden.Any(pattern => Regex.IsMatch(line, pattern)));

    [GeneratedRegex("//.*$")]
    private static partial Regex Comment();
}
