namespace NativeIpc.Faults;

/// <summary>Semaphores, of both back ends.</summary>
internal static class SemaphoreScenarios
{
    private static readonly TimeSpan s_bound = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan s_wait = TimeSpan.FromMilliseconds(2);
    private static readonly SystemSemaphoreOptions s_plain = new() { PeerTimeout = s_bound };

    public static IEnumerable<Scenario> All(bool isPosix)
    {
        string type = isPosix ? "posix" : "systemv";
        Scenario Of(string name, Action<NativeIpcKey> act) => new($"{type}.semaphore.{name}", isPosix, act);
        SystemSemaphoreOptions keep = s_plain with { Removal = RemovalPolicy.Keep };

        foreach ((string kind, SystemSemaphoreOptions options) in Kinds(isPosix))
        {
            yield return Of($"{kind}.create", key => SystemSemaphore.CreateNew(key, 1, options).Dispose());
            yield return Of($"{kind}.create-or-open",
                key => SystemSemaphore.CreateOrOpen(key, 1, options).Dispose()) with
            {
                Prepare = key => SystemSemaphore.CreateNew(key, 1, options),
                Removes = options.Removal == RemovalPolicy.LastOneOut,
            };
            yield return Of($"{kind}.reset.new", key => SystemSemaphore.CreateOrReset(key, 1, options).Dispose());
            yield return Of($"{kind}.reset", key => SystemSemaphore.CreateOrReset(key, 1, options).Dispose()) with
            {
                Prepare = key => SystemSemaphore.CreateNew(key, 0,
                    options with { Robust = false, Recording = PermitRecording.None }),
                Removes = true,
                OnlyRemovesWhenDone = true,
            };
            yield return Of($"{kind}.open", key => SystemSemaphore.OpenExisting(key, options).Dispose()) with
            {
                Prepare = key => SystemSemaphore.CreateNew(key, 1, options),
            };
            yield return Of($"{kind}.take", null!) with
            {
                Prepare = key => SystemSemaphore.CreateNew(key, 1, options),
                ActOn = (_, made) => Take((SystemSemaphore)made),
            };
            yield return Of($"{kind}.wait", key => WaitFor(key, options)) with
            {
                Prepare = key => Taken(key, options),
                LeavesPage = true,
            };
            yield return Of($"{kind}.wait.async", key => WaitForAsync(key, options)) with
            {
                Prepare = key => Taken(key, options),
                LeavesPage = true,
            };
            yield return Of($"{kind}.wait.async.threads", key => WaitForAsync(key, options)) with
            {
                Prepare = key => Taken(key, options),
                OnAllThreads = true,
                LeavesPage = true,
            };
            yield return Of($"{kind}.often", key => TakeOften(key, options)) with
            {
                Prepare = key => SystemSemaphore.CreateNew(key, 1, options),
                LeavesPage = true,
            };
            yield return Of($"{kind}.dispose", null!) with
            {
                Prepare = key => SystemSemaphore.CreateNew(key, 1, options),
                Removes = true,
                ActOn = (_, made) => made.Dispose(),
            };
            yield return Of($"{kind}.life", key => Live(key, options));
        }

        yield return Of("create.keep", key => SystemSemaphore.CreateNew(key, 1, keep).Dispose()) with { Leaves = true };
        yield return Of("create.mode",
            key => SystemSemaphore.CreateNew(key, 1, s_plain with { Mode = FileModes.Mode666 }).Dispose());
        yield return Of("create.group",
            key => SystemSemaphore.CreateNew(key, 1, s_plain with { Group = "0" }).Dispose());
        yield return Of("create.other-group",
            key => SystemSemaphore.CreateNew(key, 1, s_plain with { Group = "1" }).Dispose());
        yield return Of("create.exists", CreateExisting) with
        {
            Prepare = key => SystemSemaphore.CreateNew(key, 1, s_plain),
            IsRefused = true,
        };
        yield return Of("open.missing", key => SystemSemaphore.TryOpenExisting(key, out _, s_plain));
        yield return Of("open.async", key =>
            SystemSemaphore.OpenExistingAsync(key, s_bound, s_plain).GetAwaiter().GetResult().Dispose()) with
        {
            Prepare = key => SystemSemaphore.CreateNew(key, 1, s_plain),
        };
        yield return Of("remove", key => SystemSemaphore.Remove(key)) with { Prepare = Leave, Removes = true,
            SaysWhatIsLeft = true };
        if (isPosix)
        {
            yield return Of("create.reclaim",
                key => SystemSemaphore.CreateNew(key, 1, s_plain with { Reclaim = true }).Dispose()) with
            {
                Prepare = Leave,
                Removes = true,
            };
            yield return Of("remove-unused", key => SystemSemaphore.RemoveIfUnused(key, s_plain)) with
            {
                Prepare = Leave,
                Removes = true,
            };
            SystemSemaphoreOptions recorded =
                s_plain with { Recording = PermitRecording.Process, Removal = RemovalPolicy.LastOneOut };
            yield return Of("recorded.last-one-out.open",
                key => SystemSemaphore.OpenExisting(key, recorded).Dispose()) with
            {
                Prepare = key => SystemSemaphore.CreateNew(key, 1, recorded),
            };
            yield return Of("robust.create.held",
                key => SystemSemaphore.CreateNew(key, 0, s_plain with { Robust = true }).Dispose());
        }
        else
        {
            yield return Of("revive", null!) with { Prepare = Removed, ActOn = (_, made) => Take((SystemSemaphore)made),
                Exchanges = true };
            yield return Of("several", null!) with
            {
                Prepare = key => SystemSemaphore.CreateNew(key, 3, s_plain),
                ActOn = (_, made) => TakeSeveral((SystemSemaphore)made),
            };
        }
    }

    private static IEnumerable<(string Kind, SystemSemaphoreOptions Options)> Kinds(bool isPosix)
    {
        yield return ("plain", s_plain);
        yield return ("robust", s_plain with { Robust = true });
        if (!isPosix)
        {
            yield return ("no-undo", s_plain with { Undo = SystemVUndoPolicy.None });
            yield break;
        }

        yield return ("last-one-out", s_plain with { Removal = RemovalPolicy.LastOneOut });
        yield return ("recorded", s_plain with { Recording = PermitRecording.Process });
        yield return ("shared-maximum", s_plain with { MaximumCount = 5, ShareMaximumCount = true });
        yield return ("recorded.heirs", s_plain with { Recording = PermitRecording.ProcessAndChildren });
    }

    private static SystemSemaphore Taken(NativeIpcKey key, SystemSemaphoreOptions options)
    {
        SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 1, options);
        semaphore.Acquire();
        return semaphore;
    }

    private static IDisposable? Leave(NativeIpcKey key)
    {
        SystemSemaphore.CreateNew(key, 1, s_plain with { Removal = RemovalPolicy.Keep }).Dispose();
        return null;
    }

    private static SystemSemaphore Removed(NativeIpcKey key)
    {
        SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 1, s_plain);
        SystemSemaphore.Remove(key);
        return semaphore;
    }

    /// <summary>Takes the permit and gives it back; or does without, when a failure has said that others have it, or
    /// have set the count, which then are not there.</summary>
    private static void Take(SystemSemaphore semaphore)
    {
        if (!semaphore.TryAcquire()) return;
        semaphore.Release();
        semaphore.TryGetCurrentCount(out _);
    }

    private static void TakeSeveral(SystemSemaphore semaphore)
    {
        if (semaphore.TryAcquire(2)) semaphore.Release(2);
    }

    private static void TakeOften(NativeIpcKey key, SystemSemaphoreOptions options)
    {
        using SystemSemaphore semaphore = SystemSemaphore.OpenExisting(key, options);
        for (int i = 0; i < 40; i++) Take(semaphore);
    }

    private static void WaitFor(NativeIpcKey key, SystemSemaphoreOptions options)
    {
        using SystemSemaphore semaphore = SystemSemaphore.OpenExisting(key, options);
        if (semaphore.TryAcquire(s_wait)) throw new InvalidOperationException("Two have the permit.");
    }

    private static void WaitForAsync(NativeIpcKey key, SystemSemaphoreOptions options)
    {
        using SystemSemaphore semaphore = SystemSemaphore.OpenExisting(key, options);
        if (semaphore.TryAcquireAsync(s_wait).AsTask().GetAwaiter().GetResult())
            throw new InvalidOperationException("Two have the permit.");
    }

    private static void Live(NativeIpcKey key, SystemSemaphoreOptions options)
    {
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 1, options);
        Take(semaphore);
    }

    private static void CreateExisting(NativeIpcKey key)
    {
        SystemSemaphore.CreateNew(key, 1, s_plain).Dispose();
        throw new InvalidOperationException("It was to fail.");
    }
}
