using System.CommandLine;
using NativeIpc.Tool.Arguments;
using NativeIpc.Tool.Objects;
using NativeIpc.Tool.Output;

namespace NativeIpc.Tool.Verbs;

/// <summary><c>nipc acquire</c>: takes permits and keeps them when the tool ends; <c>release</c> gives them
/// back.</summary>
internal static class AcquireVerb
{
    private static readonly ObjectArgument s_object = new(IpcObjectKind.SystemSemaphore);
    private static readonly Option<int> s_count = Permits.CountOption("How many permits to take (default 1)");
    private static readonly Option<TimeSpan?> s_timeout =
        Values.Timeout("Longest wait (5, 500ms, 2m; 0 tries; default: for ever)");

    // As often as a waiting 'nipc run' looks for lost permits.
    private static readonly TimeSpan s_between = TimeSpan.FromMilliseconds(500);

    public static Command Command() => new Verb("acquire",
        "Take a permit of a semaphore. It waits until there is one, which stays taken until 'nipc release' ('nipc "
            + "run' gives it back by itself). Exit code 1: the time was up.",
        "acquire posix:/workers --timeout 5", "acquire posix:/workers -w 0 || echo busy",
        "acquire -t systemv /run/user/1000/workers -n 2")
    {
        s_object.Key, s_object.Type, s_object.Glob, s_count, s_timeout, s_object.AllowOtherOwners,
    }.Does(parsed =>
    {
        NamedObject named = s_object.Read(parsed);
        SystemSemaphoreOptions options = s_object.SemaphoreOptions(parsed, onlyLooks: false);
        using SystemSemaphore semaphore = named.OpenSemaphore(options);

        // The permits of killed holders first, and while it waits: nobody else may be there to give them back.
        if (named.Key.IsValid) SystemSemaphore.ReturnLostPermits(named.Key, options);
        bool isRecorded = named.Key.IsValid && SystemSemaphore.IsPermitRecordingSupported(named.Key.Type);
        using Timer? mending = isRecorded ? new Timer(_ => Mend(named.Key, options), null, s_between, s_between) : null;
        int count = parsed.GetValue(s_count);
        if (WaitingNote.TryAcquire(named, semaphore, count, parsed.GetValue(s_timeout), Interruption.Token))
            return ExitCodes.Ok;
        if (named.Key.IsValid && SystemSemaphore.ReturnLostPermits(named.Key, options) > 0
            && Permits.TryAcquire(semaphore, count, TimeSpan.Zero, Interruption.Token))
            return ExitCodes.Ok;
        throw TimeIsUp(named.Name, parsed.GetValue(s_timeout));
    });

    private static void Mend(in NativeIpcKey key, SystemSemaphoreOptions options)
    {
        try
        {
            SystemSemaphore.ReturnLostPermits(key, options);
        }
        catch (NativeIpcException)
        {
            // As without: what keeps it from being told was told at the start, or is over at the next time.
        }
    }

    public static ToolException TimeIsUp(string name, TimeSpan? timeout)
        => new(ExitCodes.Conflict,
            $"{name} had no permit free within {timeout.GetValueOrDefault().TotalSeconds} s. Wait "
                + $"longer{(OperatingSystem.IsWindows() ? "" : $", or see who uses it: 'nipc "
                    + $"show {ToolWords.ForShell(name)}'")}.");
}
