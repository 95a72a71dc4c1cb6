using NativeIpc.Victim;

// Each argument is a step, made of words. Steps run in order; each prints what happened as one line of JSON. What they
// made is not disposed unless a step says so: then the process just ends. "under RULES COMMAND" is no step: it becomes
// that command, under a filter.
if (args is ["under", string rules, _, ..]) SystemCallFilter.RunUnder(rules, args[2..]);
var ipc = new IpcSteps();
foreach (string step in args)
{
    string[] words = step.Split(' ');
    Outcome outcome = Outcome.From(step,
        () => SystemSteps.TryRun(words) ?? AttackSteps.TryRun(words) ?? MeetSteps.TryRun(words)
            ?? CopySteps.TryRun(words) ?? ipc.Run(words));
    Console.WriteLine(outcome.ToLine());
}

GC.KeepAlive(ipc);
return 0;
