using System.CommandLine;
using System.CommandLine.Help;
using System.Diagnostics;
using NativeIpc.Tool.Arguments;
using NativeIpc.Tool.Output;
using NativeIpc.Tool.Verbs;

namespace NativeIpc.Tool;

/// <summary>The command line as a whole. A new verb is one file in Verbs with a class of the same shape as the others,
/// and one line in <see cref="Verbs"/>; CONTRIBUTING.md says what belongs to it.</summary>
internal static class Cli
{
    private static (string Name, Func<Command> Make)[] Verbs =>
    [
        ("list", ListVerb.Command),
        ("show", ShowVerb.Command),
        ("doctor", DoctorVerb.Command),
        ("graph", GraphVerb.Command),
        ("key", KeyVerb.Command),
        ("layout", LayoutVerb.Command),
        ("create", CreateVerb.Command),
        ("rm", RmVerb.Command),
        ("read", ReadVerb.Command),
        ("write", WriteVerb.Command),
        ("dump", DumpVerb.Command),
        ("restore", RestoreVerb.Command),
        ("acquire", AcquireVerb.Command),
        ("release", ReleaseVerb.Command),
        ("value", ValueVerb.Command),
        ("set", SetVerb.Command),
        ("reset", ResetVerb.Command),
        ("wait", WaitVerb.Command),
        ("run", RunVerb.Command),
        ("jobserver", JobserverVerb.Command),
        ("demo", DemoVerb.Command),
        ("receive", DemoVerb.Receiver),
        ("completion", CompletionVerb.Command),
        ("man", ManVerb.Command),
    ];

    /// <summary>What the tool is for: one line of help.</summary>
    public const string Purpose = "See, use and repair the shared memory, semaphores and events of this machine.";

    public static RootCommand Root() => RootOf([]);

    /// <summary>The part of it that a command line asks for: its verb alone where it begins with one, and no verb for
    /// the version. To make all of them is a third of the processor time of a start.</summary>
    /// <param name="words">The command line.</param>
    public static RootCommand RootOf(string[] words)
    {
        var root = new RootCommand(Purpose);
        string? only = words is [var first, ..] && Verbs.Any(verb => verb.Name == first) ? first : null;
        foreach ((string name, Func<Command> make) in words is ["--version"] ? [] : Verbs)
        {
            if (only is not null && only != name) continue;
            Command verb = make();
            Debug.Assert(verb.Name == name, "A verb is found by its name.");
            root.Add(verb);
        }

        KeyCompletion.AddTo(root);
        foreach (Option option in root.Options)
        {
            if (option is not HelpOption help) continue;
            help.Action = new HelpText();
            help.Aliases.Remove("/h"); // a native key, for all that is known
            help.Aliases.Remove("/?");
        }

        return root;
    }

    /// <summary>A command as it is typed: <c>nipc create shm</c>.</summary>
    public static string PathOf(Command command)
    {
        Command? parent = command.Parents.OfType<Command>().FirstOrDefault();
        return parent is null ? "nipc" : $"{PathOf(parent)} {command.Name}";
    }
}
