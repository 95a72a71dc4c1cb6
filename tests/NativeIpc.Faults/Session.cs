namespace NativeIpc.Faults;

/// <summary>Which cases of a scenario are run.</summary>
internal static class Session
{
    /// <summary>0 for no mappings of one page in two places.</summary>
    public const string RuntimeSwitch = "DOTNET_EnableWriteXorExecute";

    private const int MostRounds = 3;

    /// <summary>Every second call once: half a minute on an idle machine.</summary>
    public static void Sample(Runner runner, Scenario scenario, Random random)
    {
        SystemCall[] calls = Begin(runner, scenario);
        for (int i = random.Next(2); i < calls.Length; i += 2)
        {
            int[] errors = [.. Errors.Of(calls[i])];
            runner.Run(scenario, new Plan(i, errors[random.Next(errors.Length)]), calls[i]);
        }
    }

    /// <summary>Each call with each of its errors; and for the first of them, each clean-up after it that fails as
    /// well.</summary>
    public static void All(Runner runner, Scenario scenario)
    {
        SystemCall[] calls = Begin(runner, scenario);
        for (int i = 0; i < calls.Length; i++)
        {
            bool isFirst = true;
            foreach (int error in Errors.Of(calls[i]))
            {
                runner.Run(scenario, new Plan(i, error), calls[i]);
                if (isFirst) CleanUps(runner, scenario, i, error, calls[i]);
                isFirst = false;
            }
        }
    }

    private static void CleanUps(Runner runner, Scenario scenario, int call, int error, SystemCall failed)
    {
        // Its calls are taken from here and not from its first run, which has calls that are made once in a process.
        SystemCall[] made = runner.Run(scenario, new Plan(call, error), failed);
        var often = new Dictionary<(long, long, string), int>();
        for (int then = call + 1; then < made.Length; then++)
        {
            if (Errors.OfCleanUp(made[then]) is not (not 0 and var second)) continue;

            // Of a loop that asks again and again, the first rounds and the last one are what there is to see.
            (long, long, string) kind = (made[then].Number, made[then].Arguments[1], made[then].Path);
            often[kind] = often.GetValueOrDefault(kind) + 1;
            bool isLast = !made.Skip(then + 1).Any(later => (later.Number, later.Arguments[1], later.Path) == kind);
            if (often[kind] <= MostRounds || isLast) runner.Run(scenario, new Plan(call, error, then, second), failed);
        }
    }

    public static void One(Runner runner, Scenario scenario, int call, string error, string[] then)
    {
        SystemCall[] calls = runner.Trace(scenario);
        Plan plan = then is [var second, var secondError]
            ? new(call, Number(error), int.Parse(second), Number(secondError)) : new(call, Number(error));
        Print(runner.Run(scenario, plan, calls[call]));
    }

    private static int Number(string error) => int.TryParse(error, out int number) ? number : Errors.Parse(error);

    public static void Print(SystemCall[] calls)
    {
        for (int i = 0; i < calls.Length; i++) Console.WriteLine($"{i,3} {calls[i]}");
    }

    private static SystemCall[] Begin(Runner runner, Scenario scenario)
    {
        int cases = runner.Cases, faults = runner.Faults;
        SystemCall[] calls = runner.Trace(scenario);
        if (runner.Faults != faults)
            Console.WriteLine($"    ({scenario.Name}: {runner.Cases - cases} runs without a failure)");
        return calls;
    }
}
