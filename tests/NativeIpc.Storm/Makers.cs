using System.Diagnostics;

namespace NativeIpc.Storm;

/// <summary>Eight processes make, open and let go of one object, as fast as they can, beside processes that only
/// compute: a peer that is merely not scheduled is no reason to fail.</summary>
/// <remarks>
/// Every maker takes the file lock in every round, and on a machine with far more to do than it has processors for is
/// cut off while it holds it, again and again. No call may fail for that, with LockError or with anything else.
/// </remarks>
internal static class Makers
{
    private const int Count = 8;

    /// <summary>Starts all of them and judges what the makers said.</summary>
    public static int Run(NativeIpcKeyType type, int rounds, int loops)
    {
        string name = $"makers-{Environment.ProcessId}-{Random.Shared.Next():x}";
        NativeIpcKey segmentKey = SharedMemory.PlatformSafeKey(name, type),
            semaphoreKey = SystemSemaphore.PlatformSafeKey(name + "-count", type);
        List<Process> computing = [];
        var watch = Stopwatch.StartNew();
        int made = 0, opened = 0, lockErrors = 0, otherErrors = 0;
        List<string> findings = [];
        double longest = 0;
        try
        {
            for (int i = 0; i < loops; i++) computing.Add(Start("loop"));
            Process[] makers = [.. Enumerable.Range(0,
                Count).Select(_ => Start("maker", segmentKey.ToString(), semaphoreKey.ToString(), $"{rounds}"))];
            computing.AddRange(makers); // ended with the rest if something fails here
            foreach (Process maker in makers)
            {
                string[] words = maker.StandardOutput.ReadToEnd().Split('\n', 2)[0].Split(' ', 6);
                maker.WaitForExit();
                if (words.Length < 5)
                {
                    findings.Add($"a maker ended with {maker.ExitCode} and said nothing");
                    continue;
                }

                made += int.Parse(words[0]);
                opened += int.Parse(words[1]);
                lockErrors += int.Parse(words[2]);
                otherErrors += int.Parse(words[3]);
                longest = Math.Max(longest, double.Parse(words[4], System.Globalization.CultureInfo.InvariantCulture));
                if (words.Length > 5) findings.Add(words[5]);
            }
        }
        finally
        {
            foreach (Process process in computing)
            {
                process.Kill();
                process.WaitForExit();
                process.Dispose();
            }
        }

        bool isLeft = SharedMemory.TryOpenExisting(segmentKey, out SharedMemory? left)
            | SystemSemaphore.TryOpenExisting(semaphoreKey, out SystemSemaphore? count);
        left?.Dispose();
        count?.Dispose();
        Console.WriteLine($"storm {type}: {Count} makers beside {loops} busy loops, {rounds} rounds each: {made} "
            + $"made, {opened} opened, {lockErrors} lock errors, {otherErrors} other errors, the longest "
            + $"round {longest:F0} ms, {watch.Elapsed.TotalSeconds:F0} s");
        bool isGood = Check("no maker got a lock error", lockErrors == 0,
            $"{lockErrors}; {string.Join("; ", findings)}");
        isGood &= Check("no maker got another error", otherErrors == 0 && (findings.Count == 0 || lockErrors > 0),
            $"{otherErrors}; {string.Join("; ", findings)}");
        isGood &= Check("every round of each was made or opened",
            made + opened + lockErrors + otherErrors == Count * rounds, $"{made + opened} of {Count * rounds}");
        return Check("no object was left", !isLeft, "one is there") && isGood ? 0 : 1;

        bool Check(string what, bool holds, string finding)
        {
            Console.WriteLine(holds ? $"PASS storm {type}: makers: {what}"
                : $"FAIL storm {type}: makers: {what}: {finding}");
            return holds;
        }
    }

    private static Process Start(params string[] arguments)
        => Process.Start(new ProcessStartInfo(Environment.ProcessPath!, arguments) { RedirectStandardOutput = true })!;

    /// <summary>A process that only computes, until it is killed.</summary>
    public static int Compute()
    {
        while (true) Thread.SpinWait(1_000_000);
    }

    /// <summary>One maker: a segment and a semaphore in turn, with all defaults. Prints what it came to.</summary>
    public static int Make(NativeIpcKey segmentKey, NativeIpcKey semaphoreKey, int rounds)
    {
        int made = 0, opened = 0, lockErrors = 0, otherErrors = 0;
        double longest = 0;
        string finding = "";
        for (int round = 0; round < rounds; round++)
        {
            long start = Stopwatch.GetTimestamp();
            try
            {
                bool createdNew;
                if (round % 2 == 0)
                {
                    using SharedMemory segment = SharedMemory.CreateOrOpen(segmentKey, 4096);
                    createdNew = segment.CreatedNew;
                }
                else
                {
                    using SystemSemaphore semaphore = SystemSemaphore.CreateOrOpen(semaphoreKey, 1);
                    createdNew = semaphore.CreatedNew;
                }

                if (createdNew) made++;
                else opened++;
            }
            catch (NativeIpcException failure)
            {
                if (failure.Error == NativeIpcError.LockError) lockErrors++;
                else otherErrors++;
                finding = failure.Message.ReplaceLineEndings(" ");
            }

            longest = Math.Max(longest, Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        }

        Console.WriteLine(string.Create(System.Globalization.CultureInfo.InvariantCulture,
            $"{made} {opened} {lockErrors} {otherErrors} {longest:F1}{(finding.Length > 0 ? " " : "")}{finding}"));
        return 0;
    }
}
