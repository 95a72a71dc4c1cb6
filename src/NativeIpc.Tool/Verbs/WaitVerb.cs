using System.CommandLine;
using NativeIpc.Tool.Arguments;
using NativeIpc.Tool.Objects;
using NativeIpc.Tool.Output;

namespace NativeIpc.Tool.Verbs;

/// <summary><c>nipc wait</c>: waits for an event.</summary>
internal static class WaitVerb
{
    private static readonly ObjectArgument s_object = new(IpcObjectKind.SystemEvent);
    private static readonly Option<TimeSpan?> s_timeout =
        Values.Timeout("Longest wait (5, 500ms, 2m; 0 tries; default: for ever)");

    public static Command Command() => new Verb("wait",
        "Wait for an event. An auto-reset one is unset then. Exit code 1: the time was up.",
        "wait posix:/ready --timeout 5", "wait posix:/ready -w 0 || echo 'not yet'")
    {
        s_object.Key, s_object.Type, s_object.Glob, s_timeout, s_object.AllowOtherOwners,
    }.Does(parsed =>
    {
        NamedObject named = s_object.Read(parsed);
        using SystemEvent opened = named.OpenEvent(s_object.EventOptions(parsed));
        TimeSpan? timeout = parsed.GetValue(s_timeout);
        if (opened.Wait(timeout ?? Timeout.InfiniteTimeSpan, Interruption.Token)) return ExitCodes.Ok;
        throw new ToolException(ExitCodes.Conflict,
            $"{named.Name} was not set within {timeout.GetValueOrDefault().TotalSeconds} s. Wait longer, or set it: "
                + $"'nipc set {ToolWords.ForShell(named.Name)}'.");
    });
}
