using NativeIpc.Faults;

// Every scenario, with each of its system calls failing once.
//   list               the scenarios
//   sample SEED        every second call of each scenario with one of its errors, chosen by the seed
//   all [PREFIX]       each call with each of its errors; then with a clean-up that fails as well
//   trace NAME         the calls of a scenario
//   one NAME CALL ERROR [THEN ERROR]    one case, and its calls
if (Environment.GetEnvironmentVariable(Session.RuntimeSwitch) != "0")
{
    // Otherwise the runtime maps shared memory of its own.
    var again = new System.Diagnostics.ProcessStartInfo(Environment.ProcessPath!, args);
    again.Environment[Session.RuntimeSwitch] = "0";
    using System.Diagnostics.Process process = System.Diagnostics.Process.Start(again)!;
    process.WaitForExit();
    return process.ExitCode;
}

string[] usage =
    ["usage: NativeIpc.Faults list | sample SEED | all [PREFIX] | trace NAME | one NAME CALL ERROR [THEN ERROR]"];
Scenario[] scenarios =
[
    .. SegmentScenarios.All(isPosix: true), .. SemaphoreScenarios.All(isPosix: true),
    .. EventScenarios.All(isPosix: true),
    .. SegmentScenarios.All(isPosix: false), .. SemaphoreScenarios.All(isPosix: false),
    .. EventScenarios.All(isPosix: false),
];
if (args is ["list"])
{
    foreach (Scenario scenario in scenarios) Console.WriteLine(scenario.Name);
    return 0;
}

try
{
    if (Injector.Install(Place.Folder) is { } reason)
    {
        Console.WriteLine($"SKIP faults: {reason}");
        return 0;
    }

    // The console opens what it needs now, and not while somebody counts
    Console.WriteLine($"faults: {string.Join(' ', args)}");
    using var runner = new Runner();
    switch (args)
    {
        case ["sample", var seed]:
            foreach (Scenario scenario in scenarios) Session.Sample(runner, scenario, new Random(int.Parse(seed)));
            break;
        case ["all", .. var rest]:
            foreach (Scenario scenario in scenarios)
            {
                if (rest is [] || scenario.Name.StartsWith(rest[0], StringComparison.Ordinal))
                    Session.All(runner, scenario);
            }

            break;
        case ["trace", var name]:
            Session.Print(runner.Trace(scenarios.Single(scenario => scenario.Name == name)));
            break;
        case ["one", var name, var call, var error, .. var then]:
            Session.One(runner, scenarios.Single(scenario => scenario.Name == name), int.Parse(call), error, then);
            break;
        default:
            foreach (string line in usage) Console.Error.WriteLine(line);
            return 2;
    }

    if (runner.LeftByLibc > 0)
        Console.WriteLine(
            $"left by sem_open(3), whose own unlink was made to fail: {runner.LeftByLibc} temporary names; removed");
    Console.WriteLine($"left alone: {Injector.LeftAlone} calls of the runtime that start threads; it ends the process "
        + $"when one fails");
    Console.WriteLine($"{(runner.Faults == 0 ? "PASS" : "FAIL")} faults: {runner.Cases} cases, {runner.Faults} faults");
    return runner.Faults == 0 ? 0 : 1;
}
finally
{
    Directory.Delete(Place.Folder, recursive: true);
}
