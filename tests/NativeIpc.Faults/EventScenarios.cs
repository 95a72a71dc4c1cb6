namespace NativeIpc.Faults;

/// <summary>Events, of both back ends.</summary>
internal static class EventScenarios
{
    private static readonly TimeSpan s_bound = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan s_wait = TimeSpan.FromMilliseconds(2);
    private static readonly SystemEventOptions s_plain = new() { PeerTimeout = s_bound };
    private static readonly SystemEventOptions s_keep = s_plain with { Removal = RemovalPolicy.Keep };

    public static IEnumerable<Scenario> All(bool isPosix)
    {
        string type = isPosix ? "posix" : "systemv";
        Scenario Of(string name, Action<NativeIpcKey> act) => new($"{type}.event.{name}", isPosix, act);

        foreach ((string kind, EventResetMode mode, SystemEventOptions options) in Kinds(isPosix))
        {
            SystemEvent Made(NativeIpcKey key) => SystemEvent.CreateNew(key, mode, options: options);

            yield return Of($"{kind}.create", key => Made(key).Dispose());
            yield return Of($"{kind}.create-or-open",
                key => SystemEvent.CreateOrOpen(key, mode, options: options).Dispose()) with
            {
                Prepare = Made,
                Removes = options.Removal == RemovalPolicy.LastOneOut,
            };
            yield return Of($"{kind}.reset.new",
                key => SystemEvent.CreateOrReset(key, mode, true, options).Dispose());
            yield return Of($"{kind}.reset", key => SystemEvent.CreateOrReset(key, mode, true, options).Dispose()) with
            {
                Prepare = Made,
                Removes = true,
                OnlyRemovesWhenDone = true,
            };
            yield return Of($"{kind}.open", key => SystemEvent.OpenExisting(key, options).Dispose()) with
            {
                Prepare = Made,
            };
            yield return Of($"{kind}.set", null!) with
            {
                Prepare = Made,
                ActOn = (_, made) => Use((SystemEvent)made),
            };
            yield return Of($"{kind}.wait", key => WaitFor(key, options)) with { Prepare = Made, LeavesPage = true };
            yield return Of($"{kind}.wait.async", key => WaitForAsync(key, options)) with
            {
                Prepare = Made,
                LeavesPage = true,
            };
            yield return Of($"{kind}.wait.async.threads", key => WaitForAsync(key, options)) with
            {
                Prepare = Made,
                OnAllThreads = true,
                LeavesPage = true,
            };
            yield return Of($"{kind}.often", key => UseOften(key, options)) with { Prepare = Made, LeavesPage = true };
            yield return Of($"{kind}.replaced", null!) with
            {
                Prepare = Made,
                ActOn = (_, made) => LookAtName((SystemEvent)made),
                LeavesPage = true,
            };
            yield return Of($"{kind}.dispose", null!) with
            {
                Prepare = Made,
                Removes = true,
                ActOn = (_, made) => made.Dispose(),
            };
            yield return Of($"{kind}.life", key => Live(key, mode, options));
        }

        SystemEvent Auto(NativeIpcKey key) => SystemEvent.CreateNew(key, EventResetMode.AutoReset, options: s_plain);
        Action<NativeIpcKey> Create(SystemEventOptions options)
            => key => SystemEvent.CreateNew(key, EventResetMode.AutoReset, true, options).Dispose();

        yield return Of("create.keep", Create(s_keep)) with { Leaves = true };
        yield return Of("create.mode", Create(s_plain with { Mode = FileModes.Mode666 }));
        yield return Of("create.group", Create(s_plain with { Group = "0" }));
        yield return Of("create.other-group", Create(s_plain with { Group = "1" }));
        yield return Of("create.exists", key => Fails(() => Auto(key))) with { Prepare = Auto, IsRefused = true };
        yield return Of("create.other-mode", key => Fails(() => SystemEvent.CreateOrOpen(key,
            EventResetMode.ManualReset, options: s_plain))) with
        {
            Prepare = Auto,
            IsRefused = true,
        };
        yield return Of("open.missing", key => SystemEvent.TryOpenExisting(key, out _, s_plain));
        yield return Of("open.async", key =>
            SystemEvent.OpenExistingAsync(key, s_bound, s_plain).GetAwaiter().GetResult().Dispose()) with
        {
            Prepare = Auto,
        };
        yield return Of("remove", key => SystemEvent.Remove(key)) with { Prepare = Leave, Removes = true,
            SaysWhatIsLeft = true };
        if (isPosix)
        {
            yield return Of("create.reclaim", Create(s_plain with { Reclaim = true })) with
            {
                Prepare = Leave,
                Removes = true,
            };
            yield return Of("remove-unused", key => SystemEvent.RemoveIfUnused(key, s_plain)) with
            {
                Prepare = Leave,
                Removes = true,
            };
        }
        else
        {
            yield return Of("removed", null!) with
            {
                Prepare = Removed,
                ActOn = (_, made) => Use((SystemEvent)made),
                IsRefused = true,
            };
        }
    }

    private static IEnumerable<(string Kind, EventResetMode Mode, SystemEventOptions Options)> Kinds(bool isPosix)
    {
        yield return ("auto", EventResetMode.AutoReset, s_plain);
        yield return ("manual", EventResetMode.ManualReset, s_plain);
        if (isPosix)
            yield return ("last-one-out", EventResetMode.AutoReset,
                s_plain with { Removal = RemovalPolicy.LastOneOut });
    }

    private static IDisposable? Leave(NativeIpcKey key)
    {
        SystemEvent.CreateNew(key, EventResetMode.ManualReset, true, s_keep).Dispose();
        return null;
    }

    private static SystemEvent Removed(NativeIpcKey key)
    {
        SystemEvent made = SystemEvent.CreateNew(key, EventResetMode.AutoReset, options: s_plain);
        SystemEvent.Remove(key);
        return made;
    }

    private static void Use(SystemEvent opened)
    {
        opened.Set();
        opened.TryGetIsSet(out _);
        opened.Wait(TimeSpan.Zero);
        opened.Reset();
    }

    private static void UseOften(NativeIpcKey key, SystemEventOptions options)
    {
        using SystemEvent opened = SystemEvent.OpenExisting(key, options);
        for (int i = 0; i < 40; i++) Use(opened);
    }

    private static void LookAtName(SystemEvent opened)
    {
        for (int i = 0; i < 12; i++) _ = opened.WasReplaced;
    }

    private static void WaitFor(NativeIpcKey key, SystemEventOptions options)
    {
        using SystemEvent opened = SystemEvent.OpenExisting(key, options);
        if (opened.Wait(s_wait)) throw new InvalidOperationException("Nobody has set it.");
        opened.Set();
        opened.Wait(s_bound); // where EAGAIN has said that it is set already, it is not
    }

    private static void WaitForAsync(NativeIpcKey key, SystemEventOptions options)
    {
        using SystemEvent opened = SystemEvent.OpenExisting(key, options);
        if (opened.WaitAsync(s_wait).AsTask().GetAwaiter().GetResult())
            throw new InvalidOperationException("Nobody has set it.");
    }

    private static void Live(NativeIpcKey key, EventResetMode mode, SystemEventOptions options)
    {
        using SystemEvent opened = SystemEvent.CreateNew(key, mode, options: options);
        Use(opened);
    }

    private static void Fails(Func<SystemEvent> act)
    {
        act().Dispose();
        throw new InvalidOperationException("It was to fail.");
    }
}
