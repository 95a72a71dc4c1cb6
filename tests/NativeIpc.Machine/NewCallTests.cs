using NativeIpc.Interop.Unix;
using NativeIpc.Waiting.Async;
using Xunit;

namespace NativeIpc.Machine;

/// <summary>
/// System calls that are younger than the oldest kernel are asked for only where the kernel is young enough: a filter
/// may end the process for a number that it does not know.
/// </summary>
[NeedsLinux("Uses seccomp, and waits that only glibc offers.")]
public class NewCallTests
{
    // As systemd before 247 does it. Linux counts new calls from 424 on, on every architecture alike; the C library
    // itself is told that there is no clone3.
    private const string KillsForNewNumbers = "clone3:ENOSYS,>423:kill";
    private const string OlderUname = "--uname-2.6"; // setarch(8): the kernel says that it is an old one
    private const string NewCalls = "trace=io_uring_setup,io_uring_enter,io_uring_register,pidfd_open,futex_waitv";

    private static readonly string[] s_waits = ["segment-wait 1000", "segment-wait-async 100", "semaphore-wait 20",
        "semaphore-wait-async 20"];

    public NewCallTests() => Assert.SkipUnless(OperatingSystem.IsLinux() && Libraries.IsGlibc,
        "Uses seccomp, and waits that only glibc offers.");

    /// <summary>Waits in vain in every way for what the test holds.</summary>
    private static VictimResult Wait(Situation situation, params string[] first)
    {
        NativeIpcKey segment = TestRun.NewKey(Backend.Posix);
        NativeIpcKey semaphore = TestRun.NewKey(Backend.Posix);
        using SharedMemory memory = SharedMemory.CreateNew(segment, 4096);
        using SystemSemaphore empty = SystemSemaphore.CreateNew(semaphore, 0);
        using SharedMemoryLock held = memory.Lock();
        VictimResult result = Victims.Run(situation,
            [.. first, $"segment-open {segment}", $"semaphore-open {semaphore}", .. s_waits]);
        Assert.True(result.ExitCode == 0, $"It ended with {result.ExitCode}.\n{result.Error}");
        return result.Did([.. first.Select(_ => "switched"), "opened 4096", "opened", .. s_waits.Select(_ => "False")]);
    }

    [Fact]
    public void An_old_kernel_is_asked_for_nothing_new()
        => Wait(new Situation { Filter = KillsForNewNumbers,
            Through = [Peers.Require("setarch", "util-linux"), OlderUname] });

    [Fact]
    public void The_switch_avoids_all_new_numbers_on_a_new_kernel_with_an_old_filter()
        => Wait(new Situation { Filter = KillsForNewNumbers }, "switch NativeIpc.NoNewSystemCalls");

    [Fact]
    public void Waits_of_the_portable_kind_need_no_new_number_either()
        => Wait(new Situation { Filter = KillsForNewNumbers }, "switch NativeIpc.PortableWaits");

    [Theory]
    [InlineData("")]
    [InlineData("NativeIpc.NoNewSystemCalls")]
    [InlineData("NativeIpc.PortableWaits")]
    public void Waiting_for_any_of_several_asks_for_nothing_new_either(string turnedOn)
    {
        NativeIpcKey semaphore = TestRun.NewKey(Backend.Posix);
        using SystemSemaphore empty = SystemSemaphore.CreateNew(semaphore, 0);
        string[] first = turnedOn.Length == 0 ? [] : [$"switch {turnedOn}"];
        Situation situation = turnedOn.Length > 0 ? new() { Filter = KillsForNewNumbers }
            : new() { Filter = KillsForNewNumbers, Through = [Peers.Require("setarch", "util-linux"), OlderUname] };
        VictimResult result = Victims.Run(situation, [.. first, $"semaphore-open {semaphore}", "any-wait 100"]);
        Assert.True(result.ExitCode == 0, $"It ended with {result.ExitCode}.\n{result.Error}");
        result.Did([.. first.Select(_ => "switched"), "opened", "False"]);
    }

    [Fact]
    public void Where_there_is_a_ring_the_older_call_is_not_asked_for()
    {
        SkipUnlessRing();
        Wait(new Situation { Filter = "futex_waitv:kill" });
    }

    [Fact]
    public void Without_the_ring_by_a_switch_its_numbers_are_not_asked_for()
        => Wait(new Situation { Filter = "io_uring_setup:kill,io_uring_enter:kill,io_uring_register:kill" },
            "switch NativeIpc.NoIoUring");

    [Fact]
    public void A_filter_that_refuses_new_numbers_is_no_obstacle()
        => Wait(new Situation { Filter = "clone3:ENOSYS,>423:EPERM" });

    [Theory]
    [InlineData("", "io_uring_setup", true)]
    [InlineData("NativeIpc.NoIoUring", "futex_waitv", true)]
    [InlineData("NativeIpc.NoNewSystemCalls", "", false)]
    [InlineData("NativeIpc.PortableWaits", "", false)]
    public void What_is_asked_for_depends_on_the_switches(string turnedOn, string expected, bool mayWatchProcesses)
    {
        SkipUnlessRing();
        string trace = Path.Combine(TestRun.Folder, TestRun.NewName());
        Wait(new Situation { Trace = trace, Traced = NewCalls }, turnedOn.Length == 0 ? [] : [$"switch {turnedOn}"]);
        string[] asked = [.. File.ReadLines(trace)
            .Select(line => line.Split(['(', ' '], StringSplitOptions.RemoveEmptyEntries))
            .Where(words => words.Length > 1).Select(words => words[1])
            .Where(name => name is "io_uring_setup" or "pidfd_open" or "futex_waitv").Distinct().Order()];
        Assert.Equal(expected, string.Join(',', asked.Where(name => name != "pidfd_open")));
        Assert.True(mayWatchProcesses || !asked.Contains("pidfd_open"), "A process was watched.");
        File.Delete(trace);
    }

    private static void SkipUnlessRing()
        => Assert.SkipUnless(FutexDispatcher.UsesRing, "There is no io_uring with futex waits here.");
}
