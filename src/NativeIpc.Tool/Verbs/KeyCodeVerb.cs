using System.CommandLine;
using NativeIpc.Tool.Arguments;
using NativeIpc.Tool.Code;

namespace NativeIpc.Tool.Verbs;

/// <summary><c>nipc key code</c>: a complete program that opens a key.</summary>
internal static class KeyCodeVerb
{
    private static readonly Argument<string> s_key = KeyArguments.One();
    private static readonly Option<string?> s_type = KeyArguments.TypeOption();
    private static readonly Option<string> s_kind = KeyOptions.Kind("shm", "sem");
    private static readonly Option<string> s_language = new Option<string>("--lang", "-l") { HelpName = "LANG",
        Description = "csharp, c, cpp-qt or python", Required = true }.AcceptOnlyFromAmong("csharp", "c",
            "cpp-qt", "python");

    public static Command Command()
        => new Verb("code", "Print a program that opens a key. How to build it is in its first line.",
        "key code posix:/frames --lang c > frames.c", "key code posix:/workers -k sem --lang python",
        "key code systemv:/run/user/1000/frames --lang cpp-qt")
    {
        s_key, s_language, s_kind, s_type,
    }.Does(parsed =>
    {
        NativeIpcKey key = KeyArguments.ReadOne(parsed.GetValue(s_key)!, parsed.GetValue(s_type));
        IpcObjectKind kind = KeyOptions.ParseKind(parsed.GetValue(s_kind)!);
        var platform = new NativeIpcKeyRules(
            key.Type == NativeIpcKeyType.Windows ? KeyPlatform.Windows : KeyPlatform.Linux);
        if (platform.FindViolation(key, kind) is { } violation)
            throw ToolException.Usage($"No program can open {key}. {violation}");
        Console.Out.Write(parsed.GetValue(s_language) switch
        {
            "csharp" => CSharpCode.For(key, kind),
            "cpp-qt" => QtCode.For(key, kind),
            "python" => PythonCode.For(key, kind),
            _ => CCode.For(key, kind),
        });
        return ExitCodes.Ok;
    });
}
