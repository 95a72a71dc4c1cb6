using System.Diagnostics;
using System.Globalization;

namespace NativeIpc.Peer;

/// <summary>Uses the lock of a segment in every way while somebody else replaces it again and again, until he sets the
/// segment's first byte; counts this process's descriptors on the way.</summary>
/// <remarks>The scopes that were told of a replacement are counted at offset 4, for him to see that this process has
/// come on.</remarks>
internal sealed class ReplacedLock(NativeIpcKey key, TextWriter output)
{
    private const int LooksBetweenCounts = 20;

    private readonly SharedMemory _segment = SharedMemory.OpenExisting(key,
        options: new() { Removal = RemovalPolicy.Keep });
    private long _locked;
    private long _tried;
    private long _handedOn;
    private long _awaited;
    private int _mostDescriptors;

    private bool IsOver => Volatile.Read(ref _segment.GetReference<byte>(0)) != 0;

    public string Run(TimeSpan watchdog)
    {
        long start = Stopwatch.GetTimestamp();
        using (_segment)
        {
            _segment.Lock().Dispose();
            output.WriteLine("locking"); // from now on it can tell of a replacement
            Task[] uses =
            [
                Start(Lock), Start(Lock), Start(Try), Start(HandOn),
                Task.Run(AwaitAsync),
            ];
            if (!Task.WaitAll(uses, watchdog)) return "error Unknown somebody hangs";
            CountDescriptors();
        }

        int last = Descriptors();
        return string.Create(CultureInfo.InvariantCulture,
            $"ok locked={_locked} tried={_tried} handedon={_handedOn} awaited={_awaited} most={_mostDescriptors} "
                + $"last={last} ms={Stopwatch.GetElapsedTime(start).TotalMilliseconds:0}");
    }

    private void Lock()
    {
        while (!IsOver)
        {
            using SharedMemoryLock scope = _segment.Lock();
            Note(scope);
            if (Interlocked.Increment(ref _locked) % LooksBetweenCounts == 0) CountDescriptors();
        }
    }

    private void Try()
    {
        while (!IsOver)
        {
            if (!_segment.TryLock(TimeSpan.FromMilliseconds(2), out SharedMemoryLock scope)) continue;
            Note(scope);
            scope.Dispose();
            _tried++;
        }
    }

    /// <summary>The scope ends on another thread, and a second time on this one.</summary>
    private void HandOn()
    {
        while (!IsOver)
        {
            SharedMemoryLock scope = _segment.Lock();
            Note(scope);
            Task ending = Task.Run(scope.Dispose);
            scope.Dispose();
            ending.Wait();
            _handedOn++;
        }
    }

    private async Task AwaitAsync()
    {
        while (!IsOver)
        {
            using SharedMemoryLock scope = await _segment.LockAsync().ConfigureAwait(false);
            Note(scope);
            _awaited++;
        }
    }

    private void Note(SharedMemoryLock scope)
    {
        if (scope.WasReplaced) Interlocked.Increment(ref _segment.GetReference<int>(4));
    }

    private void CountDescriptors()
    {
        int now = Descriptors();
        for (int most = Volatile.Read(ref _mostDescriptors); now > most; most = Volatile.Read(ref _mostDescriptors))
        {
            if (Interlocked.CompareExchange(ref _mostDescriptors, now, most) == most) return;
        }
    }

    private static int Descriptors() => Directory.GetFiles("/proc/self/fd").Length;

    private static Task Start(Action use)
        => Task.Factory.StartNew(use, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
}
