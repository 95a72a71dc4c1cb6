using System.Diagnostics.Tracing;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace NativeIpc.Faults;

/// <summary>Runs scenarios once for each failure, and looks at what is left after each.</summary>
internal sealed class Runner : IDisposable
{
    private const int WarmUps = 2;
    private static readonly TimeSpan s_longestCase = TimeSpan.FromMinutes(2);

    private readonly Listener _listener = new();
    private readonly SafeFileHandle _last;
    private readonly Timer _watchdog;
    private readonly SortedDictionary<string, string> _unclear = [];
    private readonly HashSet<string> _told = [];
    private string _case = "";
    private bool _isWarmingUp;

    public Runner()
    {
        LastFile = Path.Combine(Place.Folder, "last-case");
        _last = File.OpenHandle(LastFile, FileMode.Create, FileAccess.Write);
        _watchdog = new Timer(_ => Hang());
    }

    /// <summary>Has the case that runs, for when the process does not end by itself.</summary>
    public string LastFile { get; }

    public int Cases { get; private set; }

    public int Faults { get; private set; }

    /// <summary>Failures whose message does not say what they mean, by the call and its error.</summary>
    public IReadOnlyDictionary<string, string> Unclear => _unclear;

    /// <summary>The calls of a scenario in which nothing fails.</summary>
    public SystemCall[] Trace(Scenario scenario)
    {
        // What the library keeps for the life of the process, it gets in the first of these.
        _isWarmingUp = true;
        for (int i = 0; i < WarmUps; i++) Run(scenario, Plan.None, null);
        _isWarmingUp = false;
        return Run(scenario, Plan.None, null);
    }

    /// <summary>Runs a scenario once.</summary>
    /// <returns>Its calls.</returns>
    public SystemCall[] Run(Scenario scenario, in Plan plan, SystemCall? call)
    {
        Cases++;
        _case = Describe(scenario, plan, call);
        byte[] line = Encoding.UTF8.GetBytes($"{_case,-300}\n");
        RandomAccess.Write(_last, line, 0);
        _watchdog.Change(s_longestCase, Timeout.InfiniteTimeSpan);
        NativeIpcKey key = Place.Key(scenario.IsPosix);
        _listener.Messages.Clear();
        Flags.Restore();
        Snapshot empty = Snapshot.Take();
        IDisposable? prepared = scenario.Prepare?.Invoke(key);
        Snapshot before = Snapshot.Take();

        Exception? failure = null;
        int count;
        Injector.Begin(plan, scenario.OnAllThreads);
        try
        {
            if (scenario.ActOn is { } act) act(key, prepared!);
            else scenario.Act(key);
        }
#pragma warning disable CA1031 // Whatever comes out is judged.
        catch (Exception found)
#pragma warning restore CA1031
        {
            failure = found;
        }
        finally
        {
            count = Injector.End();
        }

        SystemCall[] calls = Injector.Calls(count);
        _case = Describe(scenario, plan, call is null || plan.Call >= calls.Length ? call : calls[plan.Call]);
        Snapshot after = Snapshot.Take();
        Judge(scenario, plan, failure, plan.Call >= 0 && plan.Call < calls.Length ? calls[plan.Call] : null);
        bool isSaidGone = plan.Call >= 0 && plan.Call < calls.Length && Errors.SaysItIsGone(calls[plan.Call], plan.Error);
        Compare(scenario, before, after, failure, isSaidGone);
        Collect(scenario, after);
        if (plan.Call >= 0) Check(scenario, key);
        prepared?.Dispose();
        GC.Collect();
        GC.WaitForPendingFinalizers();
        Snapshot end = Snapshot.Take();
        foreach ((string what, bool isNamed) in end.DifferencesFrom(empty))
        {
            if (!isNamed) Tell($"at the end: {what}");
            else if (plan.Call < 0 && !scenario.Leaves) Tell($"although nothing failed: {what}");
        }

        Place.Clear(end.Named);
        _watchdog.Change(Timeout.Infinite, Timeout.Infinite);
        return calls;
    }

    private void Judge(Scenario scenario, in Plan plan, Exception? failure, SystemCall? call)
    {
        if (failure is null) return;
        if (failure is not NativeIpcException ipc) Tell($"{failure.GetType().Name} comes out: {failure.Message}\n{failure.StackTrace}");
        else if (plan.Call < 0 && !scenario.Name.EndsWith("exists", StringComparison.Ordinal)
            && !scenario.Name.EndsWith("small", StringComparison.Ordinal)) Tell($"it fails although no call does: {failure.Message}");
        else if (ipc.Error == NativeIpcError.Unknown && call is not null)
            _unclear.TryAdd($"{scenario.Name.Split('.')[0]} {Errors.NameOf(call.Number)} {Errors.NameOfError(plan.Error)}", $"{scenario.Name}: {ipc.Message}");
    }

    /// <summary>What has names may stay only where that was said, by an event or by the exception of who was to remove it.</summary>
    private void Compare(Scenario scenario, Snapshot before, Snapshot after, Exception? failure, bool isSaidGone)
    {
        bool isSaid = !_listener.Messages.IsEmpty || (scenario.SaysWhatIsLeft && failure is not null);
        foreach ((string what, bool isNamed) in after.DifferencesFrom(before))
        {
            bool isLess = !what.Contains("left", StringComparison.Ordinal);
            bool mayBe = isNamed
                ? isLess ? scenario.Removes && (failure is null || !scenario.OnlyRemovesWhenDone)
                    : isSaid || isSaidGone || (scenario.Leaves && failure is null)
                : isLess ? scenario is { Removes: true, ActOn: not null } : scenario.LeavesPage;
            if (!mayBe && !scenario.Exchanges) Tell(what);
        }
    }

    /// <summary>Lets finalizers run while somebody else has got the free addresses and numbers.</summary>
    private void Collect(Scenario scenario, Snapshot after)
    {
        NativeIpcKey other = Place.Key(isPosix: true, "bystander");
        using (SharedMemory bystander = SharedMemory.CreateNew(other, 4096))
        {
            Snapshot beside = Snapshot.Take();
            GC.Collect();
            GC.WaitForPendingFinalizers();
            Snapshot collected = Snapshot.Take();
            foreach ((string what, bool isNamed) in collected.DifferencesFrom(beside))
            {
                bool isHarm = !scenario.LeavesPage || what.Contains("bystander", StringComparison.Ordinal) || isNamed;
                if (isHarm) Tell($"by a finalizer: {what}");
            }

            GC.KeepAlive(bystander);
        }

        GC.KeepAlive(after);
    }

    private void Check(Scenario scenario, NativeIpcKey key)
    {
        if (scenario.Check is null) return;
        try
        {
            scenario.Check(key);
        }
#pragma warning disable CA1031 // Whatever comes out is told.
        catch (Exception found)
#pragma warning restore CA1031
        {
            Tell($"afterwards: {found.Message}");
        }
    }

    private static string Describe(Scenario scenario, in Plan plan, SystemCall? call)
    {
        if (call is null) return scenario.Name;
        string second = plan.Then < 0 ? "" : $", then {plan.Then} {Errors.NameOfError(plan.ThenError)}";
        return $"{scenario.Name} {plan.Call} {Errors.NameOfError(plan.Error)}{second}: {call}";
    }

    private void Tell(string what)
    {
        if (_isWarmingUp) return;
        Faults++;
        if (_told.Add($"{_case} {what}")) Console.WriteLine($"FAIL {_case}: {what.ReplaceLineEndings("\n    | ")}");
    }

    private void Hang()
    {
        Console.WriteLine($"FAIL {_case}: it does not end");
        Console.Out.Flush();
        System.Diagnostics.Process.GetCurrentProcess().Kill();
    }

    public void Dispose()
    {
        _watchdog.Dispose();
        _last.Dispose();
        _listener.Dispose();
    }

    /// <summary>Hears what cannot be thrown.</summary>
    private sealed class Listener : EventListener
    {
        public System.Collections.Concurrent.ConcurrentQueue<string> Messages { get; } = new();

        protected override void OnEventSourceCreated(EventSource eventSource)
        {
            if (eventSource.Name == "NativeIpc") EnableEvents(eventSource, EventLevel.Warning);
        }

        protected override void OnEventWritten(EventWrittenEventArgs eventData)
        {
            if (eventData.EventName == "NotRemoved") Messages?.Enqueue($"{eventData.Payload?[0]}");
        }
    }
}
