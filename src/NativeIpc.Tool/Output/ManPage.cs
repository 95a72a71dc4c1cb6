using System.CommandLine;
using System.Reflection;
using System.Text;

namespace NativeIpc.Tool.Output;

/// <summary>The manual page, made from the verbs: each with its options and examples. Written with man(7)'s
/// macros.</summary>
internal static class ManPage
{
    public static string Of(Command root)
    {
        string version =
            typeof(ManPage).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion
                ?? "";
        var page = new StringBuilder();
        Line(page, $".TH NIPC 1 \"\" \"nipc {Text(version)}\" \"User Commands\"\n.nh\n.ad l");
        Section(page, "NAME");
        Line(page, @"nipc \- see, use and repair shared memory and semaphores");
        Section(page, "SYNOPSIS");
        Line(page, ".B nipc\n.I VERB\n[\\fIOPTION\\fR]... [\\fIARGUMENT\\fR]...");
        Section(page, "DESCRIPTION");
        Paragraph(page, $"{Cli.Purpose} POSIX and System V objects are seen whoever made them: programs in C, Qt, "
            + $"Python, .NET or any other language.");
        Paragraph(page, "A KEY is the text of a key (posix:/frames, systemv:/run/user/1000/frames), or with --type "
            + "the name that the system knows. It may be - to be read from standard input.");
        Paragraph(page, "Sizes are bytes, 0x..., or have a unit of 1024 (64k, 16M, 2G). Times are seconds (5, 0.5) or "
            + "have a unit (500ms, 2m, 1h); 0 tries and waits for nothing.");
        Paragraph(page, "No verb removes an object by looking at it or by using it. With --json, what a verb prints "
            + "has one schema for all verbs.");
        Section(page, "VERBS");
        foreach (Command verb in root.Subcommands.Where(verb => !verb.Hidden)) Verb(page, verb);
        Section(page, "EXIT STATUS");
        foreach ((string code, string meaning) in ExitCodes.Meanings) Item(page, code, meaning);
        Section(page, "ENVIRONMENT");
        Item(page, "NO_COLOR", "No colours, also on a terminal");
        Item(page, "XDG_RUNTIME_DIR, TMPDIR", "Folders of System V key files");
        Section(page, "FILES");
        Item(page, "/dev/shm", "POSIX segments, and semaphores as sem.NAME");
        Item(page, "/proc/sysvipc", "The System V objects");
        Section(page, "SEE ALSO");
        Line(page, ".BR ipcs (1),\n.BR ipcrm (1),\n.BR ipcmk (1),\n.BR lsipc (1),\n.BR flock (1),\n.BR lsof (8),\n.BR "
            + "shm_overview (7),\n.BR sem_overview (7),\n.BR sysvipc (7)");
        return page.ToString();
    }

    private static void Verb(StringBuilder page, Command command)
    {
        Command[] subs = [.. command.Subcommands.Where(sub => !sub.Hidden)];
        if (subs.Length > 0)
        {
            foreach (Command sub in subs) Verb(page, sub);
            return;
        }

        Line(page, $".SS {Text(HelpText.Usage(command))}");
        Paragraph(page, command.Description ?? "");
        foreach (Argument argument in command.Arguments.Where(argument => !argument.Hidden))
            Item(page, HelpText.NameOf(argument), argument.Description ?? "");
        foreach (Option option in HelpText.Options(command))
            Item(page, HelpText.Spelling(option), option.Description ?? "");
        if (command is not NativeIpc.Tool.Verb { Examples: { Count: > 0 } examples }) return;
        Line(page, ".PP\nExamples:\n.PP\n.RS 4\n.nf");
        foreach (string example in examples) Line(page, Text($"nipc {example}"));
        Line(page, ".fi\n.RE");
    }

    private static void Section(StringBuilder page, string name) => Line(page, $".SH {name}");

    private static void Paragraph(StringBuilder page, string text) => Line(page, $".PP\n{Text(text)}");

    private static void Item(StringBuilder page, string name, string text)
        => Line(page, $".TP\n\\fB{Text(name)}\\fR\n{Text(text)}");

    private static void Line(StringBuilder page, string line) => page.Append(line).Append('\n');

    /// <summary>Text that roff prints as it is: hyphens that can be copied, and no line that begins as a request
    /// does.</summary>
    private static string Text(string text)
    {
        string escaped = text.Replace("\\", "\\e", StringComparison.Ordinal).Replace("-", "\\-",
            StringComparison.Ordinal)
            .Replace("'", "\\(aq", StringComparison.Ordinal).Replace("~", "\\(ti",
                StringComparison.Ordinal).Replace("^", "\\(ha", StringComparison.Ordinal)
            .Replace("`", "\\(ga", StringComparison.Ordinal);
        return escaped.StartsWith('.') ? $"\\&{escaped}" : escaped;
    }
}
