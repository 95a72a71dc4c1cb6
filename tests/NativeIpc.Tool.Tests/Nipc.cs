using System.Diagnostics;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Xunit;

namespace NativeIpc.Tool.Tests;

/// <summary>The built tool, as a process. The variable NIPC names another one to be used if it is there: test.sh gives
/// the native AOT file, which starts 50 times faster.</summary>
internal static class Nipc
{
    internal static string Program { get; } = Environment.GetEnvironmentVariable("NIPC") is { Length: > 0 } given
        && File.Exists(given) ? Path.GetFullPath(given) : Path.Combine(Metadata("ToolFolder"), "nipc");

    /// <summary>The sources of the tool.</summary>
    internal static string Sources { get; } = Metadata("ToolSources");

    /// <summary>Where a build has made an assembly with layouts.</summary>
    internal static string Layouts { get; } = Metadata("LayoutsFolder");

    /// <summary>The folder of the documents.</summary>
    internal static string Documents { get; } = Metadata("Documents");

    /// <summary>The compiler of the SDK that has built this.</summary>
    internal static string Compiler { get; } = Metadata("Compiler");

    /// <summary>The folder of .NET's assemblies that a compiler is given.</summary>
    internal static string References { get; } = Metadata("References");

    /// <summary>The folder of the analyzers that this SDK asks without being told.</summary>
    internal static string Analyzers { get; } = Metadata("Analyzers");

    /// <summary>The tool's code, also where a native file is what runs.</summary>
    internal static Assembly Code { get; } = Assembly.LoadFrom(Path.Combine(Metadata("ToolFolder"), "nipc.dll"));

    /// <summary>Runs it to its end, without input.</summary>
    internal static ShellResult Run(params string[] arguments) => Shell.Run(Program, arguments);

    internal static ShellResult RunWith(IEnumerable<KeyValuePair<string, string?>> environment,
        params string[] arguments) => Shell.Run(Program, arguments, environment: environment);

    /// <summary>Runs it to its end with standard input, and gives the bytes of standard output.</summary>
    internal static (int ExitCode, byte[] Output, string Error) Feed(byte[] input, params string[] arguments)
    {
        using var running = new RunningNipc(arguments);
        running.Process.StandardInput.BaseStream.Write(input);
        running.Process.StandardInput.Close();
        using var output = new MemoryStream();
        Task copying = running.Process.StandardOutput.BaseStream.CopyToAsync(output);
        Task<string> error = running.Process.StandardError.ReadToEndAsync();
        int code = running.WaitForEnd();
        Assert.True(Task.WaitAll([copying, error], Patience.Seconds(30)));
        return (code, output.ToArray(), error.Result);
    }

    /// <summary>Runs it, expects success, and gives standard output without its last line feed.</summary>
    internal static string Succeed(params string[] arguments)
    {
        ShellResult result = Run(arguments);
        Assert.True(result.ExitCode == 0,
            $"nipc {string.Join(' ', arguments)} ended with {result.ExitCode}:\n{result.Output}{result.Error}");
        return result.Output.TrimEnd('\n', '\r');
    }

    /// <summary>Runs it, expects an exit code and an empty standard output, and gives what it says on standard
    /// error.</summary>
    internal static string Fail(int exitCode, params string[] arguments)
    {
        ShellResult result = Run(arguments);
        Assert.True(result.ExitCode == exitCode,
            $"nipc {string.Join(' ', arguments)} ended with {result.ExitCode} instead "
                + $"of {exitCode}:\n{result.Output}{result.Error}");
        Assert.Empty(result.Output);
        Assert.StartsWith("nipc: ", result.Error, StringComparison.Ordinal);
        return result.Error;
    }

    internal static JsonElement Json(params string[] arguments)
    {
        using JsonDocument document = JsonDocument.Parse(Succeed(arguments));
        return document.RootElement.Clone();
    }

    /// <summary>Skips where .NET itself starts no program whose standard input is closed.</summary>
    internal static void RequireStartWithoutInput()
    {
        ShellResult result = Shell.Run("bash", ["-c", "\"$0\" --version <&-", Program]);
        Assert.SkipWhen(result.Error.Contains("Failed to create CoreCLR", StringComparison.Ordinal),
            "This .NET starts no program whose standard input is closed: 11.0.0 duplicates it first "
                + "(fcntl(0, F_DUPFD_CLOEXEC) says EBADF), and the host says \"Failed to create CoreCLR\".");
    }

    /// <summary>How JSON spells a member of an enumeration of the library.</summary>
    internal static string Word(string member) => JsonNamingPolicy.KebabCaseLower.ConvertName(member);

    private static string Metadata(string key) => typeof(Nipc).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
        .Single(data => data.Key == key).Value!;
}

/// <summary>The tool while it runs. Disposing kills it with its children.</summary>
internal sealed partial class RunningNipc : IDisposable
{
    private static readonly TimeSpan s_watchdog = Patience.Seconds(60);

    internal RunningNipc(params string[] arguments)
        : this(Nipc.Program, arguments)
    {
    }

    internal RunningNipc(string program, string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
            StandardOutputEncoding = new UTF8Encoding(false), StandardInputEncoding = new UTF8Encoding(false),
        };
        Process = Process.Start(start)!;
    }

    internal Process Process { get; }

    /// <summary>The next line of standard output.</summary>
    internal string ReadLine()
    {
        Task<string?> reading = Process.StandardOutput.ReadLineAsync();
        Assert.True(reading.Wait(s_watchdog), "The watchdog ended the tool: it said nothing.");
        return reading.Result ?? throw new InvalidOperationException(
            $"The tool ended: {Process.StandardError.ReadToEnd()}");
    }

    internal void Signal(int number) => Kill(Process.Id, number);

    internal static void Kill(int processId, int number) => Assert.Equal(0, KillNative(processId, number));

    internal int WaitForEnd()
    {
        Assert.True(Process.WaitForExit(s_watchdog), "The watchdog ended the tool: it did not end.");
        return Process.ExitCode;
    }

    public void Dispose()
    {
        if (!Process.HasExited) Process.Kill(entireProcessTree: true);
        Process.WaitForExit(s_watchdog); // then it shows no sign of life any more
        Process.Dispose();
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int KillNative(int processId, int signal);
}
