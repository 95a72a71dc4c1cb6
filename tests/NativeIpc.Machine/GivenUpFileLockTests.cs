using Xunit;
using Held = NativeIpc.Machine.ForeignFileLockTests.Held;

namespace NativeIpc.Machine;

/// <summary>A wait for a file lock that was given up leaves a thread behind, which takes the file for a moment when it
/// comes free. No call of this process takes that for somebody else's.</summary>
[NeedsLinux("Uses flock and Linux's files.")]
[Collection("Threads that wait for file locks")]
[Slow]
public class GivenUpFileLockTests
{
    private static readonly int s_rounds = Sample.Of(100, 30);
    private static readonly SharedMemoryOptions s_impatient = new() { PeerTimeout = TimeSpan.Zero,
        Removal = RemovalPolicy.Keep };
    private static readonly SharedMemoryOptions s_patient = new() { PeerTimeout = Timeout.InfiniteTimeSpan,
        Removal = RemovalPolicy.Keep };

    private static string FileOf(NativeIpcKey key, Backend backend)
        => backend == Backend.Posix ? TestRun.SegmentFile(key) : key.NativeKey;

    /// <summary>Has the file, until a wait of this process for it was given up.</summary>
    private static void GiveUp(SharedMemory segment, string path)
    {
        using var held = new Held(path, waits: true); // for the thread of an earlier wait
        Assert.False(segment.TryLock(TimeSpan.FromMilliseconds(40), out _));
    }

    private sealed class Removal(NativeIpcKey key) : IDisposable
    {
        public void Dispose() => Assert.True(SharedMemory.Remove(key));
    }

    [Theory]
    [InlineData(Backend.Posix)]
    [InlineData(Backend.SystemV)]
    public void A_try_to_lock_succeeds_at_once(Backend backend)
    {
        for (int round = 0; round < s_rounds; round++)
        {
            NativeIpcKey key = TestRun.NewKey(backend);
            using var removal = new Removal(key);
            using (SharedMemory segment = SharedMemory.CreateNew(key, 4096, s_patient))
            {
                GiveUp(segment, FileOf(key, backend));
                Assert.True(segment.TryLock(out SharedMemoryLock scope),
                    $"Round {round}: somebody seems to have the file.");
                scope.Dispose();
            }
        }
    }

    [Theory]
    [InlineData(Backend.Posix)]
    [InlineData(Backend.SystemV)]
    public async Task An_asynchronous_try_to_lock_succeeds_at_once(Backend backend)
    {
        for (int round = 0; round < s_rounds; round++)
        {
            NativeIpcKey key = TestRun.NewKey(backend);
            using var removal = new Removal(key);
            using (SharedMemory segment = SharedMemory.CreateNew(key, 4096, s_patient))
            {
                GiveUp(segment, FileOf(key, backend));
                SharedMemoryLock? scope = await segment.TryLockAsync(TimeSpan.Zero,
                    TestContext.Current.CancellationToken);
                Assert.True(scope.HasValue, $"Round {round}: somebody seems to have the file.");
                scope.Value.Dispose();
            }
        }
    }

    /// <summary>With a PeerTimeout of zero, whoever makes, opens or removes does not wait for it either.</summary>
    [Fact]
    public void Opening_and_removing_without_patience_succeed_at_once()
    {
        for (int round = 0; round < s_rounds; round++)
        {
            NativeIpcKey key = TestRun.NewKey(Backend.SystemV);
            using var removal = new Removal(key);
            using (SharedMemory segment = SharedMemory.CreateNew(key, 4096, s_patient))
            {
                GiveUp(segment, key.NativeKey);
                SharedMemory.OpenExisting(key, options: s_impatient).Dispose();
                GiveUp(segment, key.NativeKey);
                using SharedMemory again = SharedMemory.CreateOrOpen(key, 4096, s_impatient);
                Assert.False(again.CreatedNew);
            }
        }
    }
}
