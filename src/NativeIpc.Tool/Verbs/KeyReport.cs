using NativeIpc.Tool.Arguments;
using NativeIpc.Tool.Output;

namespace NativeIpc.Tool.Verbs;

/// <summary>A piece of a native key and the rule that made it.</summary>
internal sealed record KeyPart(string Text, string Rule) : IJsonRecord
{
    public void WriteTo(JsonFields json)
    {
        json.Add("text", Text);
        json.Add("rule", Rule);
    }
}

/// <summary>What the <c>key</c> verbs say about one key, on one platform.</summary>
internal sealed record KeyReport(
    string Key, string Type, string NativeKey, string? LegacyKey, string Kind, string Platform, int Length, int Maximum,
    bool? WasCut, string? Violation, string? LockKey, bool? SupportedHere, IReadOnlyList<KeyPart>? Parts)
    : IJsonRecord
{
    public void WriteTo(JsonFields json)
    {
        json.Add("key", Key);
        json.Add("type", Type);
        json.Add("nativeKey", NativeKey);
        json.Add("legacyKey", LegacyKey);
        json.Add("kind", Kind);
        json.Add("platform", Platform);
        json.Add("length", Length);
        json.Add("maximum", Maximum);
        json.Add("wasCut", WasCut);
        json.Add("violation", Violation);
        json.Add("lockKey", LockKey);
        json.Add("supportedHere", SupportedHere);
        json.Add("parts", Parts);
    }

    public static KeyReport Of(in NativeIpcKey key, IpcObjectKind kind, NativeIpcKeyRules rules, bool? wasCut = null,
        IReadOnlyList<KeyPart>? parts = null)
    {
        (int length, int maximum) = rules.MeasureLength(key, kind);
        bool isHere = rules.Platform == NativeIpcKeyRules.Current.Platform;
        return new KeyReport(key.ToString(), KeyOptions.WordOf(key.Type), key.NativeKey,
            key.LegacyKey.Length > 0 ? key.LegacyKey : null, KeyOptions.WordOf(kind), KeyOptions.WordOf(rules.Platform),
            length, maximum, wasCut, rules.FindViolation(key, kind), kind == IpcObjectKind.SharedMemory
                ? LockOf(key, rules) : null,
            isHere ? IsSupportedHere(key.Type, kind) : null, parts);
    }

    /// <summary>Everything, a line each.</summary>
    public void Print()
    {
        Line("key", Key);
        Line("type",
            Type + (SupportedHere is { } supported ? supported ? ", supported here" : ", not supported here" : ""));
        Line("native key", NativeKey);
        if (LegacyKey is not null) Line("legacy key", LegacyKey);
        foreach (KeyPart part in Parts ?? []) Line("", $"{part.Text,-24} {part.Rule}");
        Line("length", $"{Length} of at most {Maximum} {(Type == "windows" ? "UTF-16 units" : "bytes")} "
            + $"({Platform}, {(Kind == "shm" ? "a segment" : Kind == "sem" ? "a semaphore" : "an event")})");
        if (WasCut is { } cut) Line("cut", cut ? "yes: every name that starts the same gives this key" : "no");
        if (LockKey is not null) Line("its lock", $"{LockKey} (a semaphore)");
        Line("usable", Violation is null ? $"yes, on {Platform}" : $"no, on {Platform}: {Violation}");
    }

    private static void Line(string label, string text)
        => Console.Out.WriteLine(PrintableText.Of($"{label,-12}{text}".TrimEnd()));

    private static bool IsSupportedHere(NativeIpcKeyType type, IpcObjectKind kind) => kind switch
    {
        IpcObjectKind.SharedMemory => SharedMemory.IsKeyTypeSupported(type),
        IpcObjectKind.SystemSemaphore => SystemSemaphore.IsKeyTypeSupported(type),
        _ => SystemEvent.IsKeyTypeSupported(type),
    };

    private static string? LockOf(in NativeIpcKey key, NativeIpcKeyRules rules)
    {
        try
        {
            return rules.LockKey(key).ToString();
        }
        catch (InvalidOperationException)
        {
            return null; // a legacy key of a machine whose temporary folder is not known here
        }
    }
}
