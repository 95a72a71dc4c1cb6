using System.CommandLine;
using NativeIpc.Tool.Arguments;
using NativeIpc.Tool.Objects;
using NativeIpc.Tool.Running;

namespace NativeIpc.Tool.Verbs;

/// <summary><c>nipc run</c>: holds permits of a semaphore exactly as long as a command runs.</summary>
/// <remarks>System V: acquired with undo, and then this process becomes the command, so that the kernel gives the
/// permit back however the command ends. Elsewhere nothing outlives a process that is killed: this one stays, and
/// waits. POSIX on Linux: its permits are recorded, and the command inherits the record's lock; so when this process
/// was killed, the kernel says when the command has ended as well, and the next one to wait, or doctor, gives them
/// back.</remarks>
internal static class RunVerb
{
    private static readonly Option<string> s_key = new("--sem", "-s") { HelpName = "KEY",
        Description = "The semaphore: a key, a name, or semid:N", Required = true };
    private static readonly Option<string?> s_type = KeyArguments.TypeOption();
    private static readonly Option<bool> s_glob =
        ObjectArgument.GlobOption("KEY is a pattern of names (*, ?) that one semaphore fits");
    private static readonly Option<int> s_count = Permits.CountOption("How many permits to hold (default 1)");
    private static readonly Option<TimeSpan?> s_timeout =
        Values.Timeout("Longest wait (5, 500ms, 2m; 0 tries; default: for ever)");
    private static readonly Option<int?> s_create = Values.NumberOption("--create",
        "Make the semaphore with N permits when there is none", 0, int.MaxValue, "-c");
    private static readonly Option<bool> s_robust = new("--robust")
        { Description = "If nipc is killed, the next with --robust gets its permit" };
    private static readonly Option<int?> s_conflict = Values.NumberOption("--timeout-code",
        "Exit code when the time is up (default 1)", 0, 255, "-E");
    private static readonly Option<bool> s_owners = ObjectArgument.OwnersOption();
    private static readonly Argument<string[]> s_command = new("COMMAND") { Arity = ArgumentArity.OneOrMore,
        Description = "The command and its arguments; the first word that is no option begins it" };

    public static System.CommandLine.Command Command() => new Verb("run",
        "Run a command while holding a permit. As flock(1) does with a lock; the exit code is the command's; 128+N "
            + "for signal N. systemv: the kernel gives the permit back however the command ends. Elsewhere nipc does, "
            + "and forwards signals; when nipc is killed (SIGKILL) and the command has ended as well, a posix permit "
            + "(Linux, glibc) is lost until 'nipc doctor --fix', or the next 'nipc run', gives it back. Elsewhere "
            + "'nipc release KEY' does.",
        "run --sem posix:/workers make all", "run --sem systemv:/tmp/w --create 4 -w 10 ./job -n 2")
    {
        s_command, s_key, s_type, s_glob, s_count, s_timeout, s_create, s_robust, s_conflict, s_owners,
    }
        .Needs(s_conflict, s_timeout)
        .Excludes(s_glob, s_create, "a pattern names what is there.")
        .Refuses(s_create, parsed => parsed.GetValue(s_robust) && parsed.GetValue(s_create) != 1,
            "and --robust contradict each other: a robust semaphore has one permit, so make it with 1.")
        .Excludes(s_robust, s_count, "a robust semaphore has one permit.")
        .Does(Run);

    private static int Run(ParseResult parsed)
    {
        NamedObject named = Named(parsed);
        var command = new Running.Command(parsed.GetValue(s_command)!);
        int count = parsed.GetValue(s_count);
        bool robust = parsed.GetValue(s_robust);
        var options = new SystemSemaphoreOptions
        {
            Removal = RemovalPolicy.Keep, Robust = robust, TakeOverUnknownHolders = OperatingSystem.IsWindows(),
            Recording = !robust && SystemSemaphore.IsPermitRecordingSupported(named.Key.Type)
                ? PermitRecording.ProcessAndChildren : PermitRecording.None,
        };
        if (ObjectArgument.AcceptsOthers(parsed.GetValue(s_owners), onlyLooks: false)) options.AllowOtherOwners = true;
        using SystemSemaphore semaphore = parsed.GetValue(s_create) is { } initial
            ? SystemSemaphore.CreateOrOpen(named.Key, initial, options)
            : named.OpenSemaphore(options);
        if (!WaitingNote.TryAcquire(named, semaphore, count, parsed.GetValue(s_timeout), Interruption.Token))
        {
            Failures.Say(AcquireVerb.TimeIsUp(named.Name, parsed.GetValue(s_timeout)).Message);
            return parsed.GetValue(s_conflict) ?? ExitCodes.Conflict;
        }

        if (semaphore.Key.Type.IsSystemV)
        {
            Interruption.Stop();
            command.Become();
        }

        // To the end, and past the release: a signal must not end this process while it holds the permit.
        using var supervisor = new Supervisor();
        try
        {
            Interruption.Stop();
            return supervisor.Run(command);
        }
        finally
        {
            GiveBack(semaphore, count);
        }
    }

    private static NamedObject Named(ParseResult parsed)
    {
        string text = parsed.GetValue(s_key)!;
        string? type = parsed.GetValue(s_type);
        if (text == "-")
            throw ToolException.Usage("Standard input is the command's. Give the key itself: --sem posix:/name.");
        if (parsed.GetValue(s_glob)) return ObjectArgument.ReadPattern(text, type, IpcObjectKind.SystemSemaphore);
        if (parsed.GetValue(s_create) is null) return ObjectArgument.Read(text, type, IpcObjectKind.SystemSemaphore);
        NativeIpcKey key = KeyArguments.ReadNew(text, type, IpcObjectKind.SystemSemaphore);
        ObjectArgument.Echo(text, type, key.ToString());
        return NamedObject.Of(key);
    }

    /// <summary>What goes wrong here is said, and does not take the place of the command's exit code.</summary>
    private static void GiveBack(SystemSemaphore semaphore, int count)
    {
        try
        {
            semaphore.Release(count);
        }
        catch (NativeIpcException failure)
        {
            Failures.TryReport(failure, out _);
        }
    }
}
