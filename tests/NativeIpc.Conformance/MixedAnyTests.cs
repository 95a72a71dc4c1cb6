using Xunit;

namespace NativeIpc.Conformance;

/// <summary>Waiting for any of several objects of several back ends at once.</summary>
[NeedsLinux("It has two back ends.")]
[Collection(nameof(MixedAnyTests))]
public sealed class MixedAnyTests : IDisposable
{
    private static readonly TimeSpan s_watchdog = Patience.Seconds(60);

    private readonly TestNames _names = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => _names.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Each_is_taken_when_another_process_gives_it(bool isAsync)
    {
        using var group = new DisposableGroup();
        NativeIpcKeyType[] types =
            [NativeIpcKeyType.PosixRealtime, NativeIpcKeyType.SystemV, (NativeIpcKeyType)84];
        NativeIpcKey[] keys = [.. types.Concat(types).Select(_names.Next)];
        List<SystemWaitTarget> targets = [];
        using PeerProcess peer = PeerProcess.Rent();
        for (int i = 0; i < keys.Length; i++)
        {
            if (i % 2 == 0)
            {
                targets.Add(group.Add(SystemSemaphore.CreateNew(keys[i], 0)));
                peer.Ask($"sem open o{i} {keys[i]}");
            }
            else
            {
                targets.Add(group.Add(SharedMemory.CreateNew(keys[i], 100)));
                peer.Ask($"shm open o{i} {keys[i]} rw");
                peer.Ask($"shm lock o{i}");
            }
        }

        SystemWaitTarget[] all = [.. targets];
        for (int turn = 0; turn < 60; turn++)
        {
            int index = turn * 5 % keys.Length;
            Task<SystemWaitResult> waiting = isAsync
                ? SystemWait.AnyAsync(all, Timeout.InfiniteTimeSpan, Cancellation).AsTask()
                : Task.Factory.StartNew(() => SystemWait.Any(all, Timeout.InfiniteTimeSpan, Cancellation),
                    Cancellation, TaskCreationOptions.LongRunning, TaskScheduler.Default);
            peer.Ask(index % 2 == 0 ? $"sem release o{index}" : $"shm unlock o{index}");
            SystemWaitResult result = await waiting.WaitAsync(s_watchdog, Cancellation);
            Assert.Equal(index, result.Index);
            result.Lock.Dispose();
            if (index % 2 == 1) peer.Ask($"shm lock o{index}");
        }

        Assert.True(SystemWait.Any(all, TimeSpan.Zero, Cancellation).TimedOut);
    }
}
