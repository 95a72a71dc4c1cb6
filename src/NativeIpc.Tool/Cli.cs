using System.CommandLine;
using System.CommandLine.Help;
using NativeIpc.Tool.Arguments;
using NativeIpc.Tool.Output;
using NativeIpc.Tool.Verbs;

namespace NativeIpc.Tool;

/// <summary>The command line as a whole. A new verb is one file in Verbs with a class of the same shape as the others,
/// and one line in <see cref="Verbs"/>; CONTRIBUTING.md says what belongs to it.</summary>
internal static class Cli
{
    private static Command[] Verbs =>
    [
        ListVerb.Command(),
        ShowVerb.Command(),
        DoctorVerb.Command(),
        GraphVerb.Command(),
        KeyVerb.Command(),
        CreateVerb.Command(),
        RmVerb.Command(),
        ReadVerb.Command(),
        WriteVerb.Command(),
        DumpVerb.Command(),
        RestoreVerb.Command(),
        AcquireVerb.Command(),
        ReleaseVerb.Command(),
        ValueVerb.Command(),
        RunVerb.Command(),
        JobserverVerb.Command(),
        DemoVerb.Command(),
        DemoVerb.Receiver(),
        CompletionVerb.Command(),
        ManVerb.Command(),
    ];

    /// <summary>What the tool is for: one line of help.</summary>
    public const string Purpose = "See, use and repair the shared memory and semaphores of this machine.";

    public static RootCommand Root()
    {
        var root = new RootCommand(Purpose);
        foreach (Command verb in Verbs) root.Add(verb);
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
