using System.CommandLine;
using NativeIpc.Inspection;
using NativeIpc.Tool.Arguments;
using NativeIpc.Tool.Objects;
using NativeIpc.Tool.Output;

namespace NativeIpc.Tool.Verbs;

/// <summary>What <c>value --json</c> prints.</summary>
internal sealed record SemaphoreValue(string Name, NativeIpcKey? Key, int? Id, int Value) : IJsonRecord
{
    public void WriteTo(JsonFields json)
    {
        json.Add("name", Name);
        json.Add("key", Key);
        json.Add("id", Id);
        json.Add("value", Value);
    }
}

/// <summary><c>nipc value</c>: the count of a semaphore.</summary>
internal static class ValueVerb
{
    private static readonly ObjectArgument s_object = new(IpcObjectKind.SystemSemaphore);
    private static readonly Option<bool> s_json = new("--json") { Description = "Print key and count as JSON" };

    public static Command Command()
        => new Verb("value", "Print how many permits are free. macOS does not tell for POSIX (exit code 6).",
        "value posix:/workers", "value posix:/workers --json")
    {
        s_object.Key, s_object.Type, s_object.Glob, s_json, s_object.AllowOtherOwners,
    }.Does(parsed =>
    {
        NamedObject named = s_object.Read(parsed);
        using SystemSemaphore semaphore = named.OpenSemaphore(s_object.SemaphoreOptions(parsed, onlyLooks: true));
        if (!semaphore.TryGetCurrentCount(out int count) && !TryLook(named, out count))
            throw new ToolException(ExitCodes.Unsupported,
                $"This system does not tell the count of {named.Name}. 'nipc acquire {ToolWords.ForShell(named.Name)} "
                    + $"--timeout 0' tries whether there is a permit.");
        if (parsed.GetValue(s_json))
            return ToolJson.Print(new SemaphoreValue(named.Name, named.Key.IsValid ? named.Key : null,
                named.Found?.SystemVId, count));
        Console.Out.WriteLine(count);
        return ExitCodes.Ok;
    });

    /// <summary>On Windows a semaphore that was opened to be used does not tell its count, and one that is looked at
    /// does.</summary>
    private static bool TryLook(NamedObject named, out int count)
    {
        int? value = IpcObjects.CanEnumerate(named.Key.Type)
            ? IpcObjects.Inspect(named.Key, IpcObjectKind.SystemSemaphore)?.Value : null;
        count = value ?? 0;
        return value is not null;
    }
}
