using System.CommandLine;
using System.CommandLine.Completions;
using NativeIpc.Inspection;
using NativeIpc.Tool.Objects;
using NativeIpc.Tool.Output;

namespace NativeIpc.Tool.Arguments;

/// <summary>What a shell offers for KEY: the objects that are there and that the verb can take.</summary>
internal static class KeyCompletion
{
    private static readonly string[] s_segments = ["read", "write", "dump", "restore"];
    private static readonly string[] s_semaphores = ["acquire", "release", "value", "run", "jobserver"];
    private static readonly string[] s_events = ["set", "reset", "wait"];
    private static readonly string[] s_all = ["show", "rm"];

    /// <summary>Gives every argument and option that is called KEY its source. The KEY of <c>create</c> is a new
    /// one.</summary>
    public static void AddTo(Command root)
    {
        foreach (Command verb in root.Subcommands)
        {
            if (KindOf(verb.Name) is not { } kinds) continue;
            foreach (Argument argument in verb.Arguments.Where(argument => argument.Name == "KEY"))
                argument.CompletionSources.Add(context => Find(context, kinds));
            foreach (Option option in verb.Options.Where(option => option.HelpName == "KEY"))
                option.CompletionSources.Add(context => Find(context, kinds));
        }
    }

    private static IpcObjectKind[]? KindOf(string verb)
        => s_all.Contains(verb) ? Enum.GetValues<IpcObjectKind>()
            : s_segments.Contains(verb) ? [IpcObjectKind.SharedMemory]
            : s_semaphores.Contains(verb) ? [IpcObjectKind.SystemSemaphore]
            : s_events.Contains(verb) ? [IpcObjectKind.SystemEvent] : null;

    private static IEnumerable<CompletionItem> Find(CompletionContext context, IpcObjectKind[] kinds)
    {
        string? type = context.ParseResult.CommandResult.Command.Options.FirstOrDefault(
            option => option.Name == "--type") is Option<string?> option ? context.ParseResult.GetValue(option) : null;
        var options = new IpcEnumerationOptions { IncludeAttachments = false,
            Type = type is null ? null : KeyArguments.ParseType(type) };
        return IpcObjects.Enumerate(options).Objects
            .Where(found => kinds.Contains(found.Kind))
            .Select(found => type is not null ? found.Key.NativeKey : NamedObject.NameOf(found))
            // What a terminal would not show, nobody can choose
            .Where(name => name.Length > 0 && PrintableText.Of(name) == name)
            .Distinct().Order(StringComparer.Ordinal)
            .Select(name => new CompletionItem(name));
    }
}
