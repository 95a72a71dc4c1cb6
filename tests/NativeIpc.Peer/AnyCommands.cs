using System.Globalization;
using System.Runtime.InteropServices;

namespace NativeIpc.Peer;

/// <summary>Waiting for any of several objects, which <c>sem</c> and <c>shm</c> have opened.</summary>
internal sealed class AnyCommands(SemaphoreCommands semaphores, SegmentCommands segments, EventCommands events,
    TextWriter output)
{
    public string Run(Words words)
    {
        string verb = words.Next();
        int number = words.NextInt();
        List<string> names = [];
        List<SystemWaitTarget> targets = [];
        while (!words.IsOver)
        {
            names.Add(words.Next());
            targets.Add(names[^1].Split(':') switch
            {
                ["sem", var name] => semaphores[name],
                ["event", var name] => events[name],
                _ => segments[names[^1][4..]],
            });
        }

        SystemWaitTarget[] all = [.. targets];
        output.WriteLine("acquiring");
        switch (verb)
        {
            case "wait":
                SystemWaitResult taken = SystemWait.Any(all, TimeSpan.FromMilliseconds(number));
                if (!taken.TimedOut && names[taken.Index].StartsWith("shm:", StringComparison.Ordinal))
                    segments.Keep(names[taken.Index][4..], taken.Lock);
                return string.Create(CultureInfo.InvariantCulture,
                    $"ok {taken.Index}{(taken.Lock.WasAbandoned ? " abandoned" : "")}");
            case "turns":
                for (int i = 0; i < number; i++)
                {
                    taken = SystemWait.Any(all);
                    if (names[taken.Index].StartsWith("shm:", StringComparison.Ordinal)) taken.Lock.Dispose();
                    else semaphores[names[taken.Index][4..]].Release();
                }

                return "ok";
            case "take":
                for (int i = 0; i < number; i++) _ = SystemWait.Any(all);
                return "ok";
            case "add":
                for (int i = 0; i < number; i++)
                {
                    taken = SystemWait.Any(all);
                    using SharedMemoryLock scope = taken.Lock;
                    AddOne(segments[names[taken.Index][4..]]);
                }

                return "ok";
            default:
                throw new FormatException($"No such command: any {verb}.");
        }
    }

    private static void AddOne(SharedMemory segment)
    {
        // Apart from each other, so that sums show it when two are inside a lock.
        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        segment.Read(0, bytes);
        uint value = MemoryMarshal.Read<uint>(bytes) + 1;
        MemoryMarshal.Write(bytes, value);
        segment.Write(0, bytes);
    }
}
