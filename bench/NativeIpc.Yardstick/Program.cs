using NativeIpc.Yardstick;

// NativeIpc.Yardstick PREFIX...: runs each workload whose name starts with one of the prefixes and prints
// name<TAB>value lines, nanoseconds for an operation where the name says nothing else. --builtin does what .NET itself
// has instead; --list names the workloads. ../README.md says what each measures.
if (args is ["--child", var role, ..]) return Workloads.RunChild(role, args[2..]);
return Workloads.Run(args);
