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

    /// <summary>How many temporary names of the C library stayed, because removing them was made to fail.</summary>
    public int LeftByLibc { get; private set; }

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
        SystemCall? failed = Array.Find(calls, one => one.IsMadeToFail);
        Judge(scenario, failure, failed);
        bool isSaidGone = failed is not null && plan.Error != 0 && Errors.SaysItIsGone(failed, plan.Error);
        Compare(scenario, before, after, failure, isSaidGone);
        RemoveTemporaryNames(calls);
        Collect(scenario);
        if (plan.Call >= 0) Check(scenario, key);
        prepared?.Dispose();
        GC.Collect();
        GC.WaitForPendingFinalizers();
        Snapshot end = Snapshot.Take();
        foreach ((string what, bool isNamed) in end.DifferencesFrom(empty))
        {
            // What the library watches with comes to be when a wait has lasted for a while, and stays: the first run
            // with such a wait has it, and it is there in all later ones.
            if (plan.Call < 0 && what.Contains("anon_inode:", StringComparison.Ordinal)) continue;
            if (!isNamed) Tell($"at the end: {what}");
            else if (plan.Call < 0 && !scenario.Leaves) Tell($"although nothing failed: {what}");
            else if (plan.Call >= 0 && !MayStay(scenario, what, before, prepared, failure, isSaidGone))
                Tell($"at the end: {what}");
        }

        Place.Clear(end.Named);
        _watchdog.Change(Timeout.Infinite, Timeout.Infinite);
        return calls;
    }

    /// <summary>What comes out has to be the library's exception, with a meaning, and because of a call.</summary>
    private void Judge(Scenario scenario, Exception? failure, SystemCall? failed)
    {
        if (failure is null) return;
        if (failure is not NativeIpcException ipc)
            Tell($"{failure.GetType().Name} comes out: {failure.Message}\n{failure.StackTrace}");
        else if (failed is null && !scenario.IsRefused) Tell($"it fails although no call does: {failure.Message}");
        else if (ipc.Error == NativeIpcError.Unknown) Tell($"the error is not explained: {ipc.Message}");
    }

    /// <summary>What has names may stay only where that was said, by an event or by the exception of who was to remove
    /// it.</summary>
    private void Compare(Scenario scenario, Snapshot before, Snapshot after, Exception? failure, bool isSaidGone)
    {
        // It has other descriptors and mappings meanwhile, and another object: the look at the end tells whether all of
        // that is given back.
        if (scenario.Exchanges) return;
        foreach ((string what, bool isNamed) in after.DifferencesFrom(before))
        {
            bool isLess = !what.Contains("left", StringComparison.Ordinal);
            bool mayBe = (isNamed, isLess) switch
            {
                // What it was to remove; with OnlyRemovesWhenDone not before it has succeeded.
                (true, true) => scenario.Removes && (failure is null || !scenario.OnlyRemovesWhenDone),
                (true, false) => isSaidGone || IsSaid(scenario, what, failure) || (scenario.Leaves && failure is null),

                // What Prepare has opened is closed by Dispose, when that is what is tried.
                (false, true) => scenario is { Removes: true, ActOn: not null },

                // Until the garbage collector has run: the look at the end knows no such excuse.
                (false, false) => scenario.LeavesPage,
            };
            if (!mayBe) Tell(what);
        }
    }

    /// <summary>Whether what has a name may be there when all is disposed, after a failure.</summary>
    private bool MayStay(Scenario scenario, string what, Snapshot before, IDisposable? prepared, Exception? failure,
        bool isSaidGone)
        => scenario.Leaves || isSaidGone || IsSaid(scenario, what, failure)

            // Nobody's duty: it was left there on purpose, for a use that has failed.
            || (prepared is null && before.Named.Any(name => what.EndsWith(name, StringComparison.Ordinal)));

    /// <summary>Whether an event, or the exception of who removes by name, says that this stays. Each message names one
    /// object, by its native key; a segment's stands for its lock and its key file as well, since these are not touched
    /// while the segment stays.</summary>
    private bool IsSaid(Scenario scenario, string what, Exception? failure)
    {
        IEnumerable<string> said = scenario.SaysWhatIsLeft && failure is not null
            ? _listener.Messages.Append(failure.Message) : _listener.Messages;
        string native = Place.Key(scenario.IsPosix).NativeKey;
        string kind = what.Contains("System V sem", StringComparison.Ordinal) ? "semaphore"
            : what.Contains("System V shm", StringComparison.Ordinal) ? "segment" : "";
        return said.Any(message => message.Contains(native, StringComparison.Ordinal)
            && (message.Contains(kind, StringComparison.Ordinal)
                || message.Contains("segment", StringComparison.Ordinal)
                || (kind == "semaphore" && message.Contains("event", StringComparison.Ordinal))));
    }

    /// <summary>
    /// The C library's sem_open(3) makes a file with six random characters, links it to the name and unlinks the first
    /// one. Where that unlink is made to fail, the file stays: nobody but its maker could prove whose it is, and the
    /// library never hears its name. Anything else that was made outside of this run's names is a fault.
    /// </summary>
    private void RemoveTemporaryNames(SystemCall[] calls)
    {
        foreach (string path in calls.Where(call => call.MakesPath).Select(call => call.Path).Distinct())
        {
            bool isSeen = path.StartsWith(Place.KeyFiles, StringComparison.Ordinal)
                || path.Contains(Place.Prefix, StringComparison.Ordinal);
            if (isSeen || !File.Exists(path)) continue;
            if (_listener.Messages.Any(message => message.Contains(path, StringComparison.Ordinal)))
            {
                File.Delete(path);
                continue;
            }

            if (Place.IsTemporaryOfLibc(path)
                && calls.Any(call => call is { Unlinks: true, IsMadeToFail: true } && call.Path == path))
                LeftByLibc++;
            else Tell($"left: {path}");
            if (Place.IsTemporaryOfLibc(path)) File.Delete(path);
        }
    }

    /// <summary>Lets finalizers run while somebody else has got the free addresses and numbers.</summary>
    private void Collect(Scenario scenario)
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
                // A page that nobody knows any more goes now; not somebody else's, and nothing that has a name.
                bool isHarm = !scenario.LeavesPage || what.Contains("bystander", StringComparison.Ordinal) || isNamed;
                if (isHarm) Tell($"by a finalizer: {what}");
            }

            GC.KeepAlive(bystander);
        }
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
        foreach (string message in _listener.Messages) what += $"\nevent: {message}";
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
