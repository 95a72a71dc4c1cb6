using System.Diagnostics;
using Xunit;

namespace NativeIpc.Conformance;

/// <summary>A System V semaphore opens without its key file's lock: with one look at the file when the set is older
/// than that look for certain, with a second one otherwise.</summary>
public abstract class SystemVGlanceTests<TProvider> : ConformanceTests<TProvider>
    where TProvider : SystemVProvider, new()
{
    // Whole seconds of the wall clock are compared, and one more is allowed for.
    private static readonly TimeSpan s_age = TimeSpan.FromSeconds(3.1);
    private static readonly TimeSpan s_youth = TimeSpan.FromSeconds(0.9);

    [BackendFact(Needs.Linux)]
    public void An_old_set_opens_with_one_look_at_its_key_file_and_a_young_one_with_two()
    {
        string trace = Path.Combine(TestNames.Folder, TestNames.NextName() + ".trace");
        NativeIpcKey key = NextKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 2);
        PeerProcess peer = Peer(Peers.Require("strace", "strace"),
            ["-f", "-qq", "-o", trace, "-e", "trace=flock,%%stat", "-e", "signal=none", PeerProcess.Program]);
        try
        {
            peer.Ask($"sem open warm {key}"); // with everything that happens once in a process
            int before, young, opened = 0;
            long begin;
            do
            {
                before = Looks();
                begin = Stopwatch.GetTimestamp();
                Touch();
                peer.Ask($"sem open young{opened++} {key}");
                young = Looks() - before;
            }
            // So slow that the set may not have been young
            while (Stopwatch.GetElapsedTime(begin) > s_youth && opened < 20);

            long touched = Stopwatch.GetTimestamp();
            Assert.True(SpinWait.SpinUntil(() => Stopwatch.GetElapsedTime(touched) > s_age, s_watchdog),
                "The clock stands.");
            before = Looks();
            peer.Ask($"sem open old {key}");
            int old = Looks() - before;
            Assert.Equal((2, 1), (young, old));
            peer.Ask("sem acquire young0");
            peer.Ask("sem acquire old");
            Assert.False(semaphore.TryAcquire());
            peer.Ask("sem release old");
            Assert.True(semaphore.TryAcquire());
            peer.Quit();
            Assert.DoesNotContain(File.ReadLines(trace), line => line.Contains("flock(", StringComparison.Ordinal));
        }
        finally
        {
            File.Delete(trace);
        }

        // SETVAL notes the time of the change, as making a set does.
        void Touch() => SystemSemaphore.CreateOrReset(key, 2, new() { Removal = RemovalPolicy.Keep }).Dispose();

        int Looks() => File.ReadLines(trace)
            .Count(line => line.Contains($"\"{key.NativeKey}\"", StringComparison.Ordinal));
    }
}
