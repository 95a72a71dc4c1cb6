using System.Reflection;

namespace NativeIpc.Guides;

/// <summary>Where things are on this machine, as the build wrote it down.</summary>
internal static class Place
{
    internal static string Repository { get; } = Of("Repository");

    internal static string Documents { get; } = Path.Combine(Repository, "docs");

    internal static string Dotnet { get; } = Of("Dotnet");

    internal static string Compiler { get; } = Of("Compiler");

    /// <summary>The Debian 13 that has a Qt with native IPC keys; test.sh makes it.</summary>
    internal static string Debian13 { get; } = Path.Combine(
        Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } cache
            ? cache : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache"),
        "nativeipc",
        "trixie");

    /// <summary>The words that start nipc: the native file that NIPC names (test.sh gives it, as it starts in a
    /// third of the time), otherwise nipc for this dotnet.</summary>
    internal static string Nipc { get; } = Environment.GetEnvironmentVariable("NIPC") is { Length: > 0 } given
        && File.Exists(given) ? $"\"{Path.GetFullPath(given)}\"" : $"{Dotnet} exec \"{Of("Tool")}\"";

    /// <summary>The source generator of NativeIpc.Channels, for the compiler of the pages.</summary>
    internal static string LayoutGenerator { get; } = Assembled("NativeIpc.Channels.Generators", "netstandard2.0");

    /// <summary>What a build runs that uses NativeIpc.Channels.</summary>
    internal static string LayoutWriter { get; } = Assembled("NativeIpc.Channels.Writer", "net10.0");

    internal static string WineRun { get; } = Path.Combine(Repository, "eng", "wine-run.sh");

    /// <summary>Where a build puts a program, below its folder bin.</summary>
    internal static string Built { get; } = Of("Configuration") + "/net10.0";

    private static string Assembled(string project, string framework)
        => Path.Combine(Of("Sources"), project, "bin", Of("Configuration"), framework, project + ".dll");

    private static string Of(string name) => Assembly.GetExecutingAssembly()
        .GetCustomAttributes<AssemblyMetadataAttribute>()
        .Single(attribute => attribute.Key == name).Value!;
}
