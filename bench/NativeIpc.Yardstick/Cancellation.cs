using System.Globalization;

namespace NativeIpc.Yardstick;

/// <summary>
/// From <c>Cancel()</c> to the exception on the thread that is blocked in <c>Acquire</c>: median and 99th percentile.
/// And how often such a thread wakes up while nothing happens: voluntary context switches a second.
/// </summary>
internal static class Cancellation
{
    public static void Run(string name)
    {
        NativeIpcKey key = Harness.SemaphoreKey(name, "cancelled");
        using SystemSemaphore semaphore = Harness.Fresh(key, 0);
        using Waiter waiter = new(semaphore);
        (int count, long end) = (Harness.Quick ? 5 : 1000, Harness.Now() + 60_000_000_000);
        Random random = new(1);
        List<double> latencies = [];
        for (int i = 0; i < count + 20 && Harness.Now() < end; i++)
        {
            using CancellationTokenSource source = waiter.Block();
            Harness.Pass(random.Next(3)); // not in step with anything
            double latency = waiter.Cancel(source);
            if (i >= 20 || Harness.Quick) latencies.Add(latency);
        }

        Harness.Print(name + ".median", Harness.Percentile(latencies, 0.5));
        Harness.Print(name + ".p99", Harness.Percentile(latencies, 0.99));

        int milliseconds = Harness.Quick ? 500 : 10_000;
        using CancellationTokenSource idle = waiter.Block();
        long before = Switches(waiter.ThreadId);
        Harness.Pass(milliseconds);
        Harness.Print(name + ".idle_wakeups_s", (Switches(waiter.ThreadId) - before) * 1000.0 / milliseconds);
        waiter.Cancel(idle);
    }

    private static long Switches(int thread)
    {
        const string Label = "voluntary_ctxt_switches:";
        string line = File.ReadLines($"/proc/self/task/{thread}/status")
            .First(line => line.StartsWith(Label, StringComparison.Ordinal));
        return long.Parse(line.AsSpan(Label.Length), NumberStyles.Integer, CultureInfo.InvariantCulture);
    }

    /// <summary>A thread that blocks with one token after the other.</summary>
    private sealed class Waiter : IDisposable
    {
        private readonly SystemSemaphore _semaphore;
        private readonly SemaphoreSlim _go = new(0), _ended = new(0);
        private readonly Thread _thread;
        private volatile CancellationTokenSource? _source;
        private volatile bool _blocking;
        private long _seen;

        public Waiter(SystemSemaphore semaphore)
        {
            _semaphore = semaphore;
            _thread = new Thread(Loop) { IsBackground = true };
            _thread.Start();
        }

        public int ThreadId { get; private set; }

        /// <summary>Returns once the thread sleeps in its wait.</summary>
        public CancellationTokenSource Block()
        {
            _source = new CancellationTokenSource();
            _go.Release();
            while (!_blocking) Thread.Yield();
            Harness.WaitUntilAsleep(ThreadId);
            return _source;
        }

        public double Cancel(CancellationTokenSource source)
        {
            long start = Harness.Now();
            source.Cancel();
            _ended.Wait();
            return _seen - start;
        }

        public void Dispose()
        {
            _source = null;
            _go.Release();
            _thread.Join();
            _go.Dispose();
            _ended.Dispose();
        }

        private void Loop()
        {
            ThreadId = Native.ThreadId();
            while (true)
            {
                _go.Wait();
                if (_source is not { } source) return;
                CancellationToken token = source.Token;
                try
                {
                    _blocking = true;
                    _semaphore.Acquire(token);
                }
                catch (OperationCanceledException)
                {
                    _seen = Harness.Now();
                }

                _blocking = false;
                _ended.Release();
            }
        }
    }
}
