using System.Reflection;
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

    /// <summary>As the garbage collector does, which no test can have run here (Wine).</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_permit_that_is_dropped_with_its_semaphore_is_given_back(bool isRobust)
    {
        NativeIpcKey key = NewKey();
        var options = new SystemSemaphoreOptions { Robust = isRobust };
        using SystemSemaphore kept = SystemSemaphore.CreateNew(key, 1, options);
        SystemSemaphore dropped = SystemSemaphore.OpenExisting(key, options);
        dropped.Enter();
        Drop(Value(dropped, "_semaphore"));
        Assert.True(kept.TryAcquire(s_watchdog));
        Assert.False(kept.WasAbandoned);
        dropped.Dispose();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_lock_that_is_dropped_while_it_is_held_is_free_and_was_not_abandoned(bool isRecoverable)
    {
        NativeIpcKey key = NewKey();
        using SharedMemory kept = SharedMemory.CreateNew(key, 100);
        SharedMemory dropped = SharedMemory.OpenExisting(key,
            options: new SharedMemoryOptions { RequireLockRecovery = isRecoverable });
        Assert.True(dropped.TryLock(out _));
        object held = Value(dropped, "_lock");
        Drop(held.GetType().GetProperty("Semaphore")!.GetValue(held)!);
        Assert.True(kept.TryLock(s_watchdog, out SharedMemoryLock taken));
        using (taken) Assert.False(taken.WasAbandoned);
        dropped.Dispose();
    }

    private static readonly TimeSpan s_watchdog = Patience.Minutes(1);

    private static object Value(object owner, string field)
        => owner.GetType().GetField(field, BindingFlags.Instance | BindingFlags.NonPublic)!.GetValue(owner)!;

    private static void Drop(object semaphore)
        => semaphore.GetType().GetMethod("WasDropped",
            BindingFlags.Instance | BindingFlags.NonPublic)!.Invoke(semaphore, null);

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
