using System.CommandLine;
using System.CommandLine.Help;
using System.Diagnostics;
using NativeIpc.Tool.Output;
using NativeIpc.Tool.Verbs;

namespace NativeIpc.Tool;

/// <summary>The command line as a whole. A new verb is one file in Verbs with a class of the same shape as the others, and one line in <see cref="s_verbs"/>;
/// CONTRIBUTING.md says what belongs to it.</summary>
internal static class Cli
{
    private static readonly (string Name, Func<Command> Make)[] s_verbs =
    [
        ("list", ListVerb.Command),
        ("show", ShowVerb.Command),
        ("doctor", DoctorVerb.Command),
        ("key", KeyVerb.Command),
        ("create", CreateVerb.Command),
        ("rm", RmVerb.Command),
        ("read", ReadVerb.Command),
        ("write", WriteVerb.Command),
        ("dump", DumpVerb.Command),
        ("restore", RestoreVerb.Command),
        ("acquire", AcquireVerb.Command),
        ("release", ReleaseVerb.Command),
        ("value", ValueVerb.Command),
        ("run", RunVerb.Command),
        ("demo", DemoVerb.Command),
        ("demo-receiver", DemoVerb.Receiver),
        ("completion", CompletionVerb.Command),
    ];

    /// <summary>The command line for these arguments: with the one verb that they begin with, which is what starts
    /// fastest, else with all.</summary>
    public static RootCommand Root(string[] args)
    {
        var root = new RootCommand("See, use and repair this machine's shared memory and semaphores: POSIX, System V and Windows.");
        int named = args.Length == 0 ? -1 : Array.FindIndex(s_verbs, verb => verb.Name == args[0]);
        bool isVersion = args is ["--version"];
        for (int verb = 0; verb < s_verbs.Length && !isVersion; verb++)
        {
            if (named >= 0 && verb != named) continue;
            Command command = s_verbs[verb].Make();
            Debug.Assert(command.Name == s_verbs[verb].Name, "A verb stands in the table under its own name.");
            root.Add(command);
        }

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
