using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;

namespace NativeIpc.Storm;

/// <summary>Processes, eight as a rule, lock, count and unlock in a loop; one is killed at a random moment when all
/// eight run, and replaced.</summary>
/// <remarks>
/// Half of the victims are whoever is inside at the moment of choosing, since all but one wait. A victim is stopped
/// first, looked at, and then killed where it stands: so what it was doing is known and not guessed. Every tenth
/// newcomer, or second in a short run, is told to stop at the next named point, and is killed there.
/// </remarks>
internal sealed partial class StormRun(NativeIpcKeyType type, int kills, int workers)
{
    // How long a worker may show no progress before it counts as hung, and how long it may take for one turn when it
    // does: a busy machine runs it late.
    private static readonly TimeSpan s_standstill = Patience.Seconds(60), s_longestTurn = Patience.Seconds(240);

    // How often a long run says how far it is.
    private static readonly TimeSpan s_betweenWords = TimeSpan.FromSeconds(30);

    private static readonly string[] s_posixPoints =
    [
        "claim.before", "claim.locked", "claim.noted", "take.before", "take.done", "wait.joined", "wait.woken",
        "wait.taken", "wait.left",
        "unlock.before", "unlock.done", "unlock.woken", "recover.locked", "recover.taken", "recover.done",
    ];

    private static readonly string[] s_systemVPoints = ["systemv.lock.before", "systemv.lock.taken",
        "systemv.lock.mending", "systemv.lock.mended", "systemv.unlock.before", "systemv.unlock.after"];

    private static readonly string[] s_windowsPoints =
    [
        "windows.claim.before", "windows.claim.owned", "windows.claim.noted", "windows.take.before",
        "windows.take.announced", "windows.take.taken", "windows.take.noted", "windows.take.done",
        "windows.unlock.before", "windows.unlock.announced", "windows.unlock.cleared", "windows.unlock.released",
        "windows.unlock.done",
        "windows.recover.owned", "windows.recover.taken", "windows.recover.done",
    ];

    private readonly string[] _points = type == NativeIpcKeyType.PosixRealtime
        ? s_posixPoints : type == NativeIpcKeyType.Windows ? s_windowsPoints : s_systemVPoints;
    private readonly Dictionary<string, int> _hits = [];
    private readonly Process?[] _processes = new Process?[workers];
    private readonly string[] _pointOf = new string[workers];
    private readonly int[] _age = new int[workers];
    private int _nextPoint;
    private int _inside;
    private int _holders;
    private int _waiters;

    // Windows: had the permit, or had given it back, without the record saying so. Nobody can tell which, so the next
    // one is told to be careful.
    private int _between;

    public int Run()
    {
        string name = $"storm-{Environment.ProcessId}-{Random.Shared.Next():x}";
        NativeIpcKey guardedKey = SharedMemory.PlatformSafeKey(name, type);
        NativeIpcKey reportKey = SharedMemory.PlatformSafeKey(name + "-reports", type);
        var noLock = new SharedMemoryOptions { UseLock = false };
        using SharedMemory reports = SharedMemory.CreateNew(reportKey, Report.SizeOfAll, noLock);
        using SharedMemory segment = SharedMemory.CreateNew(guardedKey, Guarded.Size,
            new() { RequireLockRecovery = true });
        segment.Lock().Dispose();
        try
        {
            for (int i = 0; i < workers; i++) Start(guardedKey, reportKey, i, reports, "-");
            int done = 0;
            var watch = Stopwatch.StartNew();
            TimeSpan nextWord = s_betweenWords;
            // Longer, where chance has met few of one kind so far: a short run on a busy machine
            while (done < kills || (IsOneSided && done < 4 * kills))
            {
                if (watch.Elapsed >= nextWord)
                {
                    nextWord += s_betweenWords;
                    Console.WriteLine($"storm {type}: after {watch.Elapsed.TotalSeconds:F0} s {done} of {kills} kills, "
                        + $"{_holders} of holders, {_waiters} of waiters; "
                        + $"{segment.GetReference<Guarded>(0).Counter} turns");
                }

                if (!AwaitAll(reports, segment)) return 1;
                int stopped = Array.FindIndex(_pointOf, point => point != "-");
                if (stopped >= 0 && PhaseOf(reports, stopped) == Phase.Stopped)
                {
                    _hits[_pointOf[stopped]] = _hits.GetValueOrDefault(_pointOf[stopped]) + 1;
                    Kill(guardedKey, reportKey, stopped, reports, segment);
                    done++;
                    continue;
                }

                // The killer's timer
                using (var pause = new ManualResetEvent(false)) pause.WaitOne(Random.Shared.Next(3));
                ref Guarded guarded = ref segment.GetReference<Guarded>(0);
                int victim = Random.Shared.Next(workers);
                if (done % 2 == 0)
                {
                    long inside;
                    var spinning = Stopwatch.StartNew();
                    while ((inside = Volatile.Read(ref guarded.Inside)) == 0 && spinning.ElapsedMilliseconds < 100)
                        Thread.SpinWait(5);
                    if (inside != 0) victim = (int)inside - 1;
                }

                // One that is to stop at a point is left alone for a while.
                if (_pointOf[victim] != "-" && _age[victim]++ < 100) continue;
                Kill(guardedKey, reportKey, victim, reports, segment);
                done++;
            }

            // One that is still to stop would do so with the lock, perhaps, which is waited for below.
            while (Array.FindIndex(_pointOf, point => point != "-") is >= 0 and var waited)
            {
                if (!AwaitAll(reports, segment)) return 1;
                Kill(guardedKey, reportKey, waited, reports, segment, isLast: true);
                done++;
            }

            if (!AwaitAll(reports, segment)) return 1;
            return Judge(segment, done);
        }
        finally
        {
            foreach (Process? process in _processes)
            {
                if (process is null) continue;
                process.Kill();
                process.WaitForExit();
                process.Dispose();
            }
        }
    }

    private int LeastHolders => kills / 4;

    private int LeastWaiters => kills / (kills >= 2000 ? 4 : 8);

    private bool IsOneSided => _holders < LeastHolders || _waiters < LeastWaiters;

    private static Phase PhaseOf(SharedMemory reports, int index)
        => (Phase)Volatile.Read(ref reports.GetReference<Report>(index * 64).Phase);

    private readonly record struct Progress(Phase Phase, long Turns, TimeSpan OnProcessor);

    /// <summary>Waits until each of them has made a turn since it was started, or stands at its point.</summary>
    private bool AwaitAll(SharedMemory reports, SharedMemory segment)
    {
        var watch = Stopwatch.StartNew();
        TimeSpan nextLook = TimeSpan.Zero;
        var seen = new (Progress Progress, TimeSpan Since)[workers];
        using var pause = new ManualResetEvent(false);
        while (true)
        {
            int ready = 0;
            bool looks = watch.Elapsed >= nextLook;
            if (looks) nextLook = watch.Elapsed + TimeSpan.FromSeconds(1);
            for (int i = 0; i < workers; i++)
            {
                ref Report report = ref reports.GetReference<Report>(i * 64);
                bool isThere = Volatile.Read(ref report.ProcessId) == _processes[i]!.Id;
                if (isThere && PhaseOf(reports, i) == Phase.Stopped) return true; // the others may be waiting for it
                if (isThere && Volatile.Read(ref report.Turns) > 0) ready++;
                if (_processes[i]!.HasExited)
                {
                    Console.WriteLine($"FAIL storm {type}: worker {i} ended by itself with {_processes[i]!.ExitCode}");
                    return false;
                }

                if (!looks) continue;
                var now = new Progress(PhaseOf(reports, i), Volatile.Read(ref report.Turns),
                    ProcessorOf(_processes[i]!));
                if (now != seen[i].Progress) seen[i] = (now, watch.Elapsed);
            }

            if (ready == workers) return true;
            if (looks && (watch.Elapsed > s_longestTurn
                || Array.Exists(seen, worker => watch.Elapsed - worker.Since > s_standstill)))
            {
                string workersSeen = string.Join("; ", seen.Select((worker, i)
                    => $"{_processes[i]!.Id} to stop at {_pointOf[i]}, for {(watch.Elapsed - worker.Since).Seconds} s "
                        + $"at {worker.Progress}"));
                Console.WriteLine($"FAIL storm {type}: it hangs: {segment.GetLockStatus()}, {workersSeen}");
                return false;
            }

            pause.WaitOne(1);
        }
    }

    private static TimeSpan ProcessorOf(Process process)
    {
        try
        {
            process.Refresh();
            return process.TotalProcessorTime;
        }
        catch (Exception failure) when (failure is InvalidOperationException or Win32Exception)
        {
            return TimeSpan.Zero; // it has just ended: the next round says so
        }
    }

    private void Kill(in NativeIpcKey guardedKey, in NativeIpcKey reportKey, int victim, SharedMemory reports,
        SharedMemory segment, bool isLast = false)
    {
        Process process = _processes[victim]!;
        Stop(process);
        LockStatus status = segment.GetLockStatus();

        // A process with the permit but no processor so far looks unknown, too, but not for long; the victim stays so.
        var watch = Stopwatch.StartNew();
        while (status.Holder == LockHolder.Unknown && OperatingSystem.IsWindows() && watch.ElapsedMilliseconds < 500)
            status = segment.GetLockStatus();
        Phase phase = PhaseOf(reports, victim);
        if (status.Holder == LockHolder.Process && status.ProcessId == process.Id) NoteDeathOfHolder(segment);
        if (Volatile.Read(ref segment.GetReference<Guarded>(0).Inside) == victim + 1) _inside++;
        if (status.Holder == LockHolder.Process && status.ProcessId == process.Id) _holders++;
        else if (status.Holder == LockHolder.Unknown && OperatingSystem.IsWindows()) _between++;
        else if (phase == Phase.Waiting
            || (phase == Phase.Stopped && _pointOf[victim].Contains("wait", StringComparison.Ordinal)))
            _waiters++;
        process.Kill();
        process.WaitForExit();
        process.Dispose();
        // Or a failure to start the next one would keep the end of the run from ending the others
        _processes[victim] = null;
        bool isSpecial = !isLast && Array.TrueForAll(_pointOf, other => other == "-" || other == _pointOf[victim])
            && Random.Shared.Next(kills < 100 ? 2 : 10) == 0;
        _pointOf[victim] = "-";
        Start(guardedKey, reportKey, victim, reports, isSpecial ? _points[_nextPoint++ % _points.Length] : "-");
    }

    // What the segment has to show when the last death of a holder was told: see NoteDeathOfHolder.
    private long _tellingsDue;
    private long _turnsAtDeath;
    private int _toldTogether;
    private int _untold;

    /// <summary>
    /// Keeps the account of who has to be told. The victim has the lock and stands still, so nobody changes what it
    /// guards; whoever comes next has to be told, once. A victim that had taken over itself, and was stopped before it
    /// noted that it was told, passes the one telling on: it has made no turn since.
    /// </summary>
    private void NoteDeathOfHolder(SharedMemory segment)
    {
        ref Guarded guarded = ref segment.GetReference<Guarded>(0);
        long told = Volatile.Read(ref guarded.Takeovers);
        long turns = 0;
        for (int i = 0; i < workers; i++) turns += Volatile.Read(ref guarded.Turns[i]);
        if (told == _tellingsDue - 1 && turns == _turnsAtDeath) _toldTogether++;
        else if (told != _tellingsDue) _untold++;
        _tellingsDue = told + 1;
        _turnsAtDeath = turns;
    }

    private void Start(in NativeIpcKey guardedKey, in NativeIpcKey reportKey, int index, SharedMemory reports,
        string point)
    {
        Volatile.Write(ref reports.GetReference<Report>(index * 64).ProcessId, 0);
        _pointOf[index] = point;
        _age[index] = 0;
        _processes[index] = WineStart.Process(
            new(Environment.ProcessPath!, ["worker", guardedKey.ToString(), reportKey.ToString(), $"{index}", point]));
    }

    private static void Stop(Process process)
    {
        if (OperatingSystem.IsWindows())
        {
            if (NtSuspendProcess(process.SafeHandle) is not 0 and var status)
                throw new InvalidOperationException($"NtSuspendProcess says 0x{status:x}.");
            return;
        }

        if (kill(process.Id, Sigstop) != 0)
            throw new InvalidOperationException($"kill says {Marshal.GetLastPInvokeError()}.");
        while (File.ReadAllText($"/proc/{process.Id}/stat").Split(')')[^1][1] != 'T') Thread.Yield();
    }

    [LibraryImport("ntdll.dll")]
    private static partial int NtSuspendProcess(SafeHandle process);

    private const int Sigstop = 19;

    [LibraryImport("libc", SetLastError = true)]
    private static partial int kill(int process, int signal);

    private int Judge(SharedMemory segment, int done)
    {
        // One more turn, so that the last victim's lock is taken over; then the lock keeps the others out while this
        // process looks.
        Debug.Assert(Array.TrueForAll(_pointOf, point => point == "-"));
        if (!segment.TryLock(s_longestTurn, out SharedMemoryLock taken))
        {
            Console.WriteLine($"FAIL storm {type}: no turn for who judges: {segment.GetLockStatus()}");
            return 1;
        }

        using SharedMemoryLock scope = taken;
        Guarded seen = segment.GetReference<Guarded>(0);
        long takeovers = seen.Takeovers + (scope.WasAbandoned ? 1 : 0);
        long fromInside = seen.TakeoversFromInside + (scope.WasAbandoned && seen.Inside != 0 ? 1 : 0);
        string hits = string.Join(", ", _points.Select(point => $"{point} {_hits.GetValueOrDefault(point)}"));
        Console.WriteLine($"storm {type}: {done} kills: {_holders} of holders ({_inside} of them inside), {_waiters} "
            + $"of waiters{(_between > 0 ? $", {_between} between taking and noting" : "")}; {takeovers} takeovers "
            + $"told, {fromInside} of them from inside; {seen.Counter} turns");
        Console.WriteLine($"storm {type}: killed at points: {hits}");
        if (WineStart.Failures > 0)
            Console.WriteLine(
                $"storm {type}: the system failed to start a process {WineStart.Failures} times, and was asked again");
        bool isGood = true;
        Check("nobody was inside together with another", seen.Intruders == 0, $"{seen.Intruders} times");
        if (type != NativeIpcKeyType.Windows) // where deaths between two steps are told, too, so only bounds are known
        {
            Console.WriteLine($"storm {type}: {_toldTogether} holders died before they could be told of the one "
                + $"before: told with the next one");
            Check("each takeover was told to its taker, and to nobody else",
                _untold == 0 && takeovers == _tellingsDue && takeovers == _holders - _toldTogether,
                $"{_holders} holders died, {_toldTogether} told with the next one, {takeovers} takeovers "
                    + $"told, {_untold} times the account was wrong, at the end by {_tellingsDue - takeovers}");
        }

        Check("no update was lost", seen.LostUpdates == 0, $"{seen.LostUpdates} times");
        Check("every death inside was told", takeovers >= _inside, $"{_inside} deaths inside, {takeovers} told");
        Check("nobody was told of a death that was none", takeovers <= _holders + _between,
            $"{_holders} holders died, {_between} between two steps, {takeovers} told");
        Check("nothing hung", true, "");
        Check($"at least {LeastHolders} victims held the lock", _holders >= LeastHolders, $"{_holders}");
        Check($"at least {LeastWaiters} victims waited", _waiters >= LeastWaiters, $"{_waiters}");
        // In a short run not each has its turn; DeathPointTests has them all
        if (kills >= 2000) Check("each named point was hit", _points.All(_hits.ContainsKey), hits);

        return isGood ? 0 : 1;

        void Check(string what, bool holds, string finding)
        {
            Console.WriteLine(holds ? $"PASS storm {type}: {what}" : $"FAIL storm {type}: {what}: {finding}");
            isGood &= holds;
        }
    }
}
