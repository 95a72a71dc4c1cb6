using System.Buffers;
using System.Diagnostics;
using System.Globalization;

namespace NativeIpc.Peer;

/// <summary>Disposes an object again and again under threads that use it in every way, or has its lock replaced: they
/// may see ObjectDisposedException, and nothing else.</summary>
internal static class StressCommands
{
    private const int Size = 64 * 1024;
    private static readonly TimeSpan s_patience = Patience.Seconds(20);

    public static string Run(Words words, TextWriter output)
    {
        string kind = words.Next();
        NativeIpcKey key = words.NextKey();
        TimeSpan time = TimeSpan.FromMilliseconds(words.NextInt());
        return kind switch
        {
            "shm" => Segment(key, time),
            "sem" => Semaphore(key, time),
            "shm-removed" => RemovedSegment(key, time),
            "sem-removed" => RemovedSemaphore(key, time),
            "replaced" => new ReplacedLock(key, output).Run(time),
            _ => throw new FormatException($"No such kind: {kind}."),
        };
    }

    private static string Segment(NativeIpcKey key, TimeSpan time)
    {
        // One instance stays, so that the memory and the lock are always the same ones.
        using SharedMemory anchor = SharedMemory.CreateOrOpen(key, Size, new() { Removal = RemovalPolicy.Keep });
        return new Stress<SharedMemory>(
            () => SharedMemory.OpenExisting(key, options: new() { Removal = RemovalPolicy.Keep }),
            [.. SegmentUses, ("anchor", _ => anchor.Lock().Dispose())]).Run(time);
    }

    /// <summary>Each Dispose removes the segment and its lock, which threads may be making at that moment.</summary>
    private static string RemovedSegment(NativeIpcKey key, TimeSpan time)
        => new Stress<SharedMemory>(() => WhenGone(() => SharedMemory.CreateNew(key, Size)),
            SegmentUses) { DisposesFirst = true }.Run(time);

    private static (string Name, Action<SharedMemory> Use)[] SegmentUses =>
    [
        ("read", segment => segment.Read(100, new byte[5000])),
        ("write", segment => segment.Write(6000, new byte[5000])),
        ("stream", segment =>
        {
            using Stream stream = segment.OpenStream();
            stream.Position = 20_000;
            stream.Write(new byte[3000]);
            stream.Position = 20_000;
            stream.ReadExactly(new byte[3000]);
        }),
        ("scope", segment =>
        {
            using SharedMemoryAccessScope scope = segment.BeginAccess();
            for (int i = 30_000; i < 40_000; i += 100) scope.GetSpan(i, 100).Fill((byte)i);
            Interlocked.Increment(ref scope.GetReference<int>(40_000));
        }),
        ("pin", segment =>
        {
            using MemoryHandle pin = segment.Memory[50_000..].Pin();
            unsafe
            {
                new Span<byte>(pin.Pointer, 5000).Fill(1);
            }
        }),
        ("lock", segment => segment.Lock().Dispose()),
        ("locks", segment =>
        {
            for (int i = 0; i < 20; i++) segment.Lock().Dispose(); // often enough to go the direct way
        }),
        ("trylock", segment =>
        {
            if (segment.TryLock(TimeSpan.FromMilliseconds(3), out SharedMemoryLock scope)) scope.Dispose();
        }),
    ];

    /// <summary>Not where it is false at once: a thread that only asks that takes the processor from the
    /// others.</summary>
    private static (string Name, Action<SystemSemaphore> Use)[] CountUses(SystemSemaphore sample)
        => sample.TryGetCurrentCount(out _) ? [("count", semaphore => semaphore.TryGetCurrentCount(out _))] : [];

    private static string Semaphore(NativeIpcKey key, TimeSpan time)
    {
        using SystemSemaphore anchor = SystemSemaphore.CreateOrOpen(key, 0,
            new() { Removal = RemovalPolicy.Keep, Undo = SystemVUndoPolicy.None });
        var options = new SystemSemaphoreOptions { Undo = SystemVUndoPolicy.None };
        long given = 0;
        long taken = 0;
        string result = new Stress<SystemSemaphore>(
            () => SystemSemaphore.OpenExisting(key, options),
            [
                ("acquire", semaphore =>
                {
                    semaphore.Acquire();
                    Interlocked.Increment(ref taken);
                }),
                ("tryacquire", semaphore =>
                {
                    if (semaphore.TryAcquire(TimeSpan.FromMilliseconds(3))) Interlocked.Increment(ref taken);
                }),
                ("try", semaphore =>
                {
                    if (semaphore.TryAcquire()) Interlocked.Increment(ref taken);
                }),
                ("release", semaphore => Release(semaphore, 1)),
                ("releasemany", semaphore => Release(semaphore, 3)),
                ("pairs", semaphore =>
                {
                    for (int i = 0; i < 200; i++)
                    {
                        Release(semaphore, 1);
                        if (semaphore.TryAcquire()) Interlocked.Increment(ref taken);
                    }
                }),
                .. CountUses(anchor),
                ("anchor", _ =>
                {
                    Release(anchor, 1);
                    if (anchor.TryAcquire()) Interlocked.Increment(ref taken);
                }),
            ]).Run(time);
        while (anchor.TryAcquire()) taken++;
        return given == taken ? result : string.Create(CultureInfo.InvariantCulture,
            $"error Unknown {given} permits were given and {taken} taken");

        void Release(SystemSemaphore semaphore, int count)
        {
            if (Interlocked.Read(ref given) - Interlocked.Read(ref taken) > 1000)
            {
                if (anchor.TryAcquire()) Interlocked.Increment(ref taken);
                return;
            }

            semaphore.Release(count);
            Interlocked.Add(ref given, count);
        }
    }

    /// <summary>Each Dispose removes the semaphore under those who wait for it.</summary>
    private static string RemovedSemaphore(NativeIpcKey key, TimeSpan time)
        => new Stress<SystemSemaphore>(
            () => WhenGone(() => SystemSemaphore.CreateNew(key, 0, new() { Undo = SystemVUndoPolicy.None })),
            ("acquire", semaphore => semaphore.Acquire()),
            ("tryacquire", semaphore => semaphore.TryAcquire(TimeSpan.FromMilliseconds(3))),
            ("release", semaphore =>
            {
                if (!semaphore.TryGetCurrentCount(out int count) || count < 1000) semaphore.Release(2);
            }),
            ("count", semaphore => semaphore.TryGetCurrentCount(out _)),
            ("try", semaphore =>
            {
                while (semaphore.TryAcquire())
                {
                }
            })) { DisposesFirst = true }.Run(time);

    /// <summary>Makes an object when the uses of the one before that Dispose found under way have ended, and it with
    /// them.</summary>
    private static T WhenGone<T>(Func<T> create)
    {
        long start = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                return create();
            }
            catch (NativeIpcException failure)
                when (failure.Error == NativeIpcError.AlreadyExists && Stopwatch.GetElapsedTime(start) < s_patience)
            {
                Thread.Yield();
            }
        }
    }

    private sealed class Stress<T>(Func<T> open, params (string Name, Action<T> Use)[] uses)
        where T : class, IDisposable
    {
        private readonly long[] _done = new long[uses.Length];
        private readonly long[] _cut = new long[uses.Length];
        private volatile T? _current;
        private volatile Exception? _failure;
        private volatile bool _isOver;

        /// <summary>Whether an object is gone before the next one is made, instead of having the next one opened beside
        /// it.</summary>
        public bool DisposesFirst { get; init; }

        public string Run(TimeSpan time)
        {
            _current = open();
            Thread[] threads = [.. uses.Select((use, i) => new Thread(() => Use(i, use.Use)) { Name = use.Name })];
            foreach (Thread thread in threads) thread.Start();
            long start = Stopwatch.GetTimestamp();
            int disposed = 0;
            while (!IsOver())
            {
                // Mostly cut short at some moment or other; now and then each use comes to its end, also a long one.
                long[] before = [.. _done];
                if (disposed % 16 == 15) WaitUntil(() => AllWereDone(before));
                else WaitUntil(() => _done.Sum() >= before.Sum() + (disposed % 40));
                T old = _current!;
                if (DisposesFirst) old.Dispose();
                _current = open();
                if (!DisposesFirst) old.Dispose();
                disposed++;
            }

            while (_failure is null && !AllWereDone(new long[uses.Length])) Thread.Yield();
            _isOver = true;
            _current!.Dispose();
            foreach (Thread thread in threads) thread.Join();
            if (_failure is { } failure) return $"error Unknown {Words.OneLine(failure.ToString())}";
            string counts = string.Join(' ',
                uses.Select((use, i) => string.Create(CultureInfo.InvariantCulture, $"{use.Name}={_done[i]}")));
            return string.Create(CultureInfo.InvariantCulture, $"ok disposed={disposed} cut={_cut.Sum()} {counts}");

            bool IsOver() => Stopwatch.GetElapsedTime(start) >= time || _failure is not null;

            void WaitUntil(Func<bool> isSo)
            {
                while (!isSo() && !IsOver()) Thread.Yield();
            }

            bool AllWereDone(long[] before)
            {
                for (int i = 0; i < before.Length; i++)
                {
                    if (Volatile.Read(ref _done[i]) == before[i]) return false;
                }

                return true;
            }
        }

        private void Use(int index, Action<T> use)
        {
            while (!_isOver && _failure is null)
            {
                try
                {
                    use(_current!);
                    // Wine 8: see Conformance/README.md, "Under Wine 8"
                    if (Interlocked.Increment(ref _done[index]) % 64 == 0 && OperatingSystem.IsWindows())
                        Thread.Yield();
                }
                catch (ObjectDisposedException)
                {
                    _cut[index]++;
                }
#pragma warning disable CA1031 // Whatever else comes is the finding.
                catch (Exception failure)
#pragma warning restore CA1031
                {
                    _failure = new InvalidOperationException($"While in '{uses[index].Name}'", failure);
                }
            }
        }
    }
}
