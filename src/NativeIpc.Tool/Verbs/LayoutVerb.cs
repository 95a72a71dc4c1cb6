using System.CommandLine;
using NativeIpc.Layouts;
using NativeIpc.Tool.Objects;
using NativeIpc.Tool.Output;

namespace NativeIpc.Tool.Verbs;

/// <summary><c>nipc layout</c>: structs that are shared with NativeIpc.Channels, and their declarations.</summary>
internal static class LayoutVerb
{
    private static readonly Argument<string> s_file = new("FILE")
        { Description = "NAME.layout of a build, or an assembly with [SharedLayout] structs" };
    private static readonly Option<string?> s_language = new Option<string?>("--lang", "-l") { HelpName = "LANG",
        Description = "c, cpp (also for Qt), python or rust, of NAME.layout; default: the description" }
        .AcceptOnlyFromAmong("c", "cpp", "python", "rust");

    public static Command Command()
        => new Verb("layout", "Print typed layouts, and what declares them elsewhere.",
        "layout App.dll", "layout layouts/App.layout --lang c > app.h")
    {
        s_file, s_language,
    }.Does(parsed =>
    {
        string file = parsed.GetValue(s_file)!;
        LayoutSet types = LayoutFields.ReadFile(file);
        string? text = parsed.GetValue(s_language) is { } language
            ? LayoutFile.Declarations(File.ReadAllBytes(file), language) : LayoutText.Format(types);
        if (text is null)
            throw ToolException.Usage($"{file} has no declarations in this language. The build of a project writes "
                + "NAME.layout with those that NativeIpcLayoutLanguages names: c;cpp;python;rust.");
        StandardStreams.Write(() => Console.Out.Write(text));
        return ExitCodes.Ok;
    });
}
