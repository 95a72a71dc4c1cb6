using System.CommandLine;
using NativeIpc.Tool.Arguments;
using NativeIpc.Tool.Output;

namespace NativeIpc.Tool.Verbs;

/// <summary>What <c>value --json</c> prints.</summary>
internal sealed record SemaphoreValue(NativeIpcKey Key, int Value);

/// <summary><c>nipc value</c>: the count of a semaphore.</summary>
internal static class ValueVerb
{
    private static readonly Argument<string> s_key = KeyArguments.One();
    private static readonly Option<string?> s_type = KeyArguments.TypeOption();
    private static readonly Option<bool> s_json = new("--json") { Description = "Print key and count as JSON" };

    public static Command Command() => new Verb("value", "Print how many permits are free. macOS does not tell for POSIX (exit code 6).",
        "value posix:/workers", "value posix:/workers --json")
    {
        s_key, s_type, s_json,
    }.Does(parsed =>
    {
        NativeIpcKey key = KeyArguments.ReadOne(parsed.GetValue(s_key)!, parsed.GetValue(s_type));
        using SystemSemaphore semaphore = AcquireVerb.Open(key);
        if (!semaphore.TryGetCurrentCount(out int count) && !TryLook(key, out count))
            throw new ToolException(ExitCodes.Unsupported, $"This system does not tell the count of {key}. 'nipc acquire KEY --timeout 0' tries whether there is a permit.");
        if (parsed.GetValue(s_json)) return ToolJson.Print(new SemaphoreValue(key, count), ToolJson.Default.SemaphoreValue);
        Console.Out.WriteLine(count);
        return ExitCodes.Ok;
    });
    /// <summary>On Windows a semaphore that was opened to be used does not tell its count, and one that is looked at does.</summary>
    private static bool TryLook(in NativeIpcKey key, out int count)
    {
        int? value = IpcObjects.CanEnumerate(key.Type) ? IpcObjects.Inspect(key, IpcObjectKind.SystemSemaphore)?.Value : null;
        count = value ?? 0;
        return value is not null;
    }
}
