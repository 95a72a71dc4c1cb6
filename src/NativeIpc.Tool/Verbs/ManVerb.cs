using System.CommandLine;
using NativeIpc.Tool.Output;

namespace NativeIpc.Tool.Verbs;

/// <summary><c>nipc man</c>: the manual page, which a package installs.</summary>
internal static class ManVerb
{
    public static Command Command() => new Verb("man", "Print the manual page, in the language of man(7).",
        "man | man -l -", "man > ~/.local/share/man/man1/nipc.1").Does(_ =>
    {
        string page = ManPage.Of(Cli.Root());
        StandardStreams.Write(() => Console.Out.Write(page));
        return ExitCodes.Ok;
    });
}
