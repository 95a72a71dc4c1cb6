namespace NativeIpc.Yardstick;

internal static class Workloads
{
    private static readonly (Action<string> Run, string[] Names)[] s_all =
    [
        (Pairs.Semaphore, ["posix.try_pair", "posix.wait_pair", "sysv.pair", "sysv.pair_undo"]),
        (Pairs.Lock, ["lock.posix", "lock.sysv"]),
        (PingPong.Run, ["pp.posix.x", "pp.posix.1", "pp.posix.free", "pp.posix.spin.x", "pp.sysv.x"]),
        (PingPong.Crowd, ["pp.crowd.4"]),
        (Events.Pair, ["event.pair"]),
        (Events.PingPong, ["event.pp.x"]),
        (Events.Wake, ["event.wake100"]),
        (Contention.Run, ["contend.posix.2", "contend.posix.4", "contend.posix.8", "contend.sysv.2", "contend.sysv.4",
            "contend.sysv.8"]),
        (Opens.Open, ["posix.sem.open_close", "sysv.sem.open"]),
        (Opens.Create, ["posix.sem.create_destroy", "sysv.sem.create_destroy"]),
        (Segments.Create, [
            "posix.shm4k.create_destroy", "posix.shm4k.create_destroy@sparse", "posix.shm4k.create_destroy@default",
            "posix.shm4k.create_destroy@qtproto",
            "sysv.shm4k.create_destroy", "sysv.shm4k.create_destroy@default", "sysv.shm4k.create_destroy@qtproto",
            "posix.shm64m.create_touch", "posix.shm64m.create_touch@populate", "sysv.shm64m.create_touch"]),
        (Segments.Attach, [
            "posix.shm4k.attach_detach", "posix.shm4k.attach_detach@default", "posix.shm4k.attach_detach@qtproto",
            "sysv.shm4k.attach_detach", "sysv.shm4k.attach_detach@default", "sysv.shm4k.attach_detach@qtproto",
            "posix.shm64m.attach_touch", "posix.shm64m.attach_touch@populate", "posix.shm64m.attach_write",
            "posix.shm64m.attach_write@populate", "sysv.shm64m.attach_touch"]),
        (Copies.Run, ["copy.in64m", "copy.in64m@write", "copy.out64m", "copy.out64m@write", "copy.4k", "copy.4k@write",
            "rand.read8", "rand.read8@reference"]),
        (Scaling.Run, [
            "scale.posix.shm.100", "scale.posix.shm.1000", "scale.posix.shm.4000", "scale.posix.sem.100",
            "scale.posix.sem.1000", "scale.posix.sem.10000",
            "scale.sysv.shm.100", "scale.sysv.shm.1000", "scale.sysv.shm.4000", "scale.sysv.sem.100",
            "scale.sysv.sem.1000", "scale.sysv.sem.10000"]),
        (Residents.Run, ["rss.posix.sem.10000", "rss.posix.shm.4000"]),
        (Loads.Async, ["load.async"]),
        (Loads.Share, ["load.permits"]),
        (Cancellation.Run, ["cancel"]),
        (AsyncWaits.Run, ["async"]),
        (AnyWaits.Pass, ["any.pass"]),
        (AnyWaits.Wake, ["any.wake"]),
        (Takeover.Run, ["takeover.posix", "takeover.sysv"]),
        (Successors.Ring, ["takeover.ring", "takeover.ring.reader", "takeover.many", "takeover.many.reader"]),
        (Successors.Topic, ["takeover.topic"]),
        (Rings.Run, [
            "ring.64", "ring.64@c", "ring.64x32", "ring.64x32@c", "ring.trip.x", "ring.trip.x@c", "ring.trip.1",
            "ring.trip.1@c", "ring.trip.asleep", "ring.trip.asleep@c", "ring.4k", "ring.4k@c", "ring.1m", "ring.1m@c",
            "ring.1m.used", "ring.1m.used@c"]),
        (Topics.Run, [
            "topic.64k.0", "topic.64k.1", "topic.64k.1@c", "topic.64k.8", "topic.64k.8@c", "topic.1m.0", "topic.1m.1",
            "topic.1m.1@c", "topic.1m.8", "topic.1m.8@c"]),
        (Rings.Idle, ["ring.idle"]),
        (Rings.Allocations, ["alloc.ring"]),
        (Allocations.Run, ["alloc.posix", "alloc.sysv"]),
        (Starts.Run, ["start"]),
        (Starts.First, ["first"]),
    ];

    private static readonly (Action<string> Run, string[] Names)[] s_builtIn =
    [
        (BuiltIn.MutexPair, ["posix.wait_pair@mutex", "lock.posix@mutex"]),
        (BuiltIn.FileLock, ["lock.posix@filelock"]),
        (BuiltIn.MutexContention, ["contend.posix.2@mutex", "contend.posix.4@mutex", "contend.posix.8@mutex"]),
        (BuiltIn.MutexOpen, ["posix.sem.open_close@mutex", "posix.sem.create_destroy@mutex"]),
        (BuiltIn.Segment, [
            "posix.shm4k.create_destroy@mmf", "posix.shm4k.attach_detach@mmf", "posix.shm64m.create_touch@mmf",
            "posix.shm64m.attach_touch@mmf", "posix.shm64m.attach_write@mmf"]),
        (Pipes.Run, [
            "ring.64@pipes", "ring.trip.x@pipes", "ring.trip.1@pipes", "ring.trip.asleep@pipes", "ring.4k@pipes",
            "ring.1m@pipes"]),
        (BuiltIn.Copy, ["copy.in64m@accessor", "copy.out64m@accessor", "rand.read8@accessor"]),
    ];

    public static int Run(string[] prefixes)
    {
        bool builtIn = prefixes is ["--builtin", ..], list = prefixes.Contains("--list");
        foreach ((Action<string> run, string[] names) in builtIn ? s_builtIn : s_all)
        {
            foreach (string name in names)
            {
                if (list) Console.WriteLine(name);
                else if (prefixes.Any(prefix => name.StartsWith(prefix, StringComparison.Ordinal))) run(name);
            }
        }

        return 0;
    }

    public static int RunChild(string role, string[] arguments)
    {
        Action<string[]> run = role switch
        {
            "echo" => PingPong.Echo,
            "echo-event" => Events.Echo,
            "ring-drain" => words => Rings.Child("drain", words),
            "ring-answer" => words => Rings.Child("answer", words),
            "pipe-drain" => words => Pipes.Child("drain", words),
            "pipe-answer" => words => Pipes.Child("answer", words),
            "follow" => Topics.Follow,
            "first" => Starts.FirstChild,
            "trips" => PingPong.Trips,
            "release" => AsyncWaits.Release,
            "release-load" => Loads.Release,
            "share" => Loads.Sharing,
            "release-any" => AnyWaits.Release,
            "hold" => Takeover.Hold,
            "hold-ring" => Successors.HoldRing,
            "hold-topic" => Successors.HoldTopic,
            "contend-mutex" => BuiltIn.ContendingChild,
            "contend" => Contention.Child,
            "keep" => Segments.Keep,
            "keep-semaphore" => Opens.Keep,
            _ => throw new ArgumentException($"There is no role '{role}'."),
        };
        run(arguments);
        return 0;
    }
}
