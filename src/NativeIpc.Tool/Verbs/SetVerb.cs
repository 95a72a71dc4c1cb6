using System.CommandLine;
using NativeIpc.Tool.Arguments;

namespace NativeIpc.Tool.Verbs;

/// <summary><c>nipc set</c>: sets an event.</summary>
internal static class SetVerb
{
    private static readonly ObjectArgument s_object = new(IpcObjectKind.SystemEvent);

    public static Command Command()
        => new Verb("set", "Set an event. An auto-reset one frees one that waits, a manual-reset one all of them.",
        "set posix:/ready", "set --glob 'posix:/rea*'")
    {
        s_object.Key, s_object.Type, s_object.Glob, s_object.AllowOtherOwners,
    }.Does(parsed =>
    {
        using SystemEvent opened = s_object.Read(parsed).OpenEvent(s_object.EventOptions(parsed));
        opened.Set();
        return ExitCodes.Ok;
    });
}
