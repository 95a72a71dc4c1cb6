using System.Globalization;
using System.Reflection;
using NativeIpc.Inspection;

namespace NativeIpc.Victim;

/// <summary>Steps that use the library. The last segment, semaphore and lock made or opened are kept for the steps
/// after.</summary>
internal sealed partial class IpcSteps
{
    private readonly List<IDisposable> _kept = [];
    private SharedMemory? _segment;
    private SystemSemaphore? _semaphore;
    private SharedMemoryLock _lock;
    private IpcObjectInfo? _listed;
    private string[] _words = [];

    internal string Run(string[] words)
    {
        _words = words;
        return words[0] switch
        {
            "segment-create" => Keep(SharedMemory.CreateNew(Key, Size, SegmentOptions)),
            "segment-create-or-open" => Keep(SharedMemory.CreateOrOpen(Key, Size, SegmentOptions)),
            "segment-open" => Keep(SharedMemory.OpenExisting(Key, SharedMemoryAccess.ReadWrite, SegmentOptions)),
            "segment-read" => Keep(SharedMemory.OpenExisting(Key, SharedMemoryAccess.Read, SegmentOptions)),
            "segment-try-open" => SharedMemory.TryOpenExisting(Key, out SharedMemory? found,
                SharedMemoryAccess.ReadWrite, SegmentOptions) ? Keep(found) : "missing",
            "segment-read-again-and-again" => ReadAgainAndAgain(),
            "segment-remove" => SharedMemory.Remove(Key) ? "removed" : "missing",
            "segment-owner" => IpcObjects.Inspect(Key, IpcObjectKind.SharedMemory) is { } found ? $"owner "
                + $"{found.OwnerId?.ToString(CultureInfo.InvariantCulture) ?? "unknown"}" : "missing",
            "segment-list" => (_listed = IpcObjects.Inspect(Key, IpcObjectKind.SharedMemory)) is null
                ? "missing" : "listed",
            "listed-remove" => IpcObjects.Remove(_listed!) ? "removed" : "missing",
            "segment-fill" => Fill(),
            "segment-lock" => Lock(),
            "segment-drop-locked" => DropLocked(),
            "segment-wait-twice" => WaitTwice(),
            "segment-wait-for-own" => $"{Second().TryLock(TimeSpan.FromMilliseconds(Count), out _)}",
            "segment-wait-for-own-async" =>
                $"{Second().TryLockAsync(TimeSpan.FromMilliseconds(Count)).AsTask().GetAwaiter().GetResult()
                    is not null}",
            "segment-lock-often" => LockOften(),
            "segment-attend" => Attend(),
            "segment-outlive-strangers" => OutliveStrangers(),
            "life-thread" => Internals.NameOfLifeThread(),
            "segment-lock-silently" => LockSilently(int.Parse(words[1], CultureInfo.InvariantCulture)),
            "segment-verify-silently" => Silently(segment => segment.VerifySize()),
            "segment-verify" => $"{_segment!.VerifySize()}",
            "segment-copy-out" => CopyOut(),
            "segment-copy-in" => CopyIn(),
            "segment-stream" => ReadStream(),
            "segment-touch" => $"{_segment!.GetSpan(long.Parse(words[1], CultureInfo.InvariantCulture), 1)[0]}",
            "semaphore-create" => Keep(SystemSemaphore.CreateNew(Key, Count, SemaphoreOptions)),
            "semaphore-create-or-open" => Keep(SystemSemaphore.CreateOrOpen(Key, Count, SemaphoreOptions)),
            "semaphore-reset" => Keep(SystemSemaphore.CreateOrReset(Key, Count, SemaphoreOptions)),
            "semaphore-open" => Keep(SystemSemaphore.OpenExisting(Key, SemaphoreOptions)),
            "semaphore-try-open" => SystemSemaphore.TryOpenExisting(Key, out SystemSemaphore? found, SemaphoreOptions)
                ? Keep(found) : "missing",
            "semaphore-remove" => SystemSemaphore.Remove(Key) ? "removed" : "missing",
            "semaphore-count" => _semaphore!.TryGetCurrentCount(out int count)
                ? count.ToString(CultureInfo.InvariantCulture) : "unknown",
            "semaphore-release" => Release(),
            "semaphore-acquire" => _semaphore!.TryAcquire() ? "acquired" : "none left",
            "any-wait" => $"{!SystemWait.Any([_semaphore!, _semaphore!], Milliseconds).TimedOut}",
            "semaphore-wait" => $"{_semaphore!.TryAcquire(Milliseconds)}",
            "semaphore-wait-async" => $"{_semaphore!.TryAcquireAsync(Milliseconds).AsTask().GetAwaiter().GetResult()}",
            "semaphore-fail-async" => FailAsync(() => _semaphore!.TryAcquireAsync(Milliseconds).AsTask()),
            "segment-fail-async" => FailAsync(() => _segment!.TryLockAsync(Milliseconds).AsTask()),
            "segment-wait" => $"{_segment!.TryLock(Milliseconds, out _lock)}",
            "segment-was-abandoned" => $"{_lock.WasAbandoned}",
            "semaphore-was-replaced" => WasReplaced(),
            "semaphore-was-abandoned" => $"{_semaphore!.WasAbandoned}",
            "segment-lock-async-at-end" => LockAsyncAtEnd(),
            "segment-wait-async" =>
                $"{_segment!.TryLockAsync(Milliseconds).AsTask().GetAwaiter().GetResult() is not null}",
            "segment-open-and-lock" =>
                $"{Keep(SharedMemory.OpenExisting(Key, SharedMemoryAccess.ReadWrite, SegmentOptions))}, {Lock()}",
            "segment-status" => $"{_segment!.GetLockStatus()}",
            "semaphore-acquire-in-thread" => AcquireInThread(),
            "event-create" => Keep(SystemEvent.CreateNew(Key, EventResetMode.AutoReset, options: EventOptions)),
            "event-create-or-open" =>
                Keep(SystemEvent.CreateOrOpen(Key, EventResetMode.AutoReset, options: EventOptions)),
            "event-reset" => Keep(SystemEvent.CreateOrReset(Key, EventResetMode.AutoReset, options: EventOptions)),
            "event-open" => Keep(SystemEvent.OpenExisting(Key, EventOptions)),
            "event-try-open" => SystemEvent.TryOpenExisting(Key, out SystemEvent? found, EventOptions)
                ? Keep(found) : "missing",
            "event-remove" => SystemEvent.Remove(Key) ? "removed" : "missing",
            "event-is-set" => _event!.TryGetIsSet(out bool isSet) ? $"{isSet}" : "unknown",
            "event-set" => Set(),
            "event-wait" => $"{_event!.Wait(Milliseconds)}",
            "segment-churn" => Churn(key => SharedMemory.CreateNew(key, 4096)),
            "semaphore-churn" => Churn(key => SystemSemaphore.CreateNew(key, 1)),
            "safe-key" => SharedMemory.PlatformSafeKey(words[2],
                (NativeIpcKeyType)int.Parse(words[1], CultureInfo.InvariantCulture)).ToString(),
            "supports" => Supports((NativeIpcKeyType)int.Parse(words[1], CultureInfo.InvariantCulture)),
            "segment-access" => Access(),
            "segment-dispose" => DisposeSegment(),
            "semaphore-enter" => Enter(),
            "dispose" => Dispose(),
            "drop" => Drop(),
            "watches" => DropSteps.Watches() ? "watches" : "none",
            "do-chores" => DropSteps.DoChores(),
            "await-gone" => DropSteps.AwaitGone(words[1]),
            "await-no-watch" => DropSteps.AwaitNoWatch(),
            "finalizer-thread" => $"{DropSteps.FinalizerThread()}",
            _ => throw new ArgumentException($"No such step: {words[0]}"),
        };
    }

    /// <summary>Takes the lock of a new segment, forgets the instance and has the garbage collector find it.</summary>
    private string DropLocked()
    {
        MakeLocked(Key);
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return "dropped";

        [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
        static void MakeLocked(NativeIpcKey key)
        {
            if (!SharedMemory.CreateNew(key, 100).TryLock(out _))
                throw new InvalidOperationException("The lock of a new segment was not free.");
        }
    }

    /// <summary>Asks so often that a watch begins, where there are watches.</summary>
    private string WasReplaced()
    {
        for (int i = 0; i < 20; i++) _ = _semaphore!.WasReplaced;
        return $"{_semaphore!.WasReplaced}";
    }

    private readonly List<object> _pending = [];

    /// <summary>Takes the lock of a new segment, and has a second instance wait for it.</summary>
    private string WaitTwice()
    {
        SharedMemory first = SharedMemory.CreateNew(Key, 100);
        SharedMemory second = SharedMemory.OpenExisting(Key);
        if (!first.TryLock(out SharedMemoryLock _))
            throw new InvalidOperationException("The lock of a new segment was not free.");
        Task<SharedMemoryLock> pending = second.LockAsync().AsTask();
        _pending.AddRange([first, second, pending]);
        _kept.AddRange([first, second]);
        return pending.IsCompleted ? "completed" : "waits";
    }

    /// <summary>Takes the lock of a new segment; another instance of it.</summary>
    private SharedMemory Second()
    {
        Keep(SharedMemory.CreateNew(Key, 100));
        Lock();
        Keep(SharedMemory.OpenExisting(Key));
        return _segment!;
    }

    private string LockOften()
    {
        Keep(SharedMemory.CreateNew(Key, 100));
        for (int i = 0; i < Count; i++) _segment!.Lock().Dispose();
        return "locked";
    }

    /// <summary>Takes the lock of a new segment and waits until the library watches it for others.</summary>
    private string Attend()
    {
        Keep(SharedMemory.CreateNew(Key, 100));
        Lock();
        SpinWait.SpinUntil(DropSteps.Watches);
        return "attended";
    }

    /// <summary>Again and again a program that leaves no mark takes the lock of a new segment, which two instances have
    /// open, and is gone; how often the lock came free.</summary>
    private string OutliveStrangers()
    {
        Keep(SharedMemory.CreateNew(Key, 100));
        _segment!.Lock().Dispose();
        Keep(SharedMemory.OpenExisting(Key));
        _segment!.Lock().Dispose();
        for (int i = 0; i < Count; i++)
        {
            using (var stranger = SystemSemaphore.OpenExisting(Key))
            {
                if (!stranger.TryAcquire()) return $"taken after {i}";
            }

            if (!_segment!.TryLock(TimeSpan.FromSeconds(30), out SharedMemoryLock held)) return $"{i}";
            held.Dispose();
        }

        return $"{Count}";
    }

    private NativeIpcKey Key => NativeIpcKey.Parse(_words[1], null);

    private long Size => long.Parse(_words[2], CultureInfo.InvariantCulture);

    private int Count => int.Parse(_words[2], CultureInfo.InvariantCulture);

    private UnixFileMode Mode => (UnixFileMode)Convert.ToInt32(Option("mode", "600"), 8);

    private RemovalPolicy Removal => Enum.Parse<RemovalPolicy>(Option("removal", "Default"));

    private bool RemoveAtProcessExit => bool.Parse(Option("exit", "true"));

    private TimeSpan PeerTimeout => TimeSpan.FromMilliseconds(
        int.Parse(Option("timeout", "1000"), CultureInfo.InvariantCulture));

    private SharedMemoryOptions SegmentOptions => new()
    {
        Mode = Mode,
        Removal = Removal,
        RemoveAtProcessExit = RemoveAtProcessExit,
        PeerTimeout = PeerTimeout,
        Allocation = Enum.Parse<SharedMemoryAllocation>(Option("allocation", "Reserve")),
        UseLock = bool.Parse(Option("lock", "true")),
        RequireLockRecovery = bool.Parse(Option("recovery", "false")),
        AllowOtherOwners = bool.Parse(Option("others", "false")),
        Reclaim = bool.Parse(Option("reclaim", "false")),
        Group = Option("group", "") is { Length: > 0 } group ? group : null,
    };

    private SystemSemaphoreOptions SemaphoreOptions => new()
    {
        Mode = Mode,
        Removal = Removal,
        RemoveAtProcessExit = RemoveAtProcessExit,
        PeerTimeout = PeerTimeout,
        Robust = bool.Parse(Option("robust", "false")),
        Recording = Enum.Parse<PermitRecording>(Option("recording", "None")),
        Undo = Enum.Parse<SystemVUndoPolicy>(Option("undo", "Both")),
        AllowOtherOwners = bool.Parse(Option("others", "false")),
        Group = Option("group", "") is { Length: > 0 } group ? group : null,
    };

    private string Option(string name, string otherwise)
        => Array.Find(_words, word => word.StartsWith(name + "=", StringComparison.Ordinal)) is { } found
            ? found[(name.Length + 1)..] : otherwise;

    private string Keep(SharedMemory segment)
    {
        _segment = segment;
        _kept.Add(segment);
        return $"{(segment.CreatedNew ? "created" : "opened")} {segment.Size}";
    }

    private string Keep(SystemSemaphore semaphore)
    {
        _semaphore = semaphore;
        _kept.Add(semaphore);
        return semaphore.CreatedNew ? "created" : "opened";
    }

    /// <summary>
    /// Attaches for reading until there is no such segment for a while, and looks each time whether what it got has
    /// been removed: the one of its size.
    /// </summary>
    private string ReadAgainAndAgain()
    {
        const int removed = 512; // SHM_DEST, 01000
        int attached = 0;
        string size = _words[2];
        string end = _words[3];
        while (!File.Exists(end))
        {
            if (!SharedMemory.TryOpenExisting(Key, out SharedMemory? segment, SharedMemoryAccess.Read, SegmentOptions))
                continue;
            attached++;
            foreach (string line in File.ReadLines("/proc/sysvipc/shm"))
            {
                string[] fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
                if (fields[3] != size || (Convert.ToInt32(fields[2], 8) & removed) == 0) continue;
                return $"removed under the reader, after {attached}";
            }

            segment.Dispose();
        }

        return attached > 0 ? "never removed" : "never attached";
    }

    private string Fill()
    {
        for (long at = 0; at < _segment!.Size; at += 4096) _segment.GetSpan(at, 1)[0] = 1;
        return "filled";
    }

    private string Lock()
    {
        _segment!.Lock();
        return "locked";
    }

    private TimeSpan Milliseconds => TimeSpan.FromMilliseconds(int.Parse(_words[1], CultureInfo.InvariantCulture));

    /// <summary>Locks while the process seems to be ending, and counts the pauses of this thread.</summary>
    private string LockAsyncAtEnd()
    {
        SetEnding(true);
        int before = Internals.PausesOfThisThread;
        Task<SharedMemoryLock?> locking = _segment!.TryLockAsync(Timeout.InfiniteTimeSpan).AsTask();
        int pauses = Internals.PausesOfThisThread - before;
        SetEnding(false);
        return $"{pauses} {locking.GetAwaiter().GetResult() is not null}";

        static void SetEnding(bool value)
            => typeof(SharedMemory).Assembly.GetType("NativeIpc.Lifetime.ProcessExit", throwOnError: true)!
                .GetField("s_isEnding", BindingFlags.Static | BindingFlags.NonPublic)!.SetValue(null, value);
    }

    /// <summary>Fails again and again, and tells the descriptors and mappings that this takes.</summary>
    private static string FailAsync(Func<Task> wait)
    {
        NativeIpcException? failure = null;
        int descriptors = 0;
        int mappings = 0;
        for (int i = -1; i < 50; i++)
        {
            if (i == 0) (descriptors, mappings) = (Directory.GetFiles("/proc/self/fd").Length, Mappings());
            try
            {
                wait().GetAwaiter().GetResult();
                throw new InvalidOperationException("It did not fail.");
            }
            catch (NativeIpcException thrown)
            {
                failure = thrown;
            }
        }

        // The runtime maps some now and then: each failure would take two.
        string more = Mappings() - mappings < 50 ? "few" : "many";
        return $"{failure!.Error} {Directory.GetFiles("/proc/self/fd").Length - descriptors} {more}: {failure.Message}";
    }

    private static int Mappings() => File.ReadAllLines("/proc/self/maps").Length;

    private string LockSilently(int times) => Silently(segment =>
    {
        for (int i = 0; i < times; i++)
        {
            using SharedMemoryLock scope = segment.Lock();
            if (scope.WasReplaced || scope.WasAbandoned) throw new InvalidOperationException("It was not left alone.");
        }
    });

    /// <summary>Uses the segment on a thread that dies of a system call, but of the one that a System V lock is made
    /// of. It ends with the process only, since ending is a system call, too.</summary>
    private string Silently(Action<SharedMemory> use)
    {
        SharedMemory segment = _segment!;
        uint? allowed = segment.Key.Type.IsSystemV ? SystemCallFilter.Semtimedop : null;
        int done = 0;
        Exception? failure = null;
        new Thread(() =>
        {
            // Everything once before, since to compile or to load a thing is a system call or two.
            for (int turn = 0; turn < 2; turn++)
            {
                SystemCallFilter.KillAtOtherThan(allowed, isRehearsal: turn == 0);
                try
                {
                    use(segment);
                }
                catch (InvalidOperationException thrown)
                {
                    failure = thrown;
                }

                Volatile.Write(ref done, turn + 1);
                Thread.SpinWait(1000);
            }

            while (true) Thread.SpinWait(1000);
        }) { IsBackground = true }.Start();
        while (Volatile.Read(ref done) < 2) Thread.Yield();
        return failure is null ? "silent" : throw failure;
    }

    private string CopyOut()
    {
        _segment!.Read(0, new byte[_segment.Size]);
        return "read";
    }

    private string CopyIn()
    {
        _segment!.Write(_segment.Size - 10, new byte[10]);
        return "written";
    }

    private string ReadStream()
    {
        using Stream stream = _segment!.OpenStream();
        stream.ReadExactly(new byte[_segment.Size]);
        return "read";
    }

    private string Release()
    {
        _semaphore!.Release(int.Parse(_words[1], CultureInfo.InvariantCulture));
        return "released";
    }

    private string AcquireInThread()
    {
        SystemSemaphore semaphore = _semaphore!;
        InBackground(began =>
        {
            began.Set();
            semaphore.Acquire();
        });
        return "waits";
    }

    /// <summary>Makes and disposes one object after the other until the process ends; the next step comes when the
    /// first one is through.</summary>
    private string Churn(Func<NativeIpcKey, IDisposable> make)
    {
        NativeIpcKey key = Key;
        InBackground(began =>
        {
            while (true)
            {
                make(key).Dispose();
                began.Set();
            }
        });
        return "churns";
    }

    private static void InBackground(Action<ManualResetEventSlim> action)
    {
        var began = new ManualResetEventSlim();
        new Thread(() => action(began)) { IsBackground = true }.Start();
        began.Wait();
    }

    private string Dispose()
    {
        for (int i = _kept.Count - 1; i >= 0; i--) _kept[i].Dispose();
        _kept.Clear();
        _pending.Clear();
        (_segment, _semaphore, _event) = (null, null, null);
        return "disposed";
    }

    /// <summary>Keeps a scope in which the segment is not unmapped, also when it is disposed.</summary>
    private string Access()
    {
        _pending.Add(_segment!.BeginAccess());
        return "accessed";
    }

    private string DisposeSegment()
    {
        _segment!.Dispose();
        return "disposed";
    }

    private string Enter()
    {
        _pending.Add(_semaphore!.Enter());
        return "entered";
    }

    /// <summary>Forgets everything without disposing it, and has the garbage collector find it.</summary>
    private string Drop()
    {
        Forget();
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return "dropped";
    }

    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
    private void Forget()
    {
        _kept.Clear();
        _pending.Clear();
        (_segment, _semaphore, _event, _lock) = (null, null, null, default);
    }

    private static string Supports(NativeIpcKeyType type)
        => $"segments {SharedMemory.IsKeyTypeSupported(type)}, semaphores {SystemSemaphore.IsKeyTypeSupported(type)}";
}
