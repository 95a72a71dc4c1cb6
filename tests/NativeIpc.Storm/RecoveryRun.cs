using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace NativeIpc.Storm;

/// <summary>
/// Measures how long it takes from the death of a holder that left no mark, as C and Qt programs are, to the lock in the hands of one of ours, while a number of our processes has the lock open:
/// half of them wait in <c>Lock</c>, a quarter in <c>LockAsync</c>, the rest is idle, and one of these opens it anew in every third round. Linux.
/// </summary>
/// <remarks>
/// The holder is a process that calls <c>sem_wait(3)</c>, killed up to three seconds after the waiters began. Nothing but "nobody hangs, and one is told" is judged: a time depends on the machine, so it is
/// printed. Busy loops of nice 0 are started and ended by the run itself.
/// </remarks>
internal sealed partial class RecoveryRun(int rounds, int processes, int busyLoops)
{
    private const int Sigkill = 9;
    private const int MostMillisecondsHeld = 3000;
    private static readonly TimeSpan s_watchdog = TimeSpan.FromSeconds(120);

    private readonly string _key = SharedMemory.PlatformSafeKey($"recovery-{Environment.ProcessId}-{Random.Shared.Next():x}", NativeIpcKeyType.PosixRealtime).ToString();
    private readonly List<Process> _all = [];

    public int Run()
    {
        NativeIpcKey key = NativeIpcKey.Parse(_key);
        using SharedMemory segment = SharedMemory.CreateNew(key, 4096, new SharedMemoryOptions { RequireLockRecovery = true });
        try
        {
            for (int i = 0; i < busyLoops; i++) Start("busy");
            List<Process> workers = [];
            for (int i = 0; i < processes; i++) workers.Add(StartReady(i < processes / 2 ? "blocking" : i < processes * 3 / 4 ? "awaiting" : "idle"));
            List<double> times = [];
            for (int round = 0; round < rounds; round++)
            {
                if (RunRound(workers, round) is not { } time) return 1;
                times.Add(time);
            }

            times.Sort();
            Console.WriteLine(FormattableString.Invariant(
                $"recovery of a killed C holder beside {processes} processes and {busyLoops} busy loops, {rounds} rounds, ms: median {times[rounds / 2]:f0}, p99 {times[(rounds * 99 / 100) - (rounds >= 100 ? 1 : 0)]:f0}, worst {times[^1]:f0}"));
            return 0;
        }
        finally
        {
            foreach (Process process in _all)
            {
                process.Kill();
                process.WaitForExit();
                process.Dispose();
            }
        }
    }

    /// <summary>One death; the milliseconds to the lock in another hand, null when something is wrong, which is printed.</summary>
    private double? RunRound(List<Process> workers, int round)
    {
        Process holder = StartReady("holder");
        List<Process> waiters = workers[..(processes * 3 / 4)];
        foreach (Process waiter in waiters) waiter.StandardInput.WriteLine("wait");
        foreach (Process waiter in waiters)
        {
            if (Read(waiter) != "waiting") return Say("a waiter does not begin");
        }

        using (var pause = new ManualResetEvent(false)) pause.WaitOne(Random.Shared.Next(MostMillisecondsHeld)); // the killer's timer
        if (round % 3 == 0 && workers.Count > waiters.Count) workers[^1].StandardInput.WriteLine("reopen");
        long killed = Stopwatch.GetTimestamp();
        if (kill(holder.Id, Sigkill) != 0) return Say("the holder cannot be killed");
        double? first = null;
        foreach (Process waiter in waiters)
        {
            if (Read(waiter)?.Split(' ') is not ["locked", var at, var isAbandoned]) return Say("a waiter hangs");
            if (isAbandoned != "True") continue;
            if (first is not null) return Say("two were told of one death");
            first = Stopwatch.GetElapsedTime(killed, long.Parse(at, CultureInfo.InvariantCulture)).TotalMilliseconds;
        }

        if (round % 3 == 0 && workers.Count > waiters.Count && Read(workers[^1]) != "reopened") return Say("an idle one cannot open it anew");
        holder.WaitForExit();
        holder.Dispose();
        _all.Remove(holder);
        return first ?? Say("nobody was told");
    }

    private static double? Say(string fault)
    {
        Console.WriteLine($"FAIL recovery: {fault}");
        return null;
    }

    private Process StartReady(string role)
    {
        Process process = Start(role);
        return Read(process) == "ready" ? process : throw new InvalidOperationException($"The {role} process does not start.");
    }

    private Process Start(string role)
    {
        var process = Process.Start(new ProcessStartInfo(Environment.ProcessPath!, ["recovery-part", role, _key]) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
        _all.Add(process);
        return process;
    }

    private static string? Read(Process process)
    {
        Task<string?> line = process.StandardOutput.ReadLineAsync();
        return line.Wait(s_watchdog) ? line.Result : null;
    }

    /// <summary>A process of the run.</summary>
    public static int RunPart(string role, string key)
    {
        if (role == "busy")
        {
            while (true)
            {
            }
        }

        return role == "holder" ? Hold(NativeIpcKey.Parse(key)) : Work(role, NativeIpcKey.Parse(key)).GetAwaiter().GetResult();
    }

    /// <summary>Takes the lock as a C program does, and does not come back.</summary>
    private static int Hold(NativeIpcKey key)
    {
        nint semaphore = sem_open(key.NativeKey, 0);
        if (semaphore == 0 || sem_wait(semaphore) != 0) return 1;
        Console.WriteLine("ready");
        Console.In.ReadLine();
        return 0;
    }

    private static async Task<int> Work(string role, NativeIpcKey key)
    {
        SharedMemory segment = Open(key);
        Console.WriteLine("ready");
        while (Console.In.ReadLine() is { } command)
        {
            if (command == "reopen")
            {
                segment.Dispose();
                segment = OpenAnew(key);
                Console.WriteLine("reopened");
                continue;
            }

            Console.WriteLine("waiting");
            SharedMemoryLock taken = role == "blocking" ? segment.Lock() : await segment.LockAsync();
            long at = Stopwatch.GetTimestamp();
            bool isAbandoned = taken.WasAbandoned;
            taken.Dispose();
            Console.WriteLine(FormattableString.Invariant($"locked {at} {isAbandoned}"));
        }

        segment.Dispose();
        return 0;
    }

    private static SharedMemory Open(NativeIpcKey key)
    {
        var segment = SharedMemory.OpenExisting(key);
        segment.Lock().Dispose();
        return segment;
    }

    // The lock is opened with the first look at it; it is held by then.
    private static SharedMemory OpenAnew(NativeIpcKey key)
    {
        var segment = SharedMemory.OpenExisting(key);
        segment.GetLockStatus();
        return segment;
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int kill(int process, int signal);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint sem_open(string name, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int sem_wait(nint semaphore);
}
