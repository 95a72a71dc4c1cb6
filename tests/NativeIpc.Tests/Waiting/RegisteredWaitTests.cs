using NativeIpc.Waiting.Async;
using Xunit;

namespace NativeIpc.Tests.Waiting;

/// <summary>The system's registered waits (Windows), here on semaphores of this process alone: so they run
/// everywhere.</summary>
public sealed class RegisteredWaitTests : IDisposable
{
    private static readonly TimeSpan s_watchdog = Patience.Seconds(60);

    // What is not through in this time waits for something.
    private static readonly TimeSpan s_aWhile = TimeSpan.FromMilliseconds(200);

    private readonly Semaphore _semaphore = new(0, 10);
    private readonly SemaphoreSlim _begun = new(0);
    private readonly ManualResetEventSlim _mayEnd = new();
    private int _ended;

    public void Dispose()
    {
        _mayEnd.Set();
        _semaphore.Dispose();
    }

    [Fact]
    public async Task Draining_waits_for_the_callbacks_of_every_registration_and_not_only_of_the_last()
    {
        var wait = new RegisteredWait(_semaphore, Offer, () => { });
        wait.Arm(null!);
        _semaphore.Release();
        Assert.True(await _begun.WaitAsync(s_watchdog, TestContext.Current.CancellationToken));
        wait.Disarm(null!); // the callback is under way

        // Others come and go, with no callback.
        for (int i = 0; i < 3; i++)
        {
            wait.Arm(null!);
            wait.Disarm(null!);
        }

        var draining = Task.Run(() =>
        {
            wait.Drain(null!);
            return Volatile.Read(ref _ended);
        });
        await Assert.ThrowsAsync<TimeoutException>(
            () => draining.WaitAsync(s_aWhile, TestContext.Current.CancellationToken));
        _mayEnd.Set();
        Assert.Equal(1, await draining.WaitAsync(s_watchdog, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_permit_that_nobody_wants_is_given_back_before_draining_ends()
    {
        int givenBack = 0;
        var wait = new RegisteredWait(_semaphore, () => !Offer(), () => Interlocked.Increment(ref givenBack));
        wait.Arm(null!);
        _semaphore.Release();
        Assert.True(await _begun.WaitAsync(s_watchdog, TestContext.Current.CancellationToken));
        wait.Disarm(null!);
        _mayEnd.Set();
        wait.Drain(null!);
        Assert.Equal(1, givenBack);
        Assert.False(_semaphore.WaitOne(0)); // the wait itself had taken it
    }

    private bool Offer()
    {
        _begun.Release();
        Assert.True(_mayEnd.Wait(s_watchdog));
        Interlocked.Increment(ref _ended);
        return true;
    }
}
