using System.Diagnostics;
using System.Runtime.CompilerServices;
using NativeIpc.Interop;
using NativeIpc.Lifetime;

namespace NativeIpc.Waiting.Async;

/// <summary>Where the system has nothing that one thread could sleep on for many objects (System V, macOS, a kernel
/// without io_uring and futex_waitv): one thread tries them all, with pauses.</summary>
/// <remarks>
/// The pause is at least a hundred times what one round took, so that a thread costs less than a hundredth of a core,
/// and grows from one to twenty milliseconds while nothing happens. Without a queue the thread sleeps.
/// </remarks>
internal sealed class WaitPoller : IWaitSignal
{
    internal static readonly WaitPoller s_instance = new(); // the only one

    private const int ShortestMicroseconds = 1000;
    private const int LongestMicroseconds = 20_000;
    private const int LongestOfAllMicroseconds = 50_000;

    private static readonly ManualResetEventSlim s_hasQueues = new();

    private readonly Lock _gate = new();
    private readonly List<WaitQueue> _queues = [];
    private Thread? _thread;

    public void Arm(WaitQueue queue)
    {
        lock (_gate)
        {
            if (_thread is null)
            {
                Unloading.AtBegin(HurryUp);
                _thread = BackgroundThread.TryStart(Run, 256 * 1024, "NativeIpc wait poller")
                    ?? throw BackgroundThread.Refused(queue.Key);
            }

            _queues.Add(queue);
            s_hasQueues.Set();
        }
    }

    public void Disarm(WaitQueue queue)
    {
        lock (_gate)
        {
            _queues.Remove(queue);
            if (_queues.Count == 0 && !Unloading.HasBegun) s_hasQueues.Reset();
        }
    }

    // R1 Race: a round is under way. Safe because: it finds the queue empty or closed, and touches nothing of the
    // object.
    public void Drain(WaitQueue queue)
    {
    }

    private void Run()
    {
        List<WaitQueue> round = [];
        int pause = ShortestMicroseconds;
        while (true)
        {
            s_hasQueues.Wait();
            if (Unloading.HasBegun && TryEnd()) return;
            long start = Stopwatch.GetTimestamp();
            bool served = Serve(round);
            pause = served ? ShortestMicroseconds : Math.Min(pause * 3 / 2, LongestMicroseconds);
            double spent = Stopwatch.GetElapsedTime(start).TotalMicroseconds;
            Pause.Microseconds((int)Math.Clamp(spent * 100, pause, LongestOfAllMicroseconds));
        }
    }

    // Has the thread look, and end.
    private void HurryUp()
    {
        lock (_gate) s_hasQueues.Set();
    }

    private bool TryEnd()
    {
        lock (_gate)
        {
            if (_queues.Count > 0) return false;
            _thread = null;
            return true;
        }
    }

    // A method of its own, whose variables keep no queue while the thread sleeps.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool Serve(List<WaitQueue> round)
    {
        lock (_gate) round.AddRange(_queues);
        bool served = false;
        foreach (WaitQueue queue in round) served |= queue.Pump();
        round.Clear();
        return served;
    }
}
