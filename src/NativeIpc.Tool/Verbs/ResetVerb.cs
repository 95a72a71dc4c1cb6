using System.CommandLine;
using NativeIpc.Tool.Arguments;

namespace NativeIpc.Tool.Verbs;

/// <summary><c>nipc reset</c>: resets an event.</summary>
internal static class ResetVerb
{
    private static readonly ObjectArgument s_object = new(IpcObjectKind.SystemEvent);

    public static Command Command()
        => new Verb("reset", "Reset an event. Who was freed stays free, who comes waits for the next 'nipc set'.",
        "reset posix:/ready", "reset --glob 'posix:/rea*'")
    {
        s_object.Key, s_object.Type, s_object.Glob, s_object.AllowOtherOwners,
    }.Does(parsed =>
    {
        using SystemEvent opened = s_object.Read(parsed).OpenEvent(s_object.EventOptions(parsed));
        opened.Reset();
        return ExitCodes.Ok;
    });
}
