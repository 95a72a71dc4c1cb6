using System.CommandLine;
using System.Globalization;
using Microsoft.Win32.SafeHandles;
using NativeIpc.Tool.Arguments;
using NativeIpc.Tool.Objects;
using NativeIpc.Tool.Running;

namespace NativeIpc.Tool.Verbs;

/// <summary><c>nipc jobserver</c>: builds share the permits of one semaphore, by the protocols of GNU make and of
/// Cabal.</summary>
/// <remarks>The command runs under one permit, its first job's. Further ones are the tokens of a jobserver that this
/// build has for itself: a FIFO that is fed from the semaphore as it is used (make on Linux), or a semaphore with what
/// was free at the start (Cabal, and make on Windows). So what a build has taken is always known, and is given back
/// when its command ends, whoever in it was killed. On Linux the permits are recorded: when this process was killed,
/// they are given back once the whole build has ended.</remarks>
internal static class JobserverVerb
{
    private const string NameWord = "{}";

    private static readonly Option<string?> s_key = new("--sem", "-s") { HelpName = "KEY",
        Description = "The semaphore that builds share (default: one of this user)" };
    private static readonly Option<string?> s_type = KeyArguments.TypeOption();
    private static readonly Option<int?> s_jobs = Values.NumberOption("--jobs",
        "Its permits when there is none yet (default: the processors)", 1, int.MaxValue, "-j");
    private static readonly Option<int?> s_count = Values.NumberOption("--count",
        "At most N jobs of this command at a time", 1, int.MaxValue, "-n");
    private static readonly Option<TimeSpan?> s_timeout =
        Values.Timeout("Longest wait for the first permit (default: for ever)");
    private static readonly Option<bool> s_pipe = new("--pipe")
        { Description = "Pass descriptors, as make before 4.4 needs, and no path" };
    private static readonly Option<bool> s_jsem = new("--jsem")
        { Description = "Cabal's semaphore: its name takes the place of the word {}" };
    private static readonly Option<bool> s_owners = ObjectArgument.OwnersOption();
    private static readonly Argument<string[]> s_command = new("COMMAND") { Arity = ArgumentArity.OneOrMore,
        Description = "The build and its arguments, without -j" };

    public static System.CommandLine.Command Command() => new Verb("jobserver",
        "Run a build that shares the cores with other builds. Its make takes a permit for each job, by the jobserver "
            + "in MAKEFLAGS. All are given back when it ends, also those of killed clients.",
        "jobserver --jobs 8 make all", "jobserver -s posix:/cores -n 4 --jsem ghc -jsem {} Main.hs")
    {
        s_command, s_key, s_type, s_jobs, s_count, s_timeout, s_pipe, s_jsem, s_owners,
    }
        .Needs(s_type, s_key)
        .Excludes(s_pipe, s_jsem, "one is of make, the other of Cabal.")
        .Refuses(s_pipe, _ => OperatingSystem.IsWindows(), "is not for Windows, where make has a semaphore.")
        .Does(Run);

    private static int Run(ParseResult parsed)
    {
        if (!OperatingSystem.IsLinux() && !OperatingSystem.IsWindows())
            throw new ToolException(ExitCodes.Unsupported,
                "A jobserver is offered on Linux and Windows. 'nipc run' limits whole commands here.");
        string[] words = parsed.GetValue(s_command)!;
        bool jsem = parsed.GetValue(s_jsem);
        if (jsem && !words.Contains(NameWord))
            throw ToolException.Usage("--jsem needs to know where the command takes the name: write {} there, as in "
                + "'ghc -jsem {}'.");
        NamedObject named = Named(parsed);
        int most = (parsed.GetValue(s_count) ?? int.MaxValue) - 1; // the first job needs no token
        var options = new SystemSemaphoreOptions { Removal = RemovalPolicy.Keep };
        if (OperatingSystem.IsLinux() && SystemSemaphore.IsPermitRecordingSupported(named.Key.Type))
            options.Recording = PermitRecording.ProcessAndChildren;
        if (ObjectArgument.AcceptsOthers(parsed.GetValue(s_owners), onlyLooks: false)) options.AllowOtherOwners = true;
        using SystemSemaphore cores = SystemSemaphore.CreateOrOpen(named.Key,
            parsed.GetValue(s_jobs) ?? Environment.ProcessorCount, options);
        if (!WaitingNote.TryAcquire(named, cores, 1, parsed.GetValue(s_timeout), Interruption.Token))
            throw AcquireVerb.TimeIsUp(named.Name, parsed.GetValue(s_timeout));

        // To the end, and past the release: a signal must not end this process while it holds permits.
        using var supervisor = new Supervisor();
        try
        {
            Interruption.Stop();
            return jsem || OperatingSystem.IsWindows() ? BySemaphore(supervisor, words, jsem, cores, most)
                : ByFifo(supervisor, new Running.Command(words), parsed.GetValue(s_pipe), cores, most);
        }
        finally
        {
            GiveBack(cores, 1);
        }
    }

    private static NamedObject Named(ParseResult parsed)
    {
        string? type = parsed.GetValue(s_type);
        string text = parsed.GetValue(s_key) ?? (OperatingSystem.IsWindows() ? "nipc.jobserver"
            : string.Create(CultureInfo.InvariantCulture, $"nipc.jobserver.{Libc.geteuid()}"));
        if (text == "-")
            throw ToolException.Usage("Standard input is the command's. Give the key itself: --sem posix:/name.");
        NativeIpcKey key = KeyArguments.ReadNew(text, type, IpcObjectKind.SystemSemaphore);
        if (parsed.GetValue(s_key) is not null) ObjectArgument.Echo(text, type, key.ToString());
        return NamedObject.Of(key);
    }

    private static int ByFifo(Supervisor supervisor, Running.Command command, bool pipe, SystemSemaphore cores,
        int most)
    {
        using var fifo = new TokenFifo(cores, most);
        if (!pipe && !MakeFlags.NeedsDescriptors(command))
        {
            return fifo.Name.AsSpan().IndexOfAny(" \t\n\\$") < 0
                ? supervisor.Run(command, Flags($"fifo:{fifo.Name}"))
                : throw ToolException.Usage(
                    $"make splits its flags at blanks: set TMPDIR to a folder without (it is {Path.GetTempPath()}).");
        }

        // Inherited: these two are not closed by the start of the command.
        using SafeFileHandle reads = Libc.Open(fifo.Name, Libc.O_RDONLY);
        using SafeFileHandle writes = Libc.Open(fifo.Name, Libc.O_WRONLY);
        return supervisor.Run(command, Flags(string.Create(CultureInfo.InvariantCulture,
            $"{reads.DangerousGetHandle()},{writes.DangerousGetHandle()}")));
    }

    /// <summary>Nobody tells when a permit of a semaphore is taken, so what is free now is the build's to its
    /// end.</summary>
    private static int BySemaphore(Supervisor supervisor, string[] words, bool jsem, SystemSemaphore cores, int most)
    {
        int tokens = 0;
        try
        {
            while (tokens < most && cores.TryAcquire(TimeSpan.Zero, CancellationToken.None)) tokens++;
            string name = $"{(jsem ? "nipc_jsem" : "gmake_semaphore")}_{Guid.NewGuid():N}";
            NativeIpcKeyType type =
                OperatingSystem.IsWindows() ? NativeIpcKeyType.Windows : NativeIpcKeyType.PosixRealtime;
            using SystemSemaphore jobs = SystemSemaphore.CreateNew(
                new NativeIpcKey(OperatingSystem.IsWindows() ? name : $"/{name}", type), tokens);
            return !jsem ? supervisor.Run(new Running.Command(words), Flags(name))
                : supervisor.Run(new Running.Command([.. words.Select(word => word == NameWord ? name : word)]));
        }
        finally
        {
            GiveBack(cores, tokens);
        }
    }

    private static Dictionary<string, string> Flags(string jobserver) => new()
    {
        [MakeFlags.Variable] = MakeFlags.With(Environment.GetEnvironmentVariable(MakeFlags.Variable), jobserver),
    };

    /// <summary>What goes wrong here is said, and does not take the place of the command's exit code.</summary>
    private static void GiveBack(SystemSemaphore semaphore, int count)
    {
        try
        {
            if (count > 0) semaphore.Release(count);
        }
        catch (NativeIpcException failure)
        {
            Failures.TryReport(failure, out _);
        }
    }
}
