using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace NativeIpc.Storm;

/// <summary>
/// Measures how long it takes from the death of a holder that left no mark, as C and Qt programs are, to the lock in
/// the hands of one of ours, while a number of our processes has the lock open:
/// half of them wait in <c>Lock</c>, a quarter in <c>LockAsync</c>, the rest is idle, and one of these opens it anew
/// in every third round. Linux.
/// </summary>
/// <remarks>
/// The holder is a process that calls <c>sem_wait(3)</c>, killed up to three seconds after the waiters began. Nothing
/// but "nobody hangs, and one is told" is judged: a time depends on the machine, so it is
/// printed. Busy loops of nice 0 are started and ended by the run itself.
/// </remarks>
internal sealed partial class RecoveryRun(int rounds, int processes, int busyLoops)
{
    private const int Sigkill = 9;

    private const string HolderSource = """
        #include <semaphore.h>
        #include <stdio.h>
        #include <unistd.h>

        int main(int count, char **arguments)
        {
            char byte;
            sem_t *semaphore = sem_open(arguments[1], 0);
            if (semaphore == SEM_FAILED || sem_wait(semaphore) != 0) return 1;
            puts("ready");
            fflush(stdout);
            return read(0, &byte, 1) < 0;
        }
        """;

    private const int MostMillisecondsHeld = 3000;
    private static readonly TimeSpan s_watchdog = TimeSpan.FromSeconds(120);

    private readonly string _key = SharedMemory.PlatformSafeKey(
        $"recovery-{Environment.ProcessId}-{Random.Shared.Next():x}", NativeIpcKeyType.PosixRealtime).ToString();
    private readonly List<Process> _all = [];
    private string? _holder;

    public int Run()
    {
        NativeIpcKey key = NativeIpcKey.Parse(_key);
        using SharedMemory segment = SharedMemory.CreateNew(key, 4096, new() { RequireLockRecovery = true });
        try
        {
            BuildHolder();
            for (int i = 0; i < busyLoops; i++) Start("busy");
            List<Process> workers = [];
            for (int i = 0; i < processes; i++)
            {
                workers.Add(StartReady(i < processes / 2 ? "blocking" : i < processes * 3 / 4 ? "awaiting" : "idle"));
            }

            List<double> times = [];
            for (int round = 0; round < rounds; round++)
            {
                if (RunRound(workers, round) is not { } time) return 1;
                times.Add(time);
            }

            times.Sort();
            string kind = _holder is null ? "foreign" : "C";
            int last = (int)Math.Ceiling(rounds * 0.99) - 1;
            Console.WriteLine(FormattableString.Invariant(
                $"recovery of a killed {kind} holder beside {processes} processes and {busyLoops} busy loops, ") +
                FormattableString.Invariant(
                $"{rounds} rounds, ms: median {times[rounds / 2]:f0}, p99 {times[last]:f0}, worst {times[^1]:f0}"));
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

            if (_holder is not null) File.Delete(_holder);
        }
    }

    /// <summary>Compiles the holder; without a compiler a process of this program does the same, which takes longer
    /// to die, as it has more threads.</summary>
    private void BuildHolder()
    {
        string path = Path.Combine(Path.GetTempPath(), $"recovery-holder-{Environment.ProcessId}");
        File.WriteAllText(path + ".c", HolderSource);
        try
        {
            using Process compiler = Process.Start("cc", ["-o", path, path + ".c", "-pthread"]);
            compiler.WaitForExit();
            if (compiler.ExitCode == 0) _holder = path;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Console.WriteLine("recovery: there is no C compiler: the holder is no C program");
        }
        finally
        {
            File.Delete(path + ".c");
        }
    }

    /// <summary>One death; the milliseconds to the lock in another hand, null when something is wrong, which is
    /// printed.</summary>
    private double? RunRound(List<Process> workers, int round)
    {
        Process holder = StartReady("holder");
        List<Process> waiters = workers[..(processes * 3 / 4)];
        foreach (Process waiter in waiters) waiter.StandardInput.WriteLine("wait");
        foreach (Process waiter in waiters)
        {
            if (Read(waiter) != "waiting") return Say("a waiter does not begin");
        }

        // the killer's timer
        using (var pause = new ManualResetEvent(false)) pause.WaitOne(Random.Shared.Next(MostMillisecondsHeld));
        bool reopens = round % 3 == 0 && workers.Count > waiters.Count;
        if (reopens) workers[^1].StandardInput.WriteLine("reopen");
        long killed = Stopwatch.GetTimestamp();
        Trace("killed");
        if (kill(holder.Id, Sigkill) != 0) return Say("the holder cannot be killed");
        double? first = null;
        foreach (Process waiter in waiters)
        {
            if (Read(waiter)?.Split(' ') is not ["locked", var at, var isAbandoned]) return Say("a waiter hangs");
            if (isAbandoned != "True") continue;
            if (first is not null) return Say("two were told of one death");
            first = Stopwatch.GetElapsedTime(killed, long.Parse(at, CultureInfo.InvariantCulture)).TotalMilliseconds;
        }

        if (reopens && Read(workers[^1]) != "reopened") return Say("an idle one cannot open it anew");
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
        if (Read(process) == "ready") return process;
        throw new InvalidOperationException($"The {role} process does not start.");
    }

    private Process Start(string role)
    {
        ProcessStartInfo how = role == "holder" && _holder is not null
            ? new(_holder, [NativeIpcKey.Parse(_key).NativeKey])
            : new(Environment.ProcessPath!, ["recovery-part", role, _key]);
        how.RedirectStandardInput = how.RedirectStandardOutput = true;
        Process process = Process.Start(how)!;
        _all.Add(process);
        return process;
    }

    private static string? Read(Process process)
    {
        Task<string?> line = process.StandardOutput.ReadLineAsync();
        return line.Wait(s_watchdog) ? line.Result : null;
    }

    private static readonly bool s_traces = Environment.GetEnvironmentVariable("NATIVEIPC_STORM_TRACE") == "1";

    /// <summary>With NATIVEIPC_STORM_TRACE=1: says to standard error when a process came to a point, in
    /// microseconds.</summary>
    private static void Trace(string point)
    {
        if (!s_traces) return;
        long now = Stopwatch.GetTimestamp() / 1000;
        Console.Error.WriteLine(FormattableString.Invariant($"{now} {Environment.ProcessId} {point}"));
    }

    /// <summary>A process of the run.</summary>
    public static int RunPart(string role, string key)
    {
        if (s_traces)
        {
            AppContext.SetSwitch("NativeIpc.StopPoints", true);
            Internals.StopPointReached = static point =>
            {
                if (point.StartsWith('a') || point.StartsWith("prove", StringComparison.Ordinal)) Trace(point);
            };
        }

        if (role == "busy")
        {
            while (true)
            {
            }
        }

        return role == "holder" ? Hold(NativeIpcKey.Parse(key)) : Work(role, NativeIpcKey.Parse(key)).Result;
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
            if (taken.WasAbandoned) Trace("taken over");
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
