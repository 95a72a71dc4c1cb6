using System.Collections.Concurrent;
using System.Text.RegularExpressions;
using NativeIpc.Testing;

namespace NativeIpc.Guides;

/// <summary>
/// Compiles the .NET side of a page: a program in one file, as <c>dotnet run FILE.cs</c> takes it, against the library
/// that stands beside this test program instead of the package that its first line names.
/// </summary>
internal static partial class CSharpProgram
{
    private const string ImplicitUsings = """
        global using System;
        global using System.Collections.Generic;
        global using System.IO;
        global using System.Linq;
        global using System.Net.Http;
        global using System.Threading;
        global using System.Threading.Tasks;
        """;

    private const string Project = """
        <Project Sdk="Microsoft.NET.Sdk">
          <PropertyGroup>
            <OutputType>Exe</OutputType>
            <TargetFramework>net10.0</TargetFramework>
            <Nullable>enable</Nullable>
            <ImplicitUsings>enable</ImplicitUsings>
            <InvariantGlobalization>true</InvariantGlobalization>
            <Features>FileBasedProgram</Features>
            <EnableDefaultItems>false</EnableDefaultItems>
            <SatelliteResourceLanguages>en</SatelliteResourceLanguages>
            <DebugType>none</DebugType>
          </PropertyGroup>
          <ItemGroup>
            <Compile Include="$(MSBuildProjectName).cs" />
            <Reference Include="NativeIpc" HintPath="LIBRARY" />
          </ItemGroup>
        </Project>
        """;

    // Several pages have the same .NET side.
    private static readonly ConcurrentDictionary<string, byte[]> s_compiled = new();

    private static string Library => Path.Combine(AppContext.BaseDirectory, "NativeIpc.dll");

    // What each package that a program names brings with it, among the files that stand beside this test program.
    private static readonly Dictionary<string, string[]> s_packages = new()
    {
        ["NativeIpc"] = [],
        ["NativeIpc.Channels"] = ["NativeIpc.Channels.dll"],
        ["NativeIpc.DistributedLock"] = ["NativeIpc.DistributedLock.dll", "DistributedLock.Core.dll"],
        ["NativeIpc.Extensions"] = ["NativeIpc.Extensions.dll", "NativeIpc.Inspection.dll"],
        ["NativeIpc.Inspection"] = ["NativeIpc.Inspection.dll"],
        ["NativeIpc.NamedObjects"] = ["NativeIpc.NamedObjects.dll"],
        ["Microsoft.Extensions.Hosting"] = ["Microsoft.Extensions.*.dll", "System.Diagnostics.EventLog.dll",
            "System.Threading.RateLimiting.dll"],
        ["OpenTelemetry.Extensions.Hosting"] = ["OpenTelemetry*.dll"],
    };

    // With a generator for the compiler, and a step after it that writes declarations.
    private static bool HasLayouts(string text)
        => text.Contains("#:package NativeIpc.Channels@", StringComparison.Ordinal);

    private static string[] LibrariesOf(string text)
        => [Library, .. Package().Matches(text).SelectMany(package => s_packages[package.Groups[1].Value])
            .SelectMany(files => Directory.EnumerateFiles(AppContext.BaseDirectory, files)).Distinct()];

    /// <summary>Makes NAME.dll of NAME.cs.</summary>
    internal static void Compile(string folder, string file, bool isProgram = true)
    {
        string name = Path.GetFileNameWithoutExtension(file);
        string text = File.ReadAllText(Path.Combine(folder, file));
        string program = Path.Combine(folder, name + ".dll");
        byte[] bytes = s_compiled.GetOrAdd(text, _ =>
        {
            string usings = Path.Combine(folder, "usings.g.cs");
            File.WriteAllText(usings, ImplicitUsings);
            string framework = Path.GetDirectoryName(typeof(object).Assembly.Location)!;
            IEnumerable<string> references =
                ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
                .Where(path => Path.GetDirectoryName(path) == framework)
                .Concat(LibrariesOf(text))
                .Select(path => "-reference:" + path);
            ShellResult result = Shell.Run(
                Place.Dotnet,
                ["exec", Place.Compiler, .. CompilerServer.Options,
                    "-nologo", "-noconfig", "-warnaserror", "-nullable:enable",
                    "-unsafe", "-features:FileBasedProgram", isProgram ? "-target:exe" : "-target:library",
                    "-out:" + program, .. references,
                    .. HasLayouts(text) ? ["-analyzer:" + Place.LayoutGenerator] : Array.Empty<string>(), usings, file],
                folder);
            return result.ExitCode == 0 ? File.ReadAllBytes(program)
                : throw new InvalidOperationException(result.Output + result.Error);
        });

        File.WriteAllBytes(program, bytes);
        if (HasLayouts(text))
        {
            _ = Shell.Run(Place.Dotnet, ["exec", Place.LayoutWriter, program, folder, name, "c", "cpp", "python",
                "rust"], folder).Succeeded;
        }

        File.WriteAllText(
            Path.Combine(folder, name + ".runtimeconfig.json"),
            $$"""
            {
              "runtimeOptions": {
                "framework": { "name": "Microsoft.NETCore.App", "version": "{{Environment.Version}}" },
                "configProperties": { "System.Globalization.Invariant": true }
              }
            }
            """);
        foreach (string library in LibrariesOf(text))
            File.Copy(library, Path.Combine(folder, Path.GetFileName(library)), overwrite: true);
    }

    /// <summary>Publishes NAME.cs for Windows, with its own .NET, and returns the program's path.</summary>
    internal static string PublishForWindows(string folder, string file)
    {
        string name = Path.GetFileNameWithoutExtension(file);
        string project = Path.Combine(folder, name + ".csproj");
        string output = Path.Combine(folder, "windows");
        File.WriteAllText(project, Project.Replace("LIBRARY", Library, StringComparison.Ordinal));

        // Two projects in one folder must not share an obj folder.
        _ = Shell.Run(
            Place.Dotnet,
            ["publish", project, "-nologo", "-v", "q", "-r", "win-x64", "--self-contained", "true", "--artifacts-path",
                Path.Combine(folder, "build-" + name), "-o", output],
            folder,
            watchdog: Patience.Minutes(3)).Succeeded;
        return Path.Combine(output, name + ".exe");
    }

    [GeneratedRegex("^#:package ([^@]+)@", RegexOptions.Multiline)]
    private static partial Regex Package();
}
