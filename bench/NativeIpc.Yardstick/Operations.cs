namespace NativeIpc.Yardstick;

/// <summary>
/// The operations that programs repeat, each of which has to allocate nothing. The yardstick prints how many bytes each
/// costs; a test of the conformance suite, which compiles this file too, asserts that there are none.
/// </summary>
internal sealed class Operations : IDisposable
{
    private const int Size = 4096;
    private readonly SystemSemaphore _semaphore;
    private readonly SystemSemaphore _empty;
    private readonly SharedMemory _segment;
    private readonly SystemEvent? _auto;
    private readonly SystemEvent? _manual;
    private readonly CancellationTokenSource _source = new();
    private readonly byte[] _bytes = new byte[Size];
    private long _sum;

    /// <param name="semaphore">A key for a semaphore and an event that are not there.</param>
    /// <param name="empty">A key for others.</param>
    /// <param name="segment">A key for a segment that is not there.</param>
    public Operations(NativeIpcKey semaphore, NativeIpcKey empty, NativeIpcKey segment)
    {
        _semaphore = SystemSemaphore.CreateNew(semaphore, 1);
        _empty = SystemSemaphore.CreateNew(empty, 0);
        _segment = SharedMemory.CreateNew(segment, Size);
        CancellationToken token = _source.Token;
        TimeSpan second = TimeSpan.FromSeconds(1), soon = TimeSpan.FromMilliseconds(1);
        var all = new Dictionary<string, Action>
        {
            ["Acquire, Release"] = () => { _semaphore.Acquire(); _semaphore.Release(); },
            ["Acquire(token), Release"] = () => { _semaphore.Acquire(token); _semaphore.Release(); },
            ["TryAcquire, Release"] = () => { Check(_semaphore.TryAcquire()); _semaphore.Release(); },
            ["TryAcquire(timeout), Release"] = () => { Check(_semaphore.TryAcquire(second)); _semaphore.Release(); },
            ["TryAcquire(timeout, token), Release"] = () =>
            {
                Check(_semaphore.TryAcquire(second, token));
                _semaphore.Release();
            },
            ["AcquireAsync at once, Release"] = () => { AtOnce(_semaphore.AcquireAsync(token)); _semaphore.Release(); },
            ["TryAcquire without a permit"] = () => Check(!_empty.TryAcquire()),
            ["TryAcquire(timeout) that blocks"] = () => Check(!_empty.TryAcquire(soon)),
            ["TryAcquire(timeout, token) that blocks"] = () => Check(!_empty.TryAcquire(soon, token)),
            ["TryGetCurrentCount"] = () => Check(_semaphore.TryGetCurrentCount(out _)),
            ["Lock, Dispose"] = () => _segment.Lock().Dispose(),
            ["Lock(token), Dispose"] = () => _segment.Lock(token).Dispose(),
            ["TryLock, Dispose"] = () => { Check(_segment.TryLock(out SharedMemoryLock scope)); scope.Dispose(); },
            ["TryLock(timeout), Dispose"] = () =>
            {
                Check(_segment.TryLock(second, out SharedMemoryLock scope));
                scope.Dispose();
            },
            ["LockAsync at once, Dispose"] = () => AtOnce(_segment.LockAsync(token)).Dispose(),
            ["Read"] = () => _segment.Read(0, _bytes),
            ["Write"] = () => _segment.Write(0, _bytes),
            ["Span"] = () => _segment.Span[1] = 1,
            ["ReadOnlySpan"] = () => _sum += _segment.ReadOnlySpan[1],
            ["GetSpan"] = () => _segment.GetSpan(8, 8)[1] = 1,
            ["GetReference"] = () => _segment.GetReference<long>(8) = 1,
        };
        SystemWaitTarget[] targets = [_empty, _segment, _semaphore];
        SystemWaitTarget[] noPermits = [_empty, _empty];
        all["SystemWait.Any at once, Dispose"] = () => SystemWait.Any(targets, second, token).Lock.Dispose();
        all["SystemWait.Any that blocks"] = () => Check(SystemWait.Any(noPermits, soon, token).TimedOut);
        if (OperatingSystem.IsLinux())
        {
            all["WaitOnWord at once"] = () => _segment.WaitOnWord(16, 1);
            all["WaitOnWord(timeout, token)"] = () => _segment.WaitOnWord(16, 0, soon, token);
            all["WakeWord"] = () => _segment.WakeWord(16);
        }

        if (SystemEvent.IsKeyTypeSupported(semaphore.Type))
        {
            SystemEvent auto = _auto = SystemEvent.CreateNew(semaphore, EventResetMode.AutoReset);
            SystemEvent manual = _manual = SystemEvent.CreateNew(empty, EventResetMode.ManualReset);
            all["Set, Wait"] = () => { auto.Set(); auto.Wait(); };
            SystemWaitTarget[] withEvents = [_empty, auto, manual];
            all["Set, SystemWait.Any"] = () => { auto.Set(); SystemWait.Any(withEvents); };
            all["SystemWait.Any for events that blocks"] = () =>
                Check(SystemWait.Any(withEvents, soon, token).TimedOut);
            all["Set, Wait(timeout, token)"] = () => { auto.Set(); Check(auto.Wait(second, token)); };
            all["Set, WaitAsync at once"] = () => { auto.Set(); AtOnce(auto.WaitAsync(token)); };
            all["Set, Reset"] = () => { manual.Set(); manual.Reset(); };
            all["Wait(timeout) for an event that blocks"] = () => Check(!manual.Wait(soon));
            all["Wait(timeout, token) for an event that blocks"] = () => Check(!manual.Wait(soon, token));
            all["TryGetIsSet"] = () => Check(manual.TryGetIsSet(out bool isSet) && !isSet);
        }

        All = all;
        Making = new Dictionary<string, Action>
        {
            ["Memory"] = () => _segment.Memory.Span[1] = 1,
            ["BeginAccess, Dispose"] = () => _segment.BeginAccess().Dispose(),
            ["OpenStream, Dispose"] = () => _segment.OpenStream().Dispose(),
        };
    }

    /// <summary>Each operation by its name.</summary>
    public IReadOnlyDictionary<string, Action> All { get; }

    /// <summary>What is asked for once and kept: these make an object, and the yardstick prints its size.</summary>
    public IReadOnlyDictionary<string, Action> Making { get; }

    /// <summary>What an operation allocates on this thread, in bytes, once it has been done often enough for the JIT
    /// and for what is made only once.</summary>
    public static double BytesOf(Action operation, int times)
    {
        for (int i = 0; i < times; i++) operation();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < times; i++) operation();
        return (double)(GC.GetAllocatedBytesForCurrentThread() - before) / times;
    }

    public void Dispose()
    {
        _semaphore.Dispose();
        _empty.Dispose();
        _segment.Dispose();
        _auto?.Dispose();
        _manual?.Dispose();
        _source.Dispose();
    }

    private static void AtOnce(ValueTask wait)
    {
        Check(wait.IsCompletedSuccessfully);
        wait.GetAwaiter().GetResult();
    }

    private static SharedMemoryLock AtOnce(ValueTask<SharedMemoryLock> wait)
    {
        Check(wait.IsCompletedSuccessfully);
        return wait.GetAwaiter().GetResult();
    }

    private static void Check(bool done)
    {
        if (!done) throw new InvalidOperationException("The operation did not do what it should.");
    }
}
