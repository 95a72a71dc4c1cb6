using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using NativeIpc.Inspection;
using NativeIpc.Tool.Objects;
using NativeIpc.Tool.Output;

namespace NativeIpc.Tool.Verbs;

/// <summary>One finding, as <c>doctor --json</c> prints it.</summary>
internal sealed record FindingReport(string Finding, string Severity, string Summary, string Remedy, string? Command,
    bool SafeToFix, bool? Fixed, ObjectReport? Object) : IJsonRecord
{
    public void WriteTo(JsonFields json)
    {
        json.Add("finding", Finding);
        json.Add("severity", Severity);
        json.Add("summary", Summary);
        json.Add("remedy", Remedy);
        json.Add("command", Command);
        json.Add("safeToFix", SafeToFix);
        json.Add("fixed", Fixed);
        json.Add("object", Object);
    }
}

/// <summary>A limit of the system.</summary>
internal sealed record LimitReport(string Name, string Description, long? Used, long Maximum, string Unit)
    : IJsonRecord
{
    public void WriteTo(JsonFields json)
    {
        json.Add("name", Name);
        json.Add("description", Description);
        json.Add("used", Used);
        json.Add("maximum", Maximum);
        json.Add("unit", Unit);
    }
}

/// <summary>What <c>doctor --json</c> prints.</summary>
internal sealed record DoctorReport(IReadOnlyList<FindingReport> Findings, IReadOnlyList<LimitReport> Limits)
    : IJsonRecord
{
    public void WriteTo(JsonFields json)
    {
        json.Add("findings", Findings);
        json.Add("limits", Limits);
    }
}

/// <summary><c>nipc doctor</c>: what is wrong on this machine, and how to mend it.</summary>
internal static class DoctorVerb
{
    // Of one kind: an application that leaves its objects leaves many alike.
    private const int MostShown = 5;

    private static readonly Option<bool> s_fix = new("--fix")
        { Description = "Give back permits that killed holders have left, as their records prove" };
    private static readonly Option<bool> s_all = new("--all", "-a")
        { Description = "Show every finding, however many are alike" };
    private static readonly Option<string[]> s_folders = new ObjectFilter().Folders;
    private static readonly Option<bool> s_json = new("--json") { Description = "Print findings and limits as JSON" };

    public static Command Command() => new Verb("doctor",
        "Say what is wrong with IPC objects, and how to mend it. Exit code 1 when a warning or an error is left.",
        "doctor", "doctor --fix", "doctor --json | jq '.findings[].command'")
    {
        s_fix, s_all, s_folders, s_json,
    }
        .Excludes(s_all, s_json, "JSON has every finding.")
        .Does(Examine);

    private static int Examine(ParseResult parsed)
    {
        IReadOnlyList<string> folders = ObjectFilter.Existing(parsed.GetValue(s_folders));
        IReadOnlyList<IpcFinding> findings =
            IpcObjects.Diagnose(new IpcEnumerationOptions { KeyFileFolders = folders });
        Dictionary<IpcFinding, bool> mended = new(ReferenceEqualityComparer.Instance);
        if (parsed.GetValue(s_fix))
        {
            foreach (IpcFinding finding in findings.Where(
                finding => finding is { IsSafeToFix: true, Subject: not null }))
                mended[finding] = Mend(finding);
        }

        bool isWell = findings.All(finding =>
            finding.Severity == IpcSeverity.Information || mended.GetValueOrDefault(finding));
        if (parsed.GetValue(s_json))
        {
            ToolJson.Print(new DoctorReport(
                [.. findings.Select(finding =>
                    new FindingReport(JsonNamingPolicy.KebabCaseLower.ConvertName(finding.Kind.ToString()),
                        JsonNamingPolicy.KebabCaseLower.ConvertName(finding.Severity.ToString()),
                        InToolWords(finding, finding.Summary),
                        RemedyOf(finding), finding.Command, finding.IsSafeToFix,
                    mended.TryGetValue(finding, out bool done) ? done : null, finding.Subject is { } subject
                        ? ObjectReport.Of(subject) : null))],
                [.. IpcObjects.GetLimits().Select(
                    limit => new LimitReport(limit.Name, limit.Description, limit.Used, limit.Maximum, limit.Unit))]));
        }
        else
        {
            Print(findings, mended, parsed.GetValue(s_all),
                string.Concat(folders.Select(folder => $" --folder {Quote(folder)}")));
        }

        return isWell ? ExitCodes.Ok : ExitCodes.Conflict;
    }

    private static bool Mend(IpcFinding finding)
    {
        try
        {
            return IpcObjects.TryMend(finding);
        }
        catch (NativeIpcException failure)
        {
            Failures.Say(Failures.Describe(failure));
            return false;
        }
    }

    private static void Print(IReadOnlyList<IpcFinding> findings, Dictionary<IpcFinding, bool> mended, bool all,
        string folders)
    {
        foreach (Group<(IpcSeverity, IpcFindingKind), IpcFinding> alike in findings.GroupBy(
            finding => (finding.Severity, finding.Kind)))
        {
            int shown = all ? int.MaxValue : MostShown;
            foreach (IpcFinding finding in alike.Take(shown)) Print(finding, mended);
            int more = alike.Count() - shown;
            if (more > 0)
                Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"         … and {more} more like these (--all shows them)"));
            if (more > 0) Console.Out.WriteLine();
        }

        int errors = findings.Count(finding =>
            finding.Severity == IpcSeverity.Error && !mended.GetValueOrDefault(finding));
        int warnings = findings.Count(
            finding => finding.Severity == IpcSeverity.Warning && !mended.GetValueOrDefault(finding));
        int safe = findings.Count(finding => finding.IsSafeToFix && !mended.ContainsKey(finding));
        int unused = findings.Count(finding => finding.Kind == IpcFindingKind.Unused);
        int orphaned = findings.Count(finding => finding.Kind == IpcFindingKind.Orphaned);
        Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{Count(errors, "error")}, {Count(warnings, "warning")}"
                + $"{(mended.Count > 0 ? $", {mended.Values.Count(done => done)} mended" : "")}"));
        if (safe > 0)
            Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"'nipc doctor --fix{folders}' mends {safe} of them"));
        if (orphaned > 0)
            Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"'nipc rm --orphaned{folders}' lists the {orphaned} that dead processes had to remove; with --yes it "
                    + $"removes them"));
        if (unused > 0)
            Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"'nipc list --unused{folders}' lists the {unused} that nobody has open at this moment"));
    }

    /// <summary>A lost permit that was not recorded (a C or Qt program's) looks as one that was taken on purpose
    /// (<c>nipc acquire</c>), so that only the user can give it back: with this command.</summary>
    private static string RemedyOf(IpcFinding finding)
        => finding is { Kind: IpcFindingKind.Unused or IpcFindingKind.Orphaned,
            Subject: { Kind: IpcObjectKind.SystemSemaphore, Value: 0, Key.IsValid: true } semaphore }
            ? $"If a holder was killed, give its permit back: nipc "
                + $"release {Quote(semaphore.Key.ToString())}. {InToolWords(finding, finding.Remedy)}"
            : InToolWords(finding, finding.Remedy);

    private static string InToolWords(IpcFinding finding, string text)
        => finding.Subject is { } subject
            ? ToolWords.Keeping(text, subject.Key.ToString(), subject.Key.NativeKey, subject.NativeName)
            : ToolWords.Keeping(text);

    private static string Quote(string text)
        => $"'{PrintableText.Of(text).Replace("'", "'\\''", StringComparison.Ordinal)}'";

    private static string Count(int number, string what)
        => string.Create(CultureInfo.InvariantCulture, $"{number} {what}{(number == 1 ? "" : "s")}");

    private static void Print(IpcFinding finding, Dictionary<IpcFinding, bool> mended)
    {
        (string word, Style style) = finding.Severity switch
        {
            IpcSeverity.Error => ("error", Style.Red),
            IpcSeverity.Warning => ("warning", Style.Yellow),
            _ => ("info", Style.Blue),
        };
        Terminal.Write($"{word,-9}", style);
        Console.Out.WriteLine(PrintableText.Of(InToolWords(finding, finding.Summary)));
        Console.Out.WriteLine($"         {PrintableText.Of(RemedyOf(finding))}");
        if (mended.TryGetValue(finding, out bool done))
            Console.Out.WriteLine(!done ? "         not mended: it is in use by now, or gone"
                : finding.Kind == IpcFindingKind.LostPermit
                    ? "         mended: given back" : "         mended: removed");
        else if (finding.Command is { } command) Console.Out.WriteLine($"         $ {PrintableText.Of(command)}");
        Console.Out.WriteLine();
    }
}
