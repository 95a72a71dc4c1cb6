namespace NativeIpc.Faults;

/// <summary>Segments, of both back ends.</summary>
internal static class SegmentScenarios
{
    private const int Large = 4 << 20; // two huge pages

    private static readonly TimeSpan s_bound = TimeSpan.FromMilliseconds(20); // nobody races with these
    private static readonly SharedMemoryOptions s_plain = new() { PeerTimeout = s_bound };
    private static readonly SharedMemoryOptions s_keep = s_plain with { Removal = RemovalPolicy.Keep };
    private static readonly SharedMemoryOptions s_last = s_plain with { Removal = RemovalPolicy.LastOneOut };
    private static readonly SharedMemoryOptions s_reclaim = s_plain with { Reclaim = true };
    private static readonly SharedMemoryOptions s_recoverable = s_plain with { RequireLockRecovery = true };

    public static IEnumerable<Scenario> All(bool isPosix)
    {
        string type = isPosix ? "posix" : "systemv";
        Scenario Of(string name, Action<NativeIpcKey> act) => new($"{type}.segment.{name}", isPosix, act);

        yield return Of("create", key => SharedMemory.CreateNew(key, 4096, s_plain).Dispose());
        yield return Of("create.sparse", Create(s_plain with { Allocation = SharedMemoryAllocation.Sparse }));
        yield return Of("create.populate", Create(s_plain with { Allocation = SharedMemoryAllocation.Populate }));
        yield return Of("create.populate.large",
            Create(s_plain with { Allocation = SharedMemoryAllocation.Populate }, Large));
        yield return Of("create.mode", Create(s_plain with { Mode = FileModes.Mode666 }));
        yield return Of("create.group", Create(s_plain with { Group = "0" }));
        yield return Of("create.other-group", Create(s_plain with { Group = "1" }));
        yield return Of("create.keep", Create(s_keep)) with { Leaves = true };
        if (isPosix) yield return Of("create.last-one-out", Create(s_last));
        yield return Of("create.reclaim", Create(s_reclaim)) with { Prepare = Leave, Removes = true };
        yield return Of("create.exists",
            key => Fails(() => SharedMemory.CreateNew(key, 4096, s_plain))) with { Prepare = Made, IsRefused = true };
        yield return Of("create-or-open.new", key => SharedMemory.CreateOrOpen(key, 4096, s_plain).Dispose());
        yield return Of("create-or-open",
            key => SharedMemory.CreateOrOpen(key, 4096, s_plain).Dispose()) with { Prepare = Made };
        yield return Of("create-or-open.small",
            key => Fails(() => SharedMemory.CreateOrOpen(key, 1 << 20, s_plain))) with
        {
            Prepare = Made,
            IsRefused = true,
        };
        yield return Of("create-or-open.reclaim", key => SharedMemory.CreateOrOpen(key, 8192, s_reclaim).Dispose()) with
        {
            Prepare = Leave,
            Removes = true,
        };
        yield return Of("half-created",
            key => SharedMemory.CreateOrOpen(key, 4096, s_plain with { PeerTimeout = TimeSpan.Zero }).Dispose()) with
        {
            Prepare = HalfCreated,
            Removes = true,
        };
        yield return Of("open", key =>
            SharedMemory.OpenExisting(key, options: s_plain).Dispose()) with { Prepare = Made };
        yield return Of("open.read", key =>
            SharedMemory.OpenExisting(key, SharedMemoryAccess.Read, s_plain).Dispose()) with
        {
            Prepare = Made,
        };
        yield return Of("open.populate",
            Open(s_plain with { Allocation = SharedMemoryAllocation.Populate })) with { Prepare = Made };
        yield return Of("open.missing", key => SharedMemory.TryOpenExisting(key, out _, options: s_plain));
        yield return Of("open.async", key => Wait(SharedMemory.OpenExistingAsync(key, s_bound, options: s_plain))) with
        {
            Prepare = Made,
        };
        if (isPosix)
        {
            yield return Of("open.last-one-out", Open(s_last)) with { Prepare = Leave, Removes = true };
            yield return Of("open.last-one-out.beside", Open(s_last)) with { Prepare = Made };
        }

        yield return Of("remove", key => SharedMemory.Remove(key)) with { Prepare = Leave, Removes = true,
            SaysWhatIsLeft = true };
        yield return Of("dispose", null!) with { Prepare = Made, Removes = true, ActOn = (_, made) => made.Dispose() };
        yield return Of("dispose.locked", null!) with { Prepare = Locked, Removes = true,
            ActOn = (_, made) => made.Dispose() };
        yield return Of("bytes", null!) with { Prepare = Made, ActOn = (_, made) => UseBytes((SharedMemory)made) };

        // The lock. The segment's creator makes it, and keeps it until its own end: with it in this list.
        yield return Of("lock.life", UseLock(s_plain));
        yield return Of("lock.life.recoverable", UseLock(s_recoverable));
        yield return Of("lock.life.mode", UseLock(s_plain with { Mode = FileModes.Mode666 }));
        yield return Of("lock", key => LockOf(key, s_plain)) with { Prepare = MadeWithLock, Check = CanLock };
        yield return Of("lock.recoverable", key => LockOf(key, s_recoverable)) with { Prepare = MadeWithLock,
            Check = CanLock };
        yield return Of("lock.first", key => LockOnce(key, s_keep)) with { Prepare = Made, Check = CanLock,
            Leaves = true };
        yield return Of("lock.wait", key => WaitForLock(key)) with { Prepare = Locked, LeavesPage = true };
        yield return Of("lock.wait.async", key => WaitForLockAsync(key)) with { Prepare = Locked, LeavesPage = true };
        yield return Of("lock.wait.async.threads", key => WaitForLockAsync(key)) with { Prepare = Locked,
            OnAllThreads = true, LeavesPage = true };
        yield return Of("lock.status", key => StatusOf(key)) with { Prepare = Locked, LeavesPage = true };
        yield return Of("lock.often", key => LockOften(key)) with { Prepare = MadeWithLock, Check = CanLock,
            LeavesPage = true };
        yield return Of("lock.replaced", null!) with { Prepare = LockRemoved,
            ActOn = (_, made) => LockAgain((SharedMemory)made), Leaves = true, Exchanges = true };
    }

    private static Action<NativeIpcKey> Create(SharedMemoryOptions options, long size = 4096)
        => key => SharedMemory.CreateNew(key, size, options).Dispose();

    private static Action<NativeIpcKey> Open(SharedMemoryOptions options)
        => key => SharedMemory.OpenExisting(key, options: options).Dispose();

    private static SharedMemory Made(NativeIpcKey key) => SharedMemory.CreateNew(key, 4096, s_plain);

    private static SharedMemory MadeWithLock(NativeIpcKey key)
    {
        SharedMemory segment = Made(key);
        Take(segment).Dispose();
        return segment;
    }

    private static SharedMemory Locked(NativeIpcKey key)
    {
        SharedMemory segment = Made(key);
        segment.Lock();
        return segment;
    }

    // The lock's name (POSIX), or the key file (System V), goes under the instance that has it open.
    private static SharedMemory LockRemoved(NativeIpcKey key)
    {
        SharedMemory segment = MadeWithLock(key);
        Take(segment).Dispose();
        if (key.Type.IsSystemV) SystemSemaphore.Remove(key);
        else File.Delete(Place.SemaphoreFile(key));
        return segment;
    }

    private static IDisposable? Leave(NativeIpcKey key)
    {
        using SharedMemory segment = SharedMemory.CreateNew(key, 4096, s_keep);
        Take(segment).Dispose();
        return null;
    }

    private static IDisposable? HalfCreated(NativeIpcKey key)
    {
        using (File.Create(key.Type.IsSystemV ? key.NativeKey : Place.SegmentFile(key)))
        {
        }

        return null;
    }

    private static void UseBytes(SharedMemory segment)
    {
        Span<byte> bytes = stackalloc byte[8];
        segment.Write(0, bytes);
        segment.Read(0, bytes);
        segment.VerifySize();
    }

    private static Action<NativeIpcKey> UseLock(SharedMemoryOptions options) => key =>
    {
        using SharedMemory segment = SharedMemory.CreateNew(key, 4096, options);
        using (Take(segment))
        {
            segment.Write(0, [1]);
        }
    };

    /// <summary>Takes the lock, or not: a failure may say that others have it, which then are not there.</summary>
    private static SharedMemoryLock Take(SharedMemory segment)
    {
        segment.TryLock(out SharedMemoryLock taken);
        return taken;
    }

    // Once: what a second use cannot do is no reason to take back the lock that the first one has made.
    private static void LockOnce(NativeIpcKey key, SharedMemoryOptions options)
    {
        using SharedMemory segment = SharedMemory.OpenExisting(key, options: options);
        Take(segment).Dispose();
    }

    private static void LockOf(NativeIpcKey key, SharedMemoryOptions options)
    {
        using SharedMemory segment = SharedMemory.OpenExisting(key, options: options);
        Take(segment).Dispose();
        if (segment.TryLock(out SharedMemoryLock again)) again.Dispose();
    }

    private static void LockAgain(SharedMemory segment)
    {
        Take(segment).Dispose();
        Take(segment).Dispose();
    }

    private static void LockOften(NativeIpcKey key)
    {
        using SharedMemory segment = SharedMemory.OpenExisting(key, options: s_plain);
        for (int i = 0; i < 40; i++) segment.Lock().Dispose();
    }

    private static void WaitForLock(NativeIpcKey key)
    {
        using SharedMemory segment = SharedMemory.OpenExisting(key, options: s_plain);
        if (segment.TryLock(TimeSpan.FromMilliseconds(2), out _))
            throw new InvalidOperationException("Two hold the lock.");
    }

    private static void WaitForLockAsync(NativeIpcKey key)
    {
        using SharedMemory segment = SharedMemory.OpenExisting(key, options: s_plain);
        SharedMemoryLock? taken = segment.TryLockAsync(TimeSpan.FromMilliseconds(2)).AsTask().GetAwaiter().GetResult();
        if (taken is not null) throw new InvalidOperationException("Two hold the lock.");
    }

    private static void StatusOf(NativeIpcKey key)
    {
        using SharedMemory segment = SharedMemory.OpenExisting(key, options: s_plain);
        segment.GetLockStatus();
    }

    private static void CanLock(NativeIpcKey key)
    {
        using SharedMemory segment = SharedMemory.OpenExisting(key, options: s_plain);
        if (!segment.TryLock(TimeSpan.FromSeconds(5), out SharedMemoryLock scope))
            throw new InvalidOperationException("The lock is taken.");
        scope.Dispose();
    }

    private static void Wait(Task<SharedMemory> opening) => opening.GetAwaiter().GetResult().Dispose();

    private static void Fails(Func<IDisposable> call)
    {
        call().Dispose();
        throw new InvalidOperationException("It was to fail.");
    }
}
