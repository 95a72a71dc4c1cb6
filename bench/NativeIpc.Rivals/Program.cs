using NativeIpc.Rivals;

// NativeIpc.Rivals PREFIX...: runs each workload whose name starts with one of the prefixes and prints
// name<TAB>value lines, nanoseconds or bytes for an operation. --list names the workloads; those of a server whose
// program is not installed are left out, and said on standard error. ../README.md says what each measures.
(string Name, Action<string> Run)[] all =
[
    ("limiter.pair", Limits.Pair), ("limiter.pair@semaphore", Limits.Semaphore),
    ("object.limiter.pair", Limits.Bytes),
    ("dlock.pair", Locks.Ours), ("dlock.pair@redis", Locks.Redis), ("dlock.pair@postgres", Locks.Postgres),
    ("named.sem.pair", Named.SemaphorePair), ("named.sem.pair@below", Named.SemaphoreBelow),
    ("named.mutex.pair", Named.MutexPair), ("named.mutex.pair@below", Named.MutexBelow),
    ("named.mutex.pair@net", Named.MutexOfNet),
    ("named.event.pair", Named.EventPair), ("named.event.pair@below", Named.EventBelow),
    ("object.named.pair", Named.Bytes),
];
foreach ((string name, Action<string> run) in all)
{
    if (args.Contains("--list")) Console.WriteLine(name);
    else if (args.Any(prefix => name.StartsWith(prefix, StringComparison.Ordinal))) run(name);
}
