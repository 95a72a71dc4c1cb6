using System.CommandLine;
using NativeIpc.Tool.Arguments;
using Transfer;

namespace NativeIpc.Tool.Verbs;

/// <summary><c>nipc demo</c>: the example of the README (samples/dotnet/Transfer, compiled in), with this program as
/// both processes.</summary>
internal static class DemoVerb
{
    private static readonly Argument<string?> s_file = new("FILE") { Arity = ArgumentArity.ZeroOrOne,
        Description = "The file to move (default: a large one of this program)" };
    private static readonly Option<string[]> s_types = new("--type", "-t") { HelpName = "TYPE",
        Description = "posix, systemv[-N] or windows; again for more (default: all that work here)" };
    private static readonly Option<string?> s_child = new Option<string?>("--child") { HelpName = "dotnet|c",
        Description = "Language of the second process (default: both; c needs a C compiler)" }.AcceptOnlyFromAmong(
            "dotnet", "c");

    public static Command Command() => new Verb("demo",
        "Move a file between processes through shared memory. Through 64 KiB and two semaphores, with keys of every "
            + "type that works here; the hashes are compared. Leaves nothing behind. Exit code 1: a copy differs.",
        "demo", "demo big.iso --type systemv --child dotnet")
    {
        s_file, s_types, s_child,
    }.Does(parsed =>
    {
        string file = parsed.GetValue(s_file) ?? Choices.LargestLibrary();
        if (!File.Exists(file)) throw new ToolException(ExitCodes.NotFound, $"There is no file '{file}'.");
        NativeIpcKeyType[] asked = [.. (parsed.GetValue(s_types) ?? []).Select(KeyArguments.ParseType)];
        string? child = parsed.GetValue(s_child);
        try
        {
            return Demo.RunAsync(new Choices(file, asked.Length > 0 ? asked : Choices.SupportedTypes(),
                child is null or "dotnet", child is null or "c", Corrupt: false)).GetAwaiter().GetResult();
        }
        catch (UsageException usage)
        {
            throw new ToolException(ExitCodes.Unsupported, usage.Message);
        }
    });

    /// <summary>The second process: it is started by the first one, and by nobody else.</summary>
    public static Command Receiver()
    {
        var keys = new Argument<string[]>("KEYS") { Arity = new ArgumentArity(3, 3) };
        var receiver = new Verb("receive", "The second process of 'nipc demo'.") { keys };
        receiver.Hidden = true;
        return receiver.Does(parsed =>
        {
            NativeIpcKey[] parsedKeys = [.. parsed.GetValue(keys)!.Select(NativeIpcKey.Parse)];
            return Transfer.Receiver.Run(parsedKeys[0], parsedKeys[1], parsedKeys[2]);
        });
    }
}
