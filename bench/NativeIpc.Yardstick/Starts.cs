using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace NativeIpc.Yardstick;

/// <summary>What a small program pays for the library: the CPU time of one that opens a segment, locks, writes and
/// ends, beside that of an empty one; the size of its native file beside the empty one's; and what the first lock and
/// the first waits of a process take of threads, descriptors, mappings and memory.</summary>
internal static class Starts
{
    // Where bench.sh has published NativeIpc.Start twice: empty/ and whole/.
    private static readonly string? s_programs = Environment.GetEnvironmentVariable("YARD_START");

    public static void Run(string name)
    {
        if (s_programs is null)
            throw new InvalidOperationException("YARD_START does not say where NativeIpc.Start is: bench.sh does.");
        string empty = $"{s_programs}/empty/NativeIpc.Start", whole = $"{s_programs}/whole/NativeIpc.Start";
        NativeIpcKey key = Harness.SegmentKey(name, "start");
        SharedMemory.Remove(key);
        using SharedMemory segment = SharedMemory.CreateNew(key, 4096);
        segment.Lock().Dispose();
        List<double> ofEmpty = [], ofLock = [];
        for (int i = 0; i < (Harness.Quick ? 2 : 32); i++)
        {
            double one = Native.Start(empty), other = Native.Start(whole, "lock", "yard_o_start");
            if (i == 0) continue; // files that nobody had in memory
            ofEmpty.Add(one);
            ofLock.Add(other);
        }

        if (!segment.Span.StartsWith("written"u8))
            throw new InvalidOperationException("A program that was started has not written.");
        Harness.Print(name + ".empty", Harness.Median(ofEmpty));
        Harness.Print(name + ".lock", Harness.Median(ofLock));
        if (!RuntimeFeature.IsDynamicCodeSupported) // bytes of assemblies say nothing about what is loaded
            Harness.Print(name + ".bytes", new FileInfo(whole).Length - new FileInfo(empty).Length);
    }

    /// <summary>In a process that has not used the library: each of these once, as <c>first.lock.fds</c>.</summary>
    public static void First(string name)
    {
        NativeIpcKey key = Harness.SegmentKey(name, "first"), gate = Harness.SemaphoreKey(name, "first_gate");
        SharedMemory.Remove(key);
        using SharedMemory segment = SharedMemory.CreateNew(key, 4096);
        segment.Lock().Dispose();
        using SystemSemaphore semaphore = Harness.Fresh(gate, 0);
        Process child = Harness.StartChild("first", name);
        while (child.StandardOutput.ReadLine() is { } line)
        {
            if (line == "waits")
            {
                Harness.Pass(Harness.Quick ? 20 : 100); // to be asleep by then
                semaphore.Release();
                continue;
            }

            string[] words = line.Split(' ');
            Harness.Print($"{name}.{words[0]}", double.Parse(words[1]));
        }

        child.WaitForExit();
        child.Dispose();
    }

    /// <summary>In the child.</summary>
    public static void FirstChild(string[] arguments)
    {
        string name = arguments[0];
        NativeIpcKey key = Harness.SegmentKey(name, "first"), gate = Harness.SemaphoreKey(name, "first_gate");
        Task.Run(static () => { }).Wait(); // the pool, of whoever waits without a thread
        _ = Usage.Now();
        Harness.Ready();
        Usage before = Usage.Now(), all = before;
        using SharedMemory segment = SharedMemory.OpenExisting(key);
        segment.Lock().Dispose();
        Harness.Pass(300); // what begins a while after
        Tell("lock", ref before);

        using SystemSemaphore semaphore = SystemSemaphore.OpenExisting(gate);
        Say("waits");
        semaphore.Acquire();
        Tell("wait", ref before);

        Task pending = semaphore.AcquireAsync().AsTask();
        Harness.Pass(50);
        Tell("async", ref before);
        Tell("all", ref all);
        Say("waits");
        pending.Wait();

        static void Tell(string what, ref Usage before)
        {
            Usage now = Usage.Now();
            Say($"{what}.threads {now.Threads - before.Threads}");
            Say($"{what}.fds {now.Descriptors - before.Descriptors}");
            Say($"{what}.maps {now.Mappings - before.Mappings}");
            Say($"{what}.private_bytes {now.PrivateBytes - before.PrivateBytes}");
            before = now;
        }

        static void Say(string line)
        {
            Console.WriteLine(line);
            Console.Out.Flush();
        }
    }

    /// <summary>What this process has of the system: threads that the library has named (a new one of another has the
    /// program's name for a moment, without the blank); descriptors and mappings but those of assemblies, which the
    /// runtime opens whenever it likes; memory that no other process shares.</summary>
    internal readonly record struct Usage(int Threads, int Descriptors, int Mappings, long PrivateBytes)
    {
        public static Usage Now() => new(
            Directory.GetDirectories("/proc/self/task")
                .Count(task => File.ReadAllText(task + "/comm").StartsWith("NativeIpc ", StringComparison.Ordinal)),
            new DirectoryInfo("/proc/self/fd").GetFiles()
                .Count(file => file.LinkTarget is { } target && !target.EndsWith(".dll", StringComparison.Ordinal)),
            File.ReadLines("/proc/self/maps").Count(static line => !line.EndsWith(".dll", StringComparison.Ordinal)),
            1024 * File.ReadLines("/proc/self/smaps_rollup")
                .Where(static line => line.StartsWith("Private_", StringComparison.Ordinal))
                .Sum(static line => long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1])));
    }
}
