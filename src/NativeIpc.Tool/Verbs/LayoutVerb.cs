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
        Description = "c, cpp (also for Qt), python or rust; default: the description" }
        .AcceptOnlyFromAmong("c", "cpp", "python", "rust");

    public static Command Command()
        => new Verb("layout", "Print typed layouts, and what declares them elsewhere.",
        "layout App.dll", "layout App.dll --lang c > app.h")
    {
        s_file, s_language,
    }.Does(parsed =>
    {
        string file = parsed.GetValue(s_file)!;
        byte[] content = File.ReadAllBytes(file);
        LayoutSet types = LayoutFields.Read(file, content);
        string? text = LayoutText.Format(types);
        if (parsed.GetValue(s_language) is { } language)
        {
            text = LayoutFile.Declarations(content, language, out bool isDamaged);
            if (isDamaged) throw LayoutFields.Damaged(file);
            if (text is null)
                throw ToolException.Usage($"{file} has no declarations in this language. An assembly has them unless "
                    + "NativeIpcLayoutInAssembly is false, NAME.layout those of NativeIpcLayoutLanguages: "
                    + "c;cpp;python;rust.");
        }

        StandardStreams.Write(() => Console.Out.Write(text));
        return ExitCodes.Ok;
    });
}
