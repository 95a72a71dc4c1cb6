using System.Diagnostics;
using Xunit;

namespace NativeIpc.Conformance;

/// <summary>Many asynchronous waits at once: what they cost in threads, and who is served when.</summary>
[Collection(nameof(Alone))]
public abstract class PendingTests<TProvider> : ConformanceTests<TProvider>
    where TProvider : Provider, new()
{
    [Fact]
    public async Task A_thousand_pending_waits_on_a_hundred_semaphores_take_a_handful_of_threads()
    {
        using var group = new DisposableGroup();
        NativeIpcKey[] keys = [.. Enumerable.Range(0, 100).Select(_ => NextKey())];
        SystemSemaphore[] semaphores = [.. keys.Select(key => group.Add(SystemSemaphore.CreateNew(key, 0)))];
        int before = Process.GetCurrentProcess().Threads.Count;
        Task[] waits = [.. Enumerable.Range(0,
            1000).Select(i => semaphores[i % 100].AcquireAsync(Cancellation).AsTask())];
        int added = Process.GetCurrentProcess().Threads.Count - before;
        Assert.True(added <= 8, $"{added} threads more");
        PeerProcess peer = Peer();
        for (int i = 0; i < 100; i++) peer.Ask($"sem open s{i} {keys[i]}");
        for (int turn = 0; turn < 10; turn++)
        {
            for (int i = 0; i < 100; i++) peer.Ask($"sem release s{i}");
            await Task.WhenAll(waits[(turn * 100)..((turn * 100) + 100)]).WaitAsync(s_watchdog, Cancellation);
            // A later waiter is served later
            Assert.DoesNotContain(waits[((turn * 100) + 100)..], wait => wait.IsCompleted);
        }

        Assert.All(semaphores, semaphore => Assert.False(semaphore.TryAcquire()));
    }
}
