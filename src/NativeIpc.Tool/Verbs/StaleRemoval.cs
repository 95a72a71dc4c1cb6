using System.CommandLine;
using NativeIpc.Tool.Objects;
using NativeIpc.Tool.Output;

namespace NativeIpc.Tool.Verbs;

/// <summary>What <c>rm --stale --json</c> prints.</summary>
internal sealed record StaleReport(bool DryRun, IReadOnlyList<ObjectReport> Removed, IReadOnlyList<ObjectReport>? Kept);

/// <summary><c>nipc rm --stale</c>: removes what no process uses. Without <c>--yes</c> it only says what it would remove.</summary>
/// <remarks>Each object is asked about again as it is removed: what came into use after it was listed stays.</remarks>
internal static class StaleRemoval
{
    public static int Run(ParseResult parsed, ObjectFilter filter, bool yes, bool json)
    {
        IpcSnapshot snapshot = IpcObjects.Enumerate(filter.Options(parsed));
        IReadOnlyList<IpcObjectInfo> stale = [.. filter.Choose(parsed, snapshot.Objects).Where(found => (found.Traits & IpcObjectTraits.Stale) != 0).OrderBy(found => found.Kind)]; // a segment before its lock
        List<IpcObjectInfo> removed = [];
        List<IpcObjectInfo> kept = [];
        int exitCode = ExitCodes.Ok;
        foreach (IpcObjectInfo found in stale)
        {
            if (!yes)
            {
                removed.Add(found);
                continue;
            }

            try
            {
                (IpcObjects.TryRemoveUnused(found) ? removed : kept).Add(found);
            }
            catch (NativeIpcException failure)
            {
                Failures.Say(failure.Message);
                exitCode = ExitCodes.For(failure.Error);
                kept.Add(found);
            }
        }

        if (json) ToolJson.Print(new StaleReport(!yes, [.. removed.Select(ObjectReport.Of)], yes ? [.. kept.Select(ObjectReport.Of)] : null), ToolJson.Default.StaleReport);
        else Print(removed, kept, yes);
        foreach (string note in snapshot.Notes) Failures.Say(note);
        return exitCode != ExitCodes.Ok ? exitCode : kept.Count > 0 ? ExitCodes.Conflict : ExitCodes.Ok;
    }

    private static void Print(List<IpcObjectInfo> removed, List<IpcObjectInfo> kept, bool yes)
    {
        foreach (IpcObjectInfo found in removed) Console.Out.WriteLine($"{(yes ? "removed" : "would remove")} {Arguments.KeyOptions.WordOf(found.Kind)} {ObjectColumns.Name(found)}");
        foreach (IpcObjectInfo found in kept) Console.Out.WriteLine($"kept {Arguments.KeyOptions.WordOf(found.Kind)} {ObjectColumns.Name(found)}: it is in use by now, or gone");
        if (!yes && removed.Count > 0) Failures.Say("nothing was removed; --yes removes them");
    }
}
