using NativeIpc;
using NativeIpc.Storm;

// The library reads the switch once, at its first use. Processes that measure are not killed at points.
AppContext.SetSwitch("NativeIpc.StopPoints", args is not ["recovery" or "recovery-part", ..]);
if (args is ["worker", var guarded, var reports, var index, var point])
    return Worker.Run(NativeIpcKey.Parse(guarded), NativeIpcKey.Parse(reports), int.Parse(index), point);
if (args is ["run", ("posix" or "systemv" or "windows") and var type, var kills, .. var workers])
{
    NativeIpcKeyType keys = type switch { "posix" => NativeIpcKeyType.PosixRealtime,
        "systemv" => NativeIpcKeyType.SystemV, _ => NativeIpcKeyType.Windows };
    return new StormRun(keys, int.Parse(kills), workers is [var count] ? int.Parse(count) : 8).Run();
}

if (args is ["recovery-part", var role, var key]) return RecoveryRun.RunPart(role, key);
if (args is ["recovery", var deaths, .. var sizes])
{
    int number = sizes is [var processes, ..] ? int.Parse(processes) : 8;
    return new RecoveryRun(int.Parse(deaths), number, sizes is [_, var busyLoops] ? int.Parse(busyLoops) : 0).Run();
}

if (args is ["loop"]) return Makers.Compute();
if (args is ["maker", var segmentKey, var semaphoreKey, var turns])
    return Makers.Make(NativeIpcKey.Parse(segmentKey), NativeIpcKey.Parse(semaphoreKey), int.Parse(turns));
if (args is ["makers", ("posix" or "systemv") and var kind, var rounds, var loops])
    return Makers.Run(kind == "posix" ? NativeIpcKeyType.PosixRealtime : NativeIpcKeyType.SystemV, int.Parse(rounds),
        int.Parse(loops));

Console.Error.WriteLine("usage: NativeIpc.Storm run posix|systemv|windows KILLS [WORKERS]");
Console.Error.WriteLine("       NativeIpc.Storm makers posix|systemv ROUNDS LOOPS");
Console.Error.WriteLine("       NativeIpc.Storm recovery ROUNDS [PROCESSES [BUSY_LOOPS]]");
return 2;
