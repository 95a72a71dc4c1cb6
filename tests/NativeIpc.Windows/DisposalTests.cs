using Xunit;

namespace NativeIpc.WindowsTests;

/// <summary>A handle is never closed, and a view never unmapped, under a call on another thread.</summary>
public class DisposalTests : WindowsTest
{
    private const int Rounds = 100;

    [Fact]
    public async Task A_semaphore_may_be_disposed_while_it_is_used()
    {
        NativeIpcKey key = NewKey();
        using SystemSemaphore kept = SystemSemaphore.CreateNew(key, 0);
        for (int round = 0; round < Rounds; round++)
        {
            SystemSemaphore semaphore = SystemSemaphore.OpenExisting(key);
            await Race(semaphore.Dispose,
                () => semaphore.Release(),
                () => semaphore.TryAcquire(),
                () => semaphore.TryAcquire(TimeSpan.FromMilliseconds(1)));
        }
    }

    [Fact]
    public async Task A_segment_may_be_disposed_while_it_is_used()
    {
        NativeIpcKey key = NewKey();
        using SharedMemory kept = SharedMemory.CreateNew(key, 1 << 20);
        byte[] buffer = new byte[1 << 16];
        for (int round = 0; round < Rounds; round++)
        {
            SharedMemory segment = SharedMemory.OpenExisting(key);
            await Race(segment.Dispose,
                () => segment.Write(4096, buffer),
                () =>
                {
                    if (segment.TryLock(TimeSpan.FromMilliseconds(1), out SharedMemoryLock held)) held.Dispose();
                },
                () =>
                {
                    using SharedMemoryAccessScope access = segment.BeginAccess();
                });
        }

        using SharedMemoryLock free = kept.Lock(TestContext.Current.CancellationToken); // no round has kept it
    }

    /// <summary>Repeats the actions, each on its own thread, until the object that they use is disposed.</summary>
    private static async Task Race(Action dispose, params Action[] actions)
    {
        using var started = new CountdownEvent(actions.Length);
        Task[] users = [.. actions.Select(action => Start(() =>
        {
            started.Signal();
            try
            {
                while (true) action();
            }
            catch (ObjectDisposedException)
            {
                // the one way out
            }
        }))];
        started.Wait();
        dispose();
        await Soon(Task.WhenAll(users));
    }
}
