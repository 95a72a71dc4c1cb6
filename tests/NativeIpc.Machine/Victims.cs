using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text.Json;
using NativeIpc.Interop.Unix;
using NativeIpc.Victim;
using Xunit;

namespace NativeIpc.Machine;

/// <summary>Starts the helper program NativeIpc.Victim in a situation that one test process cannot be in.</summary>
internal static class Victims
{
    private const string Program = "NativeIpc.Victim";

    private static readonly Lazy<string> s_folder = new(Publish);
    private static readonly Lazy<string?> s_namespaceProblem = new(FindNamespaceProblem);

    private static readonly Dictionary<string, string?> s_environment = new()
    {
        ["DOTNET_ROOT"] = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "../../..")),
        ["DOTNET_EnableDiagnostics"] = "0", // no socket in the temporary folder, which a killed process leaves behind
        ["DOTNET_DbgEnableMiniDump"] = "0",
    };

    private static bool MustRun => string.Equals(Environment.GetEnvironmentVariable("CI"), "true",
        StringComparison.OrdinalIgnoreCase);

    internal const string WhyRoot = "Needs root, to become another user or to make name spaces.";

    /// <summary>Skips unless the tests run as root.</summary>
    internal static void NeedRoot() => Need.Root(WhyRoot);

    /// <summary>Skips unless mounts and System V limits can be private; in CI, root must be able to.</summary>
    internal static void NeedNamespaces()
    {
        NeedRoot();
        Peers.Require("unshare", "util-linux");
        if (s_namespaceProblem.Value is not { } problem) return;
        if (MustRun) Assert.Fail(problem);
        Assert.Skip(problem);
    }

    /// <summary>Runs steps in a process of their own.</summary>
    internal static VictimResult Run(Situation situation, params string[] steps)
    {
        string[] command = Command(situation, steps);
        ShellResult result = Shell.Run(command[0], command[1..], "/", EnvironmentOf(situation));
        return new VictimResult(result);
    }

    /// <summary>Starts steps in a process that goes on while the test does, and waits until the first one is
    /// done.</summary>
    /// <returns>What ends it, by SIGKILL.</returns>
    internal static IDisposable Start(Situation situation, params string[] steps)
    {
        string[] command = Command(situation, steps);
        var start = new ProcessStartInfo(command[0], command[1..]) { RedirectStandardOutput = true,
            WorkingDirectory = "/" };
        foreach (KeyValuePair<string, string?> variable in EnvironmentOf(situation))
            start.Environment[variable.Key] = variable.Value;
        var running = new RunningVictim(Process.Start(start)!);
        running.AwaitFirstStep();
        return running;
    }

    /// <summary>
    /// The words before a command that give it the default actions of the signals that this process was started to
    /// ignore: a background job of a script (<c>./test.sh &amp;</c>) ignores SIGINT and SIGQUIT, nohup SIGHUP, and
    /// children inherit that. A shell cannot undo it, since POSIX lets no trap be set for a signal that was ignored at
    /// its start.
    /// </summary>
    private static readonly Lazy<string[]> s_defaultSignals = new(() =>
    {
        const int ending = 0b111; // 1 SIGHUP, 2 SIGINT, 3 SIGQUIT
        const string field = "SigIgn:";
        IEnumerable<string> lines = File.ReadLines("/proc/self/status");
        string mask = lines.First(line => line.StartsWith(field, StringComparison.Ordinal))[field.Length..];
        if ((Convert.ToUInt64(mask.Trim(), 16) & ending) == 0) return [];
        string[] words = ["env", "--default-signal=HUP,INT,QUIT"];
        if (Shell.Run(words[0], [words[1], "true"], "/").ExitCode == 0) return words;
        Assert.Skip("SIGHUP, SIGINT or SIGQUIT were ignored at the start of this process, and env(1) cannot reset them "
            + "(that of coreutils 8.31 can).");
        return [];
    }, LazyThreadSafetyMode.PublicationOnly);

    private static string[] Command(Situation situation, string[] steps)
    {
        List<string> command = [.. s_defaultSignals.Value];
        if (situation.MountFirst is not null || situation.IsPrivateIpc)
        {
            NeedNamespaces();
            command.Add("unshare");
            if (situation.IsPrivateIpc) command.Add("--ipc");
            if (situation.MountFirst is not null) command.AddRange(["--mount", "--propagation", "private"]);
        }

        if (situation.MountFirst is not null || situation.Before is not null || situation.After is not null)
        {
            string setUp = string.Join("\n", new[] { situation.MountFirst, situation.Before }.OfType<string>());
            command.AddRange(
                ["sh", "-c", $"set -e\n{setUp}\nset +e\n\"$@\"\ncode=$?\n{situation.After}\nexit $code", "sh"]);
        }

        if (situation.User is { } user) command.AddRange(AsUser(user));
        if (situation.IsProcessOne)
        {
            NeedNamespaces();
            command.AddRange(["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]);
        }

        if (situation.UserNamespace is { } mapping) command.AddRange([Peers.Require("unshare", "util-linux"), "--user",
            .. mapping]);
        if (situation.Filter is { } rules) command.AddRange([Path.Combine(s_folder.Value, Program), "under", rules]);
        if (situation.Trace is { } file)
            command.AddRange([Peers.Require("strace", "strace"), "-f", "-q", "-y", "-o", file, "-e", situation.Traced]);
        command.AddRange(situation.Through);
        command.Add(Path.Combine(s_folder.Value, Program));
        command.AddRange(steps);
        return [.. command];
    }

    /// <summary>The words before a command that run it as another user, in the group of the same number and no
    /// other.</summary>
    internal static string[] AsUser(int user)
    {
        NeedRoot();
        return [Peers.Require("setpriv", "util-linux"), $"--reuid={user}", $"--regid={user}", "--clear-groups"];
    }

    private static Dictionary<string, string?> EnvironmentOf(Situation situation)
    {
        Dictionary<string, string?> environment = new(s_environment);
        foreach (KeyValuePair<string, string?> variable in situation.Environment ?? [])
            environment[variable.Key] = variable.Value;
        return environment;
    }

    /// <summary>A program that runs beside the test.</summary>
    private sealed class RunningVictim(Process process) : IDisposable
    {
        public void AwaitFirstStep()
        {
            Task<string?> reading = process.StandardOutput.ReadLineAsync();
            bool came = reading.Wait(Patience.Minutes(1));
            if (came && reading.Result is { } line && JsonSerializer.Deserialize<Outcome>(line) is { Did: not null })
                return;
            Dispose();
            throw new InvalidOperationException(
                $"The program did not begin: {(came ? reading.Result : "the watchdog ended it")}");
        }

        public void Dispose()
        {
            process.Kill();
            process.WaitForExit();
            process.Dispose();
        }
    }

    /// <summary>Runs the same steps in processes of one process group, and sends the group a signal when each has said
    /// a line.</summary>
    /// <returns>The exit codes, and the standard error of all.</returns>
    internal static (int[] ExitCodes, string Error) RunGroup(int processes, string signal, string lineOfEach,
        params string[] steps)
    {
        // A pipeline, since a shell lets its background jobs ignore SIGINT. The shells outlive the signal, to tell the
        // exit codes.
        const string Member = "{ trap : INT TERM HUP; \"$@\" >&3 </dev/null; echo \"code $?\" >&3; }";
        string pipeline =
            $"trap : INT TERM HUP; {{ {string.Join(" | ", Enumerable.Repeat(Member, processes))}; }} 3>&1";
        string[] command = [.. s_defaultSignals.Value, Peers.Require("setsid", "util-linux"), "sh", "-c", pipeline,
            "sh", Path.Combine(s_folder.Value, Program), .. steps];
        var start = new ProcessStartInfo(command[0], command[1..])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = "/",
        };
        foreach (KeyValuePair<string, string?> variable in s_environment)
            start.Environment[variable.Key] = variable.Value;

        using Process group = Process.Start(start)!;
        using var watchdog = new Timer(_ => Shell.Run("kill", ["-KILL", "--", $"-{group.Id}"]), null,
            Patience.Minutes(1), Timeout.InfiniteTimeSpan);
        Task<string> error = group.StandardError.ReadToEndAsync();
        List<int> exitCodes = [];
        List<string> said = [];
        while (group.StandardOutput.ReadLine() is { } line)
        {
            said.Add(line);
            if (line.StartsWith("code ", StringComparison.Ordinal))
                exitCodes.Add(int.Parse(line[5..], CultureInfo.InvariantCulture));
            else if (line.Contains(lineOfEach, StringComparison.Ordinal) && --processes == 0)
                _ = Shell.Run("kill", [$"-{signal}", "--", $"-{group.Id}"]).Succeeded;
        }

        group.WaitForExit();
        return ([.. exitCodes], $"{string.Join('\n', said)}\n{error.Result}");
    }

    internal static void Dispose()
    {
        if (s_folder.IsValueCreated) Directory.Delete(s_folder.Value, recursive: true);
    }

    /// <summary>Copies the program to where every user may run it: the build's folder may be in somebody's
    /// home.</summary>
    private static string Publish()
    {
        string built = typeof(Victims).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
            .Single(attribute => attribute.Key == "VictimFolder").Value!;
        string folder = Directory.CreateTempSubdirectory($"{TestRun.Prefix}program-").FullName;
        const UnixFileMode forAll = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
            | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;
        File.SetUnixFileMode(folder, forAll);
        foreach (string file in new[] { Program, $"{Program}.dll", $"{Program}.runtimeconfig.json",
            $"{Program}.deps.json", "NativeIpc.dll", "NativeIpc.Inspection.dll" })
        {
            string copy = Path.Combine(folder, file);
            File.Copy(Path.Combine(built, file), copy);
            File.SetUnixFileMode(copy, forAll);
        }

        return folder;
    }

    private static string? FindNamespaceProblem()
    {
        ShellResult result = Shell.Run("unshare",
            ["--ipc", "--mount", "--propagation", "private", "sh", "-c",
                "mount -t tmpfs none /dev/shm && cat /proc/sys/kernel/shmmni > /proc/sys/kernel/shmmni"]);
        return result.ExitCode == 0 ? null
            : $"Private mounts and System V limits cannot be had here: {result.Error.Trim()}";
    }
}

/// <summary>What a process is started in.</summary>
internal sealed record Situation
{
    /// <summary>Nothing special.</summary>
    internal static Situation Plain { get; } = new();

    /// <summary>As user nobody.</summary>
    internal static Situation Nobody { get; } = As(NobodysId);

    /// <summary>The number of user nobody.</summary>
    internal const int NobodysId = 65534;

    /// <summary>As a user by number, which need not be known to the system.</summary>
    internal static Situation As(int user) => new() { User = user };

    /// <summary>With a /dev/shm of its own, of a few pages.</summary>
    internal static Situation SmallDevShm { get; } = new()
        { MountFirst = "mount -t tmpfs -o size=64k,mode=1777 none /dev/shm", After = ListDevShm };

    /// <summary>Prints what is in /dev/shm at the end.</summary>
    internal const string ListDevShm = "ls -A /dev/shm";

    /// <summary>Prints the System V objects at the end.</summary>
    internal const string ListSystemV = "tail -q -n +2 /proc/sysvipc/shm /proc/sysvipc/sem";

    /// <summary>The user who runs the program; null for the one of the tests.</summary>
    internal int? User { get; init; }

    /// <summary>In a user name space of its own, made by that user: the options of unshare(1) that map ids; none maps
    /// no id.</summary>
    internal string[]? UserNamespace { get; init; }

    internal bool IsPrivateIpc { get; init; }

    /// <summary>
    /// What the kernel refuses to the program from its first moment on (NativeIpc.Victim's SystemCallFilter); null for
    /// nothing.
    /// </summary>
    internal string? Filter { get; init; }

    /// <summary>A command that runs the program.</summary>
    internal string[] Through { get; init; } = [];

    /// <summary>Where strace writes what the program calls, with the paths of descriptors; null for no trace.</summary>
    internal string? Trace { get; init; }

    /// <summary>Which calls strace writes.</summary>
    internal string Traced { get; init; } = "trace=all";

    /// <summary>As process number 1 of a PID name space, as in a container.</summary>
    internal bool IsProcessOne { get; init; }

    /// <summary>Shell commands in a private mount name space, as root.</summary>
    internal string? MountFirst { get; init; }

    /// <summary>Shell commands before the program, as root.</summary>
    internal string? Before { get; init; }

    /// <summary>Shell commands after the program, as root.</summary>
    internal string? After { get; init; }

    internal Dictionary<string, string?>? Environment { get; init; }
}

/// <summary>What the steps did, and what else was printed: by the shell commands after them.</summary>
internal sealed class VictimResult
{
    internal VictimResult(ShellResult result)
    {
        string[] lines = result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Outcomes = [.. lines.Where(IsOutcome).Select(line => JsonSerializer.Deserialize<Outcome>(line)!)];
        OtherLines = [.. lines.Where(line => !IsOutcome(line))];
        ExitCode = result.ExitCode;
        Error = result.Error;
        if (Outcomes.Length == 0)
            throw new InvalidOperationException(
                $"The program did nothing and ended with {ExitCode}.\n{result.Output}\n{Error}");
    }

    internal Outcome[] Outcomes { get; }

    internal string[] OtherLines { get; }

    internal int ExitCode { get; }

    internal string Error { get; }

    /// <summary>What the one step of a name that failed, or did something, came to.</summary>
    internal Outcome this[int step]
        => Outcomes.Length > step ? Outcomes[step]
            : throw new InvalidOperationException(
                $"Only {Outcomes.Length} steps; the program ended with {ExitCode}.\n{Error}");

    /// <summary>Asserts what every step did; a failure shows all of them.</summary>
    internal VictimResult Did(params string[] expected)
    {
        string[] actual = [.. Outcomes.Select(outcome => outcome.Did ?? $"{outcome.Exception}: {outcome.Message}")];
        Assert.True(expected.SequenceEqual(actual),
            $"Expected:\n{string.Join('\n', expected)}\nActual:\n{string.Join('\n', actual)}\n{Error}");
        return this;
    }

    /// <summary>Asserts that the commands after the program found nothing.</summary>
    internal VictimResult LeftNothing()
    {
        Assert.Empty(OtherLines);
        return this;
    }

    private static bool IsOutcome(string line) => line.StartsWith('{');
}
