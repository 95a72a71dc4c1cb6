using System.CommandLine;
using NativeIpc.Tool.Arguments;
using NativeIpc.Tool.Objects;
using NativeIpc.Tool.Output;

namespace NativeIpc.Tool.Verbs;

/// <summary><c>nipc acquire</c>: takes permits and keeps them when the tool ends; <c>release</c> gives them back.</summary>
internal static class AcquireVerb
{
    private static readonly ObjectArgument s_object = new(IpcObjectKind.SystemSemaphore);
    private static readonly Option<int> s_count = Permits.CountOption("How many permits to take (default 1)");
    private static readonly Option<TimeSpan?> s_timeout = Values.Timeout("Longest wait (5, 500ms, 2m; 0 tries; default: for ever)");

    public static Command Command() => new Verb("acquire", "Take a permit of a semaphore. It waits until there is one, which stays taken until 'nipc release' ('nipc run' gives it back by itself). Exit code 1: the time was up.",
        "acquire posix:/workers --timeout 5", "acquire posix:/workers -w 0 || echo busy", "acquire -t systemv /run/user/1000/workers -n 2")
    {
        s_object.Key, s_object.Type, s_count, s_timeout, s_object.AllowOtherOwners,
    }.Does(parsed =>
    {
        NamedObject named = s_object.Read(parsed);
        SystemSemaphoreOptions options = s_object.SemaphoreOptions(parsed, onlyLooks: false);
        using SystemSemaphore semaphore = named.OpenSemaphore(options);

        // The permits of a killed 'nipc run' first: nobody else would give them back to one that waits for ever.
        if (named.Key.IsValid) SystemSemaphore.ReturnLostPermits(named.Key, options);
        int count = parsed.GetValue(s_count);
        if (Permits.TryAcquire(semaphore, count, parsed.GetValue(s_timeout), Interruption.Token)) return ExitCodes.Ok;
        if (named.Key.IsValid && SystemSemaphore.ReturnLostPermits(named.Key, options) > 0 && Permits.TryAcquire(semaphore, count, TimeSpan.Zero, Interruption.Token)) return ExitCodes.Ok;
        throw TimeIsUp(named.Name, parsed.GetValue(s_timeout));
    });

    public static ToolException TimeIsUp(string name, TimeSpan? timeout)
        => new(ExitCodes.Conflict, $"{name} had no permit free within {timeout.GetValueOrDefault().TotalSeconds} s. Wait longer{(OperatingSystem.IsWindows() ? "" : $", or see who uses it: 'nipc show {ToolWords.ForShell(name)}'")}.");
}
