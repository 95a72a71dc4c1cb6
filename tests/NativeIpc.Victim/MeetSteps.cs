using System.Globalization;

namespace NativeIpc.Victim;

/// <summary>Steps that use an object again and again while somebody swaps what has its name, and count what came of
/// it.</summary>
internal static class MeetSteps
{
    /// <summary>Runs a step of this kind; null when it is of another kind.</summary>
    /// <remarks>
    /// <c>semaphore-meet KEY ROUNDS SEES [robust] [others]</c>, and the same with segment-meet and lock-meet. SEES
    /// names, separated by commas, what has to be seen before the rounds end: <c>ok</c>, or an error. Gives one line
    /// per outcome: its number and the first message.
    /// </remarks>
    internal static string? TryRun(string[] words)
    {
        bool robust = words.Contains("robust");
        bool others = words.Contains("others");
        return words[0] switch
        {
            "semaphore-meet" => Meet(words, (key, round) => UseSemaphore(key, round, robust, others)),
            "segment-meet" => Meet(words, (key, round) => UseSegment(key, round, others)),
            "lock-meet" => Meet(words, (key, _) => UseLock(key, others)),
            _ => null,
        };
    }

    private static string Meet(string[] words, Action<NativeIpcKey, int> use)
    {
        const int longest = 100;
        NativeIpcKey key = NativeIpcKey.Parse(words[1], CultureInfo.InvariantCulture);
        int rounds = int.Parse(words[2], CultureInfo.InvariantCulture);
        string[] wanted = words[3].Split(',');
        Dictionary<string, (int Count, string Message)> seen = [];
        for (int round = 0; round < rounds
            || (!Array.TrueForAll(wanted, seen.ContainsKey) && round < longest * rounds); round++)
        {
            string outcome = "ok";
            string message = "";
            try
            {
                use(key, round);
            }
            catch (NativeIpcException failure)
            {
                outcome = $"{failure.Error}";
                message = $"{failure.Operation}|{failure.Message}";
            }

            seen[outcome] = seen.TryGetValue(outcome, out (int Count, string Message) before)
                ? (before.Count + 1, before.Message) : (1, message);
        }

        return string.Join('\n', seen.Select(pair => $"{pair.Key}|{pair.Value.Count}|{pair.Value.Message}"));
    }

    private static void UseSemaphore(NativeIpcKey key, int round, bool robust, bool others)
    {
        var options = new SystemSemaphoreOptions
        {
            Robust = robust,
            AllowOtherOwners = others,
            Removal = RemovalOf(key, round, others),
            PeerTimeout = TimeSpan.Zero,
            Mode = FileModes.Mode666,
        };
        using SystemSemaphore semaphore = (round % 4) switch
        {
            0 => SystemSemaphore.OpenExisting(key, options),
            1 => SystemSemaphore.CreateNew(key, 1, options),
            2 => SystemSemaphore.CreateOrOpen(key, 1, options),
            _ => SystemSemaphore.CreateOrReset(key, 1, options),
        };

        // One more is given than taken, so that it shows where the file was touched.
        bool taken = semaphore.TryAcquire();
        if (robust && taken) semaphore.Release();
        else if (!robust) semaphore.Release(taken ? 2 : 1);
        semaphore.TryGetCurrentCount(out _);
    }

    private static void UseSegment(NativeIpcKey key, int round, bool others)
    {
        var options = new SharedMemoryOptions
        {
            AllowOtherOwners = others,
            Removal = RemovalOf(key, round, others),
            PeerTimeout = TimeSpan.Zero,
            UseLock = false,
            Mode = FileModes.Mode666,
        };
        using SharedMemory segment = (round % 4) switch
        {
            0 => SharedMemory.OpenExisting(key, SharedMemoryAccess.ReadWrite, options),
            1 => SharedMemory.CreateNew(key, 4096, options),
            2 => SharedMemory.CreateOrOpen(key, 4096, options),
            _ => SharedMemory.OpenExisting(key, SharedMemoryAccess.Read, options),
        };
        if (segment.Access == SharedMemoryAccess.Read)
        {
            _ = segment.GetReadOnlySpan(0, 1)[0] + segment.GetReadOnlySpan(segment.Size - 1, 1)[0];
            return;
        }

        segment.GetSpan(0, 1)[0] = 0xEE;
        segment.Write(segment.Size - 1, [0xEE]);
    }

    // POSIX names that go are not the attacker's to swap any more, if he is another user. System V objects of key files
    // that are swapped away nobody finds again.
    private static RemovalPolicy RemovalOf(NativeIpcKey key, int round, bool others)
        => key.Type.IsSystemV || (round % 2 == 1 && !others) ? RemovalPolicy.Default : RemovalPolicy.Keep;

    // A segment that stays; what is swapped is the file of its lock.
    private static void UseLock(NativeIpcKey key, bool others)
    {
        var options = new SharedMemoryOptions { AllowOtherOwners = others, Removal = RemovalPolicy.Keep };
        using SharedMemory segment = SharedMemory.OpenExisting(key, SharedMemoryAccess.ReadWrite, options);
        if (segment.TryLock(out SharedMemoryLock scope)) scope.Dispose();
        segment.GetLockStatus();
    }
}
