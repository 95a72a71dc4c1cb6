using System.Globalization;
using NativeIpc.Contracts;
using NativeIpc.Selection;
using Xunit;

namespace NativeIpc.Conformance;

/// <summary>Dispose races with every use on other threads; run in a peer, since what goes wrong there would end the
/// process.</summary>
/// <remarks>NATIVEIPC_STRESS_SECONDS is the time for all back ends together; 16 by default, or 8 in
/// a sample.</remarks>
[Slow]
public abstract class DisposeRaceTests<TProvider> : ConformanceTests<TProvider>
    where TProvider : Provider, new()
{
    private const int ShareOfTotal = 8; // four back ends on Unix, two kinds of objects

    private static int Milliseconds { get; } =
        (Environment.GetEnvironmentVariable("NATIVEIPC_STRESS_SECONDS") is { Length: > 0 } set
            ? int.Parse(set, CultureInfo.InvariantCulture) : Sample.Of(16, 8)) * 1000 / ShareOfTotal;

    [Theory]
    [InlineData("shm")]
    [InlineData("sem")]
    public void Uses_that_Dispose_interrupts_end_with_ObjectDisposedException_and_the_process_lives(string kind)
    {
        NativeIpcKey key = NextKey();
        Stress(kind, key, Milliseconds);
        if (Backend.OutlivesProcesses)
        {
            // The lock, or the semaphore that was drained, is as it was.
            using SystemSemaphore semaphore = SystemSemaphore.OpenExisting(kind == "shm" ? Provider.LockKey(key) : key);
            if (kind == "shm") Assert.True(semaphore.TryAcquire());
            Assert.False(semaphore.TryAcquire());
            if (kind == "shm") semaphore.Release();
        }
    }

    [BackendTheory(Needs.Leftovers)]
    [InlineData("shm")]
    [InlineData("sem")]
    public void Uses_under_which_Dispose_removes_the_object_leave_nothing(string kind)
    {
        NativeIpcKey key = NextKey();
        Stress($"{kind}-removed", key, Milliseconds / 4);
        Assert.False(Backend.SegmentExists(key), "The segment was left.");
        Assert.False(Backend.AnythingExists(key), "The semaphore or the key file was left.");
    }

    /// <summary>A thread that was on its way to the lock comes there when Dispose is through with the names.</summary>
    [BackendFact(Needs.Leftovers)]
    public void A_lock_that_is_opened_after_Dispose_removed_the_segment_is_not_left()
    {
        NativeIpcKey key = NextKey();
        var options = new SharedMemoryOptions();
        Segment segment = Selector.ForSegment("create", key).CreateNew(key, 100, options);
        bool isUsed = false;
        segment.DangerousAddRef(ref isUsed);
        segment.LetGo();
        segment.Dispose();
        try
        {
            segment.OpenLock(options.PeerTimeout).Dispose();
        }
        catch (Exception gone) when (gone is ObjectDisposedException
            or NativeIpcException { Error: NativeIpcError.LockError })
        {
            // It tells that there is no lock any more.
        }

        segment.DangerousRelease();
        Assert.False(Backend.AnythingExists(key));
    }

    /// <summary>A thread that knows nothing of a Dispose on another one ends its scope, or takes the lock and does no
    /// more: when both are through, the lock is free, once.</summary>
    [Theory]
    [InlineData(false, true)]
    [InlineData(true, true)]
    [InlineData(false, false)]
    [InlineData(true, false)]
    public void A_lock_is_given_back_whatever_its_holder_does_while_the_segment_is_disposed(
        bool wasUsedOften, bool ends)
    {
        NativeIpcKey key = NextKey();
        using SharedMemory anchor = SharedMemory.CreateNew(key, 100);
        PeerProcess peer = Peer();
        peer.Ask($"shm open a {key} rw");
        SharedMemory segment = anchor;
        SharedMemoryLock scope = default;
        int rounds = OperatingSystem.IsWindows() ? 50 : Sample.Of(1000, 300);
        int met = 0;
        Task holder = Start(() =>
        {
            for (int round = 0; round < rounds; round++)
            {
                Meet((round * 4) + 2);
                if (ends) scope.Dispose();
                else TryLock(segment);
                Meet((round * 4) + 4);
            }
        });
        for (int round = 0; round < rounds; round++)
        {
            segment = SharedMemory.OpenExisting(key, options: new() { Removal = RemovalPolicy.Keep });
            // Often enough to go the direct way
            for (int i = 0; i < (wasUsedOften ? 20 : 1); i++) segment.Lock().Dispose();
            if (ends) scope = segment.Lock();
            Meet((round * 4) + 2);
            Thread.SpinWait(round % 50 / 2);
            segment.Dispose();
            Meet((round * 4) + 4);
            Assert.True(peer.Ask("shm trylock a") == "true", $"The lock of round {round} was not given back.");
            Assert.False(anchor.TryLock(out _), $"The lock of round {round} was given back twice.");
            peer.Ask("shm unlock a");
        }

        Finish(holder);

        // By spinning: a sleeper comes too late for the race.
        void Meet(int due)
        {
            Interlocked.Increment(ref met);
            Assert.True(SpinWait.SpinUntil(() => Volatile.Read(ref met) >= due, s_watchdog), "The watchdog went off.");
        }
    }

    private static void TryLock(SharedMemory segment)
    {
        try
        {
            _ = segment.TryLock(out _);
        }
        catch (ObjectDisposedException)
        {
            // Dispose was first.
        }
    }

    private void Stress(string kind, NativeIpcKey key, int milliseconds)
    {
        PeerProcess peer = Peer();
        peer.Post(string.Create(CultureInfo.InvariantCulture, $"stress {kind} {key} {milliseconds}"));
        string answer = peer.Answer(TimeSpan.FromMilliseconds(milliseconds) + s_watchdog);
        TestContext.Current.TestOutputHelper?.WriteLine(answer);
        foreach (string count in answer.Split(' '))
        {
            string[] pair = count.Split('=');
            Assert.True(long.Parse(pair[1], CultureInfo.InvariantCulture) > 0,
                $"Nothing was done: {count} in {answer}");
        }
    }
}
