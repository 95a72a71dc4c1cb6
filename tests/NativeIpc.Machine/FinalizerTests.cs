using System.Runtime.CompilerServices;
using Xunit;

namespace NativeIpc.Machine;

/// <summary>What nobody refers to any more is let go of as by Dispose, and the thread of the finalizers, which serves
/// the whole process, waits for nobody meanwhile.</summary>
[NeedsLinux("Looks at Linux's files.")]
public class FinalizerTests
{
    private static readonly TimeSpan s_watchdog = Patience.Minutes(1);

    public static TheoryData<Backend, string[]> Dropped => new(
        from backend in Enum.GetValues<Backend>()
        from steps in new string[][]
        {
            ["segment-create KEY 100"],
            ["segment-create KEY 100", "segment-lock"],
            ["segment-create KEY 100 removal=LastOneOut"],
            ["segment-create KEY 100 removal=LastOneOut", "segment-access", "segment-dispose"],
            ["semaphore-create KEY 1"],
            ["semaphore-create KEY 1", "semaphore-enter"],
            ["semaphore-create KEY 1 robust=true"],
            ["semaphore-create KEY 1 removal=LastOneOut"],
            ["semaphore-create KEY 1 recording=Process"],
        }
        where backend == Backend.Posix
            || !steps.Any(
                step => step.StartsWith("semaphore", StringComparison.Ordinal)
                    && (step.Contains("LastOneOut", StringComparison.Ordinal)
                        || step.Contains("recording", StringComparison.Ordinal)))
        select (backend, steps));

    /// <summary>Another process keeps the lock of the object's file, or of its key file, for which the removal
    /// waits.</summary>
    [Theory]
    [MemberData(nameof(Dropped))]
    public void The_thread_of_the_finalizers_does_not_wait(Backend backend, string[] steps)
    {
        NativeIpcKey key = TestRun.NewKey(backend);
        bool isSegment = steps[0].StartsWith("segment", StringComparison.Ordinal);
        string file = backend == Backend.SystemV
            ? key.NativeKey : isSegment ? TestRun.SegmentFile(key) : TestRun.SemaphoreFile(key);
        string trace = Path.Combine(TestRun.Folder, TestRun.NewName());
        string[] made = [.. steps.Select(step => step.Replace("KEY", $"{key}", StringComparison.Ordinal))];
        VictimResult result = Victims.Run(
            new Situation { Trace = trace, Traced = "trace=flock,semop,semtimedop,futex,clock_nanosleep,nanosleep" },
            ["finalizer-thread", .. made, $"flock {file}", "drop", "unflock"]);
        string thread = result[0].Did!;
        Assert.Equal(["locked", "dropped", "unlocked"], result.Outcomes[^3..].Select(outcome => outcome.Did));
        string[] lines = File.ReadAllLines(trace);
        File.Delete(trace);
        string[] waits = [.. lines.Where(
            line => line.StartsWith(thread + " ", StringComparison.Ordinal) && IsWait(line))];
        Assert.True(waits.Length == 0, string.Join('\n', waits.Take(4)));
        Assert.False(SharedMemory.Remove(key) | SystemSemaphore.Remove(key), "It stayed.");
        Assert.False(File.Exists(file));
    }

    [Theory]
    [InlineData(Backend.Posix)]
    [InlineData(Backend.SystemV)]
    public void Five_that_are_dropped_with_their_lock_are_gone_while_the_process_lives(Backend backend)
    {
        NativeIpcKey[] keys = [.. Enumerable.Range(0, 5).Select(_ => TestRun.NewKey(backend))];
        foreach (NativeIpcKey key in keys) MakeLocked(key);
        Collect();
        foreach (NativeIpcKey key in keys)
        {
            Until(() => !SharedMemory.TryOpenExisting(key, out SharedMemory? there) || Close(there),
                $"The segment {key} stayed.");
            Until(() => !SystemSemaphore.TryOpenExisting(key, out SystemSemaphore? there) || Close(there),
                $"The lock of {key} stayed.");
            if (backend == Backend.SystemV)
                Until(() => !File.Exists(key.NativeKey), $"The key file {key.NativeKey} stayed.");
        }
    }

    [Theory]
    [InlineData(Backend.Posix, false)]
    [InlineData(Backend.Posix, true)]
    [InlineData(Backend.SystemV, true)]
    public void A_lock_that_is_dropped_while_it_is_held_is_free_and_was_not_abandoned(Backend backend,
        bool isRecoverable)
    {
        NativeIpcKey key = TestRun.NewKey(backend);
        using SharedMemory other = SharedMemory.CreateNew(key, 100);
        string[] steps = isRecoverable ? [] : ["switch NativeIpc.PortableWaits"];
        VictimResult result = Victims.Run(Situation.Plain,
            [.. steps, $"segment-open {key}", "segment-lock", "drop", $"segment-open {key}", "segment-wait 60000",
                "segment-was-abandoned"]);
        Assert.Equal(["dropped", "opened 100", "True", "False"], result.Outcomes[^4..].Select(outcome => outcome.Did));
    }

    [Theory]
    [InlineData(Backend.Posix, "")]
    [InlineData(Backend.Posix, "robust=true")]
    [InlineData(Backend.Posix, "recording=Process")]
    [InlineData(Backend.SystemV, "")]
    [InlineData(Backend.SystemV, "undo=None")]
    [InlineData(Backend.SystemV, "robust=true")]
    public void A_permit_that_is_dropped_with_its_semaphore_is_given_back(Backend backend, string options)
    {
        NativeIpcKey key = TestRun.NewKey(backend);
        VictimResult result = Victims.Run(Situation.Plain,
        [
            "listen", $"semaphore-create {key} 1 {options} removal=Keep", "semaphore-enter", "drop",
            $"semaphore-open {key} {options} removal=Keep", "semaphore-wait 60000", "semaphore-was-abandoned", "events",
        ]);
        Assert.True(SystemSemaphore.Remove(key));
        result.Did("listens", "created", "entered", "dropped", "opened", "True", "False", "");
    }

    /// <summary>Nothing refers to it, not even what is to be done at the end of the process; and its own descriptor is
    /// no other user.</summary>
    [Theory]
    [InlineData("")]
    [InlineData("robust=true")]
    public void A_dropped_semaphore_that_goes_with_its_last_user_is_gone_while_the_process_lives(string options)
    {
        NativeIpcKey key = TestRun.NewKey(Backend.Posix);
        VictimResult result = Victims.Run(Situation.Plain,
        [
            "listen", $"semaphore-create {key} 1 {options} removal=LastOneOut", "drop",
            $"await-gone {TestRun.SemaphoreFile(key)}", "events",
        ]);
        result.Did("listens", "created", "dropped", "gone", "");
    }

    [Fact]
    public void A_dropped_segment_is_watched_no_more()
    {
        NativeIpcKey key = TestRun.NewKey(Backend.Posix);
        VictimResult result = Victims.Run(Situation.Plain,
            [$"segment-lock-often {key} 20", "watches", "drop", "await-no-watch"]);
        result.Did("locked", "watches", "dropped", "none");
    }

    /// <summary>A scope that nobody has ended keeps the segment, and with it the lock and the duty to remove.</summary>
    [Theory]
    [InlineData(Backend.Posix)]
    [InlineData(Backend.SystemV)]
    public void A_scope_keeps_its_segment(Backend backend)
    {
        NativeIpcKey key = TestRun.NewKey(backend);
        using (SharedMemoryAccessScope scope = MakeScope(key))
        {
            Collect();
            scope.GetSpan(0, 1)[0] = 1;
            using SharedMemory other = SharedMemory.OpenExisting(key);
            Assert.Equal(1, other.Span[0]);
            Assert.False(other.TryLock(out _), "The lock was given back.");
        }

        Collect();
        Until(() => !SharedMemory.TryOpenExisting(key, out SharedMemory? there) || Close(there), "It stayed.");
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void MakeLocked(NativeIpcKey key) => Assert.True(SharedMemory.CreateNew(key, 100).TryLock(out _));

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static SharedMemoryAccessScope MakeScope(NativeIpcKey key)
    {
        SharedMemory segment = SharedMemory.CreateNew(key, 100);
        Assert.True(segment.TryLock(out _));
        return segment.BeginAccess();
    }

    private static void Collect()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
    }

    private static bool Close(IDisposable there)
    {
        there.Dispose();
        return false;
    }

    private static void Until(Func<bool> isDone, string otherwise)
        => Assert.True(SpinWait.SpinUntil(isDone, s_watchdog), otherwise);

    private static bool IsWait(string line)
        => line.Contains("nanosleep", StringComparison.Ordinal)
            // "resumed" has no flags: the call began in another line.
            || (line.Contains("semtimedop(", StringComparison.Ordinal)
                && !line.Contains("IPC_NOWAIT", StringComparison.Ordinal))
            || (line.Contains("flock", StringComparison.Ordinal) && line.Contains("EAGAIN", StringComparison.Ordinal));
}
