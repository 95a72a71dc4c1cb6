using NativeIpc.Tool.Output;

namespace NativeIpc.Tool.Removal;

/// <summary>Says what became of the objects.</summary>
internal static class RemovalReport
{
    /// <summary>Says what became of each as it is done; the exit code is that of the first one that failed.</summary>
    public static int Print(IEnumerable<RemovalResult> all, bool json)
    {
        List<RemovalOutcome> outcomes = [];
        int exitCode = ExitCodes.Ok;
        foreach ((RemovalOutcome outcome, int code) in all)
        {
            outcomes.Add(outcome);
            if (exitCode == ExitCodes.Ok) exitCode = code;
            if (code != ExitCodes.Ok) Failures.Say(outcome.Message ?? $"{outcome.Name}: {outcome.Outcome}");
            else if (!json) Print(outcome);
        }

        if (json) ToolJson.Print(new RemovalList(outcomes));
        return exitCode;
    }

    private static void Print(RemovalOutcome outcome)
    {
        Console.Out.WriteLine($"{outcome.Outcome} {outcome.Kind} {PrintableText.Of(outcome.Name)}");
        if (outcome.Users is { } users)
            Console.Out.WriteLine(
                "    In use by "
                    + $"{string.Join(", ", users.Select(user => $"{user.Pid} ({PrintableText.Of(user.Name)})"))}.");
        foreach (string evidence in outcome.Evidence ?? []) Console.Out.WriteLine($"    {PrintableText.Of(evidence)}");
    }
}
