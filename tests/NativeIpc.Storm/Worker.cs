namespace NativeIpc.Storm;

/// <summary>Locks, counts and unlocks until it is killed, or stops at a named point in order to be killed
/// there.</summary>
internal static class Worker
{
    // Suspending a process under Wine takes milliseconds.
    private static readonly int s_longTurn = OperatingSystem.IsWindows() ? 200_000 : 10_000;

    public static int Run(NativeIpcKey guardedKey, NativeIpcKey reportKey, int index, string point)
    {
        var options = new SharedMemoryOptions { Removal = RemovalPolicy.Keep, RequireLockRecovery = true };
        using SharedMemory reports = SharedMemory.OpenExisting(reportKey, options: options);
        using SharedMemory segment = SharedMemory.OpenExisting(guardedKey, options: options);
        ref Report report = ref reports.GetReference<Report>(index * 64);
        ref Guarded guarded = ref segment.GetReference<Guarded>(0);
        Volatile.Write(ref report.Turns, 0);
        Volatile.Write(ref report.Phase, (int)Phase.Starting);
        Volatile.Write(ref report.ProcessId, Environment.ProcessId);

        // Not at the first time: then all would stop in the same state of the lock.
        int remaining = point.Contains("claim", StringComparison.Ordinal)
            || point.Contains("recover", StringComparison.Ordinal)
            || point.StartsWith("re", StringComparison.Ordinal) ? 1 : Random.Shared.Next(1, 20);
        Internals.StopPointReached = reached =>
        {
            if (reached != point || --remaining > 0) return;
            Volatile.Write(ref reports.GetReference<Report>(index * 64).Phase, (int)Phase.Stopped);
            using var never = new ManualResetEventSlim();
            never.Wait();
        };
        while (true)
        {
            Volatile.Write(ref report.Phase, (int)Phase.Waiting);
            using (SharedMemoryLock scope = segment.Lock())
            {
                Enter(ref guarded, index, scope.WasAbandoned);
                Volatile.Write(ref report.Phase, (int)Phase.Inside);
                long counter = guarded.Counter;
                // Long enough, at times, for the killer to meet somebody inside
                Thread.SpinWait(Random.Shared.Next(4) == 0 ? s_longTurn : Random.Shared.Next(200));
                guarded.Counter = counter + 1;
                guarded.Turns[index]++;
                Volatile.Write(ref guarded.Inside, 0);
                Volatile.Write(ref report.Phase, (int)Phase.Leaving);
            }

            Volatile.Write(ref report.Phase, (int)Phase.Between);
            Volatile.Write(ref report.Turns, report.Turns + 1);
        }
    }

    private static void Enter(ref Guarded guarded, int index, bool wasAbandoned)
    {
        long other = Volatile.Read(ref guarded.Inside);
        long sum = 0;
        foreach (long turns in guarded.Turns) sum += turns;
        if (wasAbandoned)
        {
            // What the dead one left half done is put right here, as a user of the lock would.
            guarded.Takeovers++;
            if (other != 0) guarded.TakeoversFromInside++;
            guarded.Counter = sum;
        }
        else
        {
            if (other != 0) guarded.Intruders++;
            if (guarded.Counter != sum) guarded.LostUpdates++;
        }

        Volatile.Write(ref guarded.Inside, index + 1);
    }
}
