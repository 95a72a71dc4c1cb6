using NativeIpc;
using NativeIpc.Storm;

// The library reads the switch once, at its first use.
AppContext.SetSwitch("NativeIpc.StopPoints", args is not ["recovery" or "recovery-part", ..]); // they are not killed at points
if (args is ["worker", var guarded, var reports, var index, var point]) return Worker.Run(NativeIpcKey.Parse(guarded), NativeIpcKey.Parse(reports), int.Parse(index), point);
if (args is ["run", ("posix" or "systemv" or "windows") and var type, var kills, .. var workers])
{
    NativeIpcKeyType keys = type switch { "posix" => NativeIpcKeyType.PosixRealtime, "systemv" => NativeIpcKeyType.SystemV, _ => NativeIpcKeyType.Windows };
    return new StormRun(keys, int.Parse(kills), workers is [var number] ? int.Parse(number) : 8).Run();
}

if (args is ["recovery-part", var role, var key]) return RecoveryRun.RunPart(role, key);
if (args is ["recovery", var rounds, .. var sizes])
    return new RecoveryRun(int.Parse(rounds), sizes is [var processes, ..] ? int.Parse(processes) : 8, sizes is [_, var busyLoops] ? int.Parse(busyLoops) : 0).Run();

Console.Error.WriteLine("usage: NativeIpc.Storm run posix|systemv|windows KILLS [WORKERS]");
Console.Error.WriteLine("       NativeIpc.Storm recovery ROUNDS [PROCESSES [BUSY_LOOPS]]");
return 2;
