using NativeIpc;
using NativeIpc.Storm;

// The library reads the switch once, at its first use.
AppContext.SetSwitch("NativeIpc.StopPoints", true);
if (args is ["worker", var guarded, var reports, var index, var point]) return Worker.Run(NativeIpcKey.Parse(guarded), NativeIpcKey.Parse(reports), int.Parse(index), point);
if (args is ["run", ("posix" or "systemv") and var type, var kills]) return new StormRun(type == "posix" ? NativeIpcKeyType.PosixRealtime : NativeIpcKeyType.SystemV, int.Parse(kills)).Run();
Console.Error.WriteLine("usage: NativeIpc.Storm run posix|systemv KILLS");
return 2;
