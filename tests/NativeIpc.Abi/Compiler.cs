using System.Runtime.InteropServices;
using Xunit;

namespace NativeIpc.Abi;

/// <summary>The C compilers, with what each needs to know. A missing one skips the test (see
/// <see cref="Peers"/>).</summary>
internal static class Compiler
{
    internal const string Gcc = "gcc";
    internal const string MuslGcc = "musl-gcc";

    /// <summary>Compiles and links a program for this machine against glibc (gcc) or musl (musl-gcc), and returns its
    /// path.</summary>
    internal static string Build(string compiler, TempFolder folder, params IEnumerable<string> sources)
    {
        string path = Peers.Require(compiler, compiler == MuslGcc ? "musl-tools" : "gcc");
        string program = folder.PathOf("program-" + compiler);
        string[] libc = compiler == MuslGcc ? ["-static", "-isystem", KernelHeadersFor(folder)] : [];
        _ = Shell.Run(path, ["-std=gnu11", "-Wall", "-Werror", .. libc, "-o", program, .. sources]).Succeeded;
        return program;
    }

    /// <summary>Checks C for a target with clang, which needs no linker or C library of that target for it.</summary>
    internal static ShellResult CheckSyntax(string target, string source, params IEnumerable<string> options)
        => Clang(["--target=" + target, "-fsyntax-only", .. options, source]);

    /// <summary>What clang needs for the headers of glibc for arm64 that stand beside those of this machine.</summary>
    internal static string[] CrossHeaders()
    {
        Assert.SkipUnless(RuntimeInformation.ProcessArchitecture == Architecture.X64,
            "An arm64 machine has its own headers, and Debian no others for it.");
        const string Folder = "/usr/aarch64-linux-gnu/include";
        Peers.Require(Folder + "/features.h", "libc6-dev-arm64-cross");
        Peers.Require(Folder + "/linux/stat.h", "linux-libc-dev-arm64-cross");
        return ["-nostdlibinc", "-isystem", Folder];
    }

    /// <summary>The name of this machine for clang, and of the folder of its headers: machine-linux-gnu or
    /// machine-linux-musl.</summary>
    internal static string Target(string libc)
        => (RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? "aarch64-linux-" : "x86_64-linux-") + libc;

    /// <summary>The optimised assembly text of C for a target.</summary>
    internal static string Assembly(string target, string source)
        => Clang(["--target=" + target, "-std=gnu11", "-S", "-O1", "-o", "-", source]).Succeeded;

    private static ShellResult Clang(IEnumerable<string> arguments)
        => Shell.Run(Peers.Require("clang", "clang"), arguments);

    // musl-gcc sees the headers of musl only, and musl has none of the kernel's.
    private static string KernelHeadersFor(TempFolder folder)
    {
        string headers = folder.PathOf("kernel");
        Directory.CreateDirectory(headers);
        foreach ((string name, string home) in new[] { ("linux", "/usr/include/linux"),
            ("asm-generic", "/usr/include/asm-generic"), ("asm", $"/usr/include/{Target("gnu")}/asm") })
        {
            Directory.CreateSymbolicLink(Path.Combine(headers, name), Peers.Require(home, "linux-libc-dev"));
        }

        return headers;
    }
}
