using Xunit;

namespace NativeIpc.Tool.Tests;

/// <summary><c>nipc key code</c>: each program is built and run against an object of the tool's making, whose name has
/// what a literal must escape.</summary>
public class KeyCodeTests : OneType
{
    /// <summary>Quotes, a backslash, a trigraph, a percent sign, digits after what is escaped, and more than
    /// ASCII.</summary>
    private const string Awkward = "a\"b'\\n%41??=é1😀";

    public static TheoryData<string, string, string> Programs()
    {
        var data = new TheoryData<string, string, string>();
        foreach (string type in new[] { "posix", "systemv", "systemv-84" })
        {
            foreach (string kind in new[] { "shm", "sem" })
            {
                data.Add("c", type, kind);
                data.Add("python", type, kind);

                // The same program for each type, and slow to build: one of each kind.
                if ((type, kind) is not (("systemv-84", "shm") or ("posix", "sem"))) continue;
                data.Add("csharp", type, kind);
                data.Add("cpp-qt", type, kind);
            }
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Programs))]
    [NeedsLinux("The compilers of Linux are asked.")]
    public void The_program_opens_the_object(string language, string type, string kind)
    {
        NativeIpcKey key = NewKey(type);
        key = Names.Track(key.WithNativeKey(key.NativeKey + Awkward));
        Nipc.Succeed(["create", kind, $"{key}", kind == "shm" ? "100" : "1"]);
        if (kind == "shm") Nipc.Succeed("write", $"{key}", "--hex", "2a");

        string folder = Names.TrackPath(Directory.CreateDirectory(NewFile()).FullName);
        string code = Nipc.Succeed("key", "code", $"{key}", "--lang", language, "--kind", kind) + "\n";
        string output = language switch
        {
            "c" => RunC(folder, code),
            "csharp" => RunCSharp(folder, code),
            "python" => Shell.Run(Peers.Require("python3", "python3"), [Write(folder, "open.py", code)]).Succeeded,
            _ => RunQt(folder, code),
        };

        Assert.Contains(kind == "sem" ? "acquired" : language == "python" && type != "posix"
            ? "the first byte is 42" : "100 bytes, the first one is 42", output, StringComparison.Ordinal);
        if (kind == "sem") Assert.Equal("1", Nipc.Succeed("value", $"{key}"));
    }

    [Theory]
    [InlineData("shm")]
    [InlineData("sem")]
    [NeedsLinux("The cross compiler of Debian is asked.")]
    public void The_programs_for_Windows_compile(string kind)
    {
        string compiler = Peers.Require("x86_64-w64-mingw32-gcc", "gcc-mingw-w64-x86-64");
        string folder = Names.TrackPath(Directory.CreateDirectory(NewFile()).FullName);
        string name = "windows:" + Awkward.Replace("\\", "", StringComparison.Ordinal).Replace("??", "",
            StringComparison.Ordinal);
        string file = Write(folder, "open.c", Nipc.Succeed("key", "code", name, "--lang", "c", "-k", kind) + "\n");
        Assert.Empty(Shell.Run(compiler,
            ["-Wall", "-Wextra", "-Werror", "-o", Path.Combine(folder, "open.exe"), file]).Succeeded);
        Assert.Empty(Shell.Run(Peers.Require("python3", "python3"),
            ["-m", "py_compile", Write(folder, "open.py",
                Nipc.Succeed("key", "code", name, "--lang", "python", "-k", kind))]).Succeeded);
    }

    private static string RunC(string folder, string code)
    {
        string program = Path.Combine(folder, "open");
        Assert.Empty(Shell.Run(Peers.Require("gcc", "gcc"),
            ["-Wall", "-Wextra", "-Werror", "-pthread", "-o", program, Write(folder, "open.c", code),
                "-lrt"]).Succeeded);
        return Shell.Run(program, []).Succeeded;
    }

    /// <summary>By the compiler of the SDK and the analyzers that it always asks, against the library that stands
    /// beside this program instead of the package.</summary>
    private static string RunCSharp(string folder, string code)
    {
        const string usings = "IO;Linq;Net.Http;Collections.Generic;Threading;Threading.Tasks";
        Write(folder, "usings.cs", "global using System;\n"
            + string.Concat(usings.Split(';').Select(name => $"global using System.{name};\n")));
        string config = Write(folder, "build.globalconfig", """
            is_global = true
            build_property.TargetFramework = net10.0
            build_property.TargetFrameworkIdentifier = .NETCoreApp
            build_property.TargetFrameworkVersion = v10.0
            build_property._SupportedPlatformList = Linux,macOS,Windows
            build_property.InvariantGlobalization = true
            """);
        string library = Path.Combine(AppContext.BaseDirectory, "NativeIpc.dll");
        string[] references = [.. Directory.GetFiles(Nipc.References, "*.dll"), library];
        string[] analyzers = ["Microsoft.CodeAnalysis.NetAnalyzers.dll",
            "Microsoft.CodeAnalysis.CSharp.NetAnalyzers.dll"];
        string dotnet = Peers.Require("dotnet", "dotnet-sdk-10.0");
        _ = Shell.Run(dotnet, ["exec", Nipc.Compiler, "-nologo", "-noconfig", "-warnaserror", "-warn:10",
            "-features:FileBasedProgram", "-out:open.dll", $"-analyzerconfig:{config}",
            .. references.Select(path => "-reference:" + path),
            .. analyzers.Select(name => "-analyzer:" + Path.Combine(Nipc.Analyzers, name)), "usings.cs",
            Write(folder, "open.cs", code)], folder, watchdog: Patience.Minutes(3)).Succeeded;
        Write(folder, "open.runtimeconfig.json", $$"""
            {
              "runtimeOptions": {
                "framework": { "name": "Microsoft.NETCore.App", "version": "{{Environment.Version}}" },
                "configProperties": { "System.Globalization.Invariant": true }
              }
            }
            """);
        File.Copy(library, Path.Combine(folder, "NativeIpc.dll"));
        return Shell.Run(dotnet, ["exec", Path.Combine(folder, "open.dll")]).Succeeded;
    }

    /// <summary>With Qt 6.8 in the folder of Debian 13 that eng/peers.sh makes; where it is not, the test is
    /// skipped.</summary>
    private static string RunQt(string folder, string code)
    {
        string cache = Environment.GetEnvironmentVariable("NATIVEIPC_CACHE")
            ?? Path.Combine(Environment.GetEnvironmentVariable("XDG_CACHE_HOME")
                ?? Path.Combine(Environment.GetEnvironmentVariable("HOME")!, ".cache"), "nativeipc");
        string trixie = Path.Combine(cache, "trixie");
        Assert.SkipUnless(Directory.Exists(Path.Combine(trixie, "usr/include/x86_64-linux-gnu/qt6/QtCore")),
            "Qt 6.8 is missing here: eng/peers.sh makes it.");
        Assert.SkipUnless(Environment.UserName == "root", "Compiling in the folder with Qt 6.8 (chroot) needs root.");

        // Compiled inside, where its compiler and headers are; run outside with the loader of its own, as the peers
        // are.
        string inside = "/tmp/" + Path.GetFileName(folder);
        Directory.CreateDirectory(trixie + inside);
        try
        {
            Write(trixie + inside, "open.cpp", code);
            _ = Shell.Run("chroot", [trixie, "sh", "-c",
                $"i=/usr/include/x86_64-linux-gnu/qt6; g++ -fPIC -Wall -I$i -I$i/QtCore "
                    + $"-o {inside}/open {inside}/open.cpp -lQt6Core"], watchdog: Patience.Minutes(2)).Succeeded;
            return Shell.Run($"{trixie}/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
                ["--library-path", $"{trixie}/usr/lib/x86_64-linux-gnu", $"{trixie}{inside}/open"]).Succeeded;
        }
        finally
        {
            Directory.Delete(trixie + inside, recursive: true);
        }
    }

    private static string Write(string folder, string name, string text)
    {
        string path = Path.Combine(folder, name);
        File.WriteAllText(path, text);
        return path;
    }
}
