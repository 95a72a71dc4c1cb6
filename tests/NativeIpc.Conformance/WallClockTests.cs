using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;
using NativeIpc.Interop.Unix;
using Xunit;

namespace NativeIpc.Conformance;

/// <summary>Deadlines are monotonic: a wall clock that jumps by hours makes no wait end early, nor hang.</summary>
/// <remarks>
/// Two halves. The process sees a clock that jumps at each look (tests/peers/c/wallclock.c), so nothing may be reckoned
/// by it; what the kernel is given shows in the list of its system calls, since the kernel's own wall clock is the
/// machine's: no wait until a time of the wall clock, in any way.
/// </remarks>
public abstract partial class WallClockTests<TProvider> : ConformanceTests<TProvider>
    where TProvider : Provider, new()
{
    private const int Milliseconds = 300;

    [BackendTheory(Needs.Linux)]
    [InlineData(false)]
    [InlineData(true)]
    public void Waits_last_as_long_as_they_should_while_the_wall_clock_jumps_hours_ahead_and_back(bool portable)
    {
        Assert.SkipWhen(portable && Backend.IsPosix && !Libraries.IsGlibc,
            "With musl a POSIX segment has no lock in a process with these waits.");
        string strace = Peers.Require("strace", "strace");
        string shim = Path.Combine(TestNames.Folder, TestNames.NextName() + ".so");
        string trace = Path.Combine(TestNames.Folder, TestNames.NextName() + ".trace");
        NativeIpcKey empty = NextKey();
        NativeIpcKey locked = NextKey();
        try
        {
            _ = Shell.Run(Peers.Require("gcc", "gcc"),
                ["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", shim, Source,
                    "-ldl"]).Succeeded;
            using SystemSemaphore semaphore = SystemSemaphore.CreateNew(empty, 0);
            using SharedMemory segment = SharedMemory.CreateNew(locked, 100);
            using SharedMemoryLock scope = segment.Lock();
            string[] switches = portable ? ["-E", "NATIVEIPC_PORTABLE_WAITS=1"] : [];
            PeerProcess peer = Peer(strace,
                ["-f", "-qq", "-o", trace, "-e",
                    "trace=futex,futex_waitv,semtimedop,clock_nanosleep,timer_settime,timerfd_settime", "-e",
                    "signal=none",
                "-E", $"LD_PRELOAD={shim}", .. switches, PeerProcess.Program]);
            string answer = peer.Ask($"timed {empty} {locked} {NextKey()} {Milliseconds}");
            TestContext.Current.TestOutputHelper?.WriteLine(answer);
            Dictionary<string, int> waits = answer.Split(' ').Select(pair => pair.Split('='))
                .ToDictionary(pair => pair[0], pair => int.Parse(pair[1], CultureInfo.InvariantCulture));
            Assert.True(waits.Remove("jump", out int hours));
            Assert.Equal(10, hours);
            Assert.Equal(Backend.IsSystemV ? 7 : 6, waits.Count);
            Assert.All(waits,
                wait => Assert.True(wait.Value >= Milliseconds, $"{wait.Key} ended after {wait.Value} ms."));
            peer.Quit();

            string[] calls = File.ReadAllLines(trace);
            Assert.Contains(calls, TimedWait().IsMatch); // the list has what it should have
            Assert.DoesNotContain(calls, WaitByTheWallClock().IsMatch);
        }
        finally
        {
            File.Delete(shim);
            File.Delete(trace);
        }
    }

    [GeneratedRegex(@"semtimedop\(.*, \{tv_sec=|FUTEX_WAIT_BITSET[^{]*\{tv_sec="
        + @"|futex_waitv\(.*\{tv_sec=.*CLOCK_MONOTONIC")]
    private static partial Regex TimedWait();

    // A time limit of semtimedop and of plain FUTEX_WAIT is a span, and so monotonic.
    [GeneratedRegex(@"FUTEX_CLOCK_REALTIME, [^{]*\{tv_sec=|futex_waitv\(.*CLOCK_REALTIME"
        + @"|clock_nanosleep\(CLOCK_REALTIME, TIMER_ABSTIME|_settime\(.*ABSTIME")]
    private static partial Regex WaitByTheWallClock();

    private static string Source => Path.Combine(
        typeof(ConformanceTests<>).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
            .First(data => data.Key == "PeerSources").Value!, "c", "wallclock.c");
}
