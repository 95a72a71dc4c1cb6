using System.Diagnostics;
using System.Globalization;
using System.Runtime;
using System.Runtime.CompilerServices;

namespace NativeIpc.Yardstick;

/// <summary>Timing, batching and children, the counterpart of <c>bench/peers/yard.h</c>: the two have to measure
/// alike.</summary>
internal static class Harness
{
    public const long Big = 64L << 20;

    /// <summary>Only shows that everything runs (bench.sh --quick): its numbers mean nothing.</summary>
    public static readonly bool Quick = Environment.GetEnvironmentVariable("YARD_QUICK") is "1";

    private static readonly long s_batch = Quick ? 1_000_000 : 10_000_000;

    // How many operations eng/instructions.sh counts the instructions of; 0: they are timed.
    private static readonly long s_counted
        = long.Parse(Environment.GetEnvironmentVariable("YARD_COUNTED") ?? "0", CultureInfo.InvariantCulture);

    /// <summary>Monotonic, in nanoseconds; the same clock in every process.</summary>
    public static long Now() => (long)(Stopwatch.GetTimestamp() * (1e9 / Stopwatch.Frequency));

    public static double Median(List<double> values)
    {
        values.Sort();
        int n = values.Count;
        return n % 2 == 1 ? values[n / 2] : (values[(n / 2) - 1] + values[n / 2]) / 2;
    }

    public static double Percentile(List<double> values, double part)
    {
        values.Sort();
        return values[Math.Min(values.Count - 1, (int)(values.Count * part))];
    }

    public static void Print(string name, double value)
    {
        Console.WriteLine($"{name}\t{value:F2}");
        Console.Out.Flush();
    }

    /// <summary>The median of eleven batches of about 10 ms; <paramref name="body"/> does the operation n
    /// times.</summary>
    public static double Measure(Action<long> body, int batches = 11)
    {
        if (s_counted != 0)
        {
            body(10); // what is done once for all
            return Counted(body, s_counted);
        }

        WarmUp(body);
        long n = SizeOfBatch(body);
        return Median([.. Enumerable.Range(0, Quick ? 1 : batches).Select(_ => Timed(body, n) / (double)n)]);
    }

    /// <summary>For operations of milliseconds: five of them, one at a time.</summary>
    public static double MeasureSlow(Action<long> body)
    {
        body(1);
        return Median([.. Enumerable.Range(0, Quick ? 1 : 5).Select(_ => (double)Timed(body, 1))]);
    }

    /// <summary>Until the JIT has settled: enough calls, and then until it has compiled nothing for 250 ms, as what is
    /// called often is compiled again twice, each time 100 ms or more later. Native code has nothing to settle.
    /// </summary>
    public static void WarmUp(Action<long> body)
    {
        for (int i = 0; i < (Quick ? 2 : 40); i++) body(1);
        if (!RuntimeFeature.IsDynamicCodeCompiled || Quick) return;
        long begin = Now(), since = begin, compiled = JitInfo.GetCompiledMethodCount();
        for (long now = begin; now - since < 250_000_000 && now - begin < 3_000_000_000; now = Now())
        {
            body(16);
            if (compiled == (compiled = JitInfo.GetCompiledMethodCount())) continue;
            since = Now();
        }
    }

    /// <summary>Callgrind counts what is done in here, by the method's name; there is nothing to measure.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static double Counted(Action<long> body, long n)
    {
        body(n);
        return 0;
    }

    private static long SizeOfBatch(Action<long> body)
    {
        long n = 1;
        while (true)
        {
            long took = Timed(body, n);
            if (took >= s_batch / 2 || n > 1L << 30) return n;
            n = took < s_batch / 16 ? n * 8 : (long)((double)n * s_batch / took) + 1;
        }
    }

    private static long Timed(Action<long> body, long n)
    {
        long start = Now();
        body(n);
        return Now() - start;
    }

    /// <summary>Starts this program again as a child in a role and waits until it says that it is ready.</summary>
    public static Process StartChild(string role, params IEnumerable<string> arguments)
        => Start(Environment.ProcessPath!, ["--child", role, .. arguments]);

    /// <summary>The same for another program.</summary>
    public static Process Start(string program, IEnumerable<string> arguments)
    {
        Process child = Process.Start(new ProcessStartInfo(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;
        return child.StandardOutput.ReadLine() == "ready"
            ? child : throw new InvalidOperationException($"The child '{string.Join(' ', arguments)}' did not start.");
    }

    /// <summary>The program of C that is on the other side of a workload (<c>@c</c>): empty for this one, null when
    /// that was not built.</summary>
    public static string? PeerOf(string workload) => workload.EndsWith("@c", StringComparison.Ordinal)
        ? Environment.GetEnvironmentVariable("NATIVEIPC_YARD_C") : "";

    /// <summary>How many threads this process has: those of this library, by their names, and all others.</summary>
    public static (int Own, int Others) Threads()
    {
        string[] tasks = Directory.GetDirectories("/proc/self/task");
        int own = tasks.Count(task => File.ReadAllText(task + "/comm").StartsWith("NativeIpc ",
            StringComparison.Ordinal));
        return (own, tasks.Length - own);
    }

    /// <summary>In the child: all is set up.</summary>
    public static void Ready()
    {
        Console.WriteLine("ready");
        Console.Out.Flush();
    }

    public static void End(Process child)
    {
        child.Kill();
        child.WaitForExit();
        child.Dispose();
    }

    /// <summary>Blocks until a thread of this process sleeps in the kernel. It must do so for no other reason than the
    /// one that is meant.</summary>
    public static void WaitUntilAsleep(int thread)
    {
        while (true)
        {
            string state = File.ReadAllText($"/proc/self/task/{thread}/stat");
            if (state[state.LastIndexOf(')') + 2] == 'S') return;
            Thread.Yield();
        }
    }

    /// <summary>Lets time pass. Nothing is waited for but the time itself: what is measured is what happens
    /// meanwhile.</summary>
    public static void Pass(int milliseconds)
    {
        using ManualResetEventSlim never = new();
        never.Wait(milliseconds);
    }

    public static NativeIpcKeyType TypeOf(string name)
        => name.Contains("sysv", StringComparison.Ordinal) ? NativeIpcKeyType.SystemV : NativeIpcKeyType.PosixRealtime;

    public static NativeIpcKey SemaphoreKey(string workload, string name)
        => SystemSemaphore.PlatformSafeKey("yard_o_" + name, TypeOf(workload));

    public static NativeIpcKey SegmentKey(string workload, string name)
        => SharedMemory.PlatformSafeKey("yard_o_" + name, TypeOf(workload));

    /// <summary>A new semaphore, whatever an earlier run left behind.</summary>
    public static SystemSemaphore Fresh(NativeIpcKey key, int count, SystemSemaphoreOptions? options = null)
    {
        SystemSemaphore.Remove(key);
        return SystemSemaphore.CreateNew(key, count, options);
    }
}
