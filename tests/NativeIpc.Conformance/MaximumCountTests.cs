using Xunit;

namespace NativeIpc.Conformance;

/// <summary>A maximum of the instance's own, beyond which it releases nothing.</summary>
public abstract class MaximumCountTests<TProvider> : ConformanceTests<TProvider>
    where TProvider : Provider, new()
{
    private static SystemSemaphoreOptions UpTo(int maximum) => new() { MaximumCount = maximum };

    private static int PermitsOf(SystemSemaphore semaphore)
    {
        int count = 0;
        while (semaphore.TryAcquire()) count++;
        for (int i = 0; i < count; i++) semaphore.Release();
        return count;
    }

    [Fact]
    public void A_release_beyond_the_maximum_gives_nothing_and_says_so()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 1, UpTo(3));
        for (int use = 0; use < 40; use++) // also after the direct way has opened
        {
            NativeIpcException failure = Assert.Throws<NativeIpcException>(() => semaphore.Release(3));
            Assert.Equal(NativeIpcError.OutOfResources, failure.Error);
            Assert.Equal(0, failure.PermitsReleased);
            Assert.Contains(key.ToString(), failure.Message, StringComparison.Ordinal);
            Assert.Equal(1, PermitsOf(semaphore));
            semaphore.Release(2);
            Assert.Equal(NativeIpcError.OutOfResources, ErrorOf(() => semaphore.Release()));
            Assert.Equal(NativeIpcError.OutOfResources, ErrorOf(() => semaphore.Release(int.MaxValue)));
            Assert.Equal(3, PermitsOf(semaphore));
            semaphore.Acquire();
            semaphore.Acquire();
            Assert.Equal(NativeIpcError.OutOfResources, ErrorOf(() => semaphore.Release(4)));
        }
    }

    [Fact]
    public void All_permits_up_to_the_maximum_can_be_given_in_one_step()
    {
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(NextKey(), 0, UpTo(5));
        semaphore.Release(5);
        Assert.Equal(NativeIpcError.OutOfResources, ErrorOf(() => semaphore.Release(5)));
        Assert.Equal(5, PermitsOf(semaphore));
    }

    [Fact]
    public void An_initial_count_above_the_maximum_is_refused_and_so_is_a_maximum_below_one()
    {
        NativeIpcKey key = NextKey();
        foreach (Func<SystemSemaphore> make in (Func<SystemSemaphore>[])
        [
            () => SystemSemaphore.CreateNew(key, 4, UpTo(3)),
            () => SystemSemaphore.CreateOrOpen(key, 4, UpTo(3)),
            () => SystemSemaphore.CreateOrReset(key, 4, UpTo(3)),
        ])
        {
            Assert.Equal("initialCount", Assert.Throws<ArgumentOutOfRangeException>(() => make()).ParamName);
        }

        Assert.Throws<ArgumentException>(() => SystemSemaphore.CreateNew(key, 0, UpTo(0)));
        Assert.Throws<ArgumentException>(() => SystemSemaphore.CreateNew(key, 0, UpTo(-1)));
        Assert.Throws<ArgumentException>(() => SystemSemaphore.OpenExisting(key, UpTo(0)));
        Assert.False(SystemSemaphore.TryOpenExisting(key, out _));
    }

    [BackendFact(Needs.Leftovers)]
    public void The_maximum_is_a_rule_of_the_instance_and_not_of_the_object()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore free = SystemSemaphore.CreateNew(key, 0);
        using SystemSemaphore bounded = SystemSemaphore.OpenExisting(key, UpTo(2));
        bounded.Release(2);
        free.Release(2);
        Assert.Equal(NativeIpcError.OutOfResources, ErrorOf(() => bounded.Release()));
        for (int i = 0; i < 3; i++) bounded.Acquire();
        bounded.Release();
        Assert.Equal(2, PermitsOf(free));
    }

    [BackendFact(Needs.NoLeftovers)]
    public void A_semaphore_that_exists_keeps_the_maximum_that_it_was_made_with()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore made = SystemSemaphore.CreateNew(key, 0, UpTo(2));
        using SystemSemaphore opened = SystemSemaphore.OpenExisting(key);
        opened.Release(2);
        Assert.Equal(NativeIpcError.OutOfResources, ErrorOf(() => opened.Release()));
        using SystemSemaphore larger = SystemSemaphore.CreateOrOpen(key, 0, UpTo(10));
        Assert.Equal(NativeIpcError.OutOfResources, ErrorOf(() => larger.Release()));
    }

    /// <summary>Releases from many threads through two instances. A maximum of 1 is exact with every kind of key but
    /// portable waits.</summary>
    [Fact]
    public void Releases_at_once_never_pass_a_maximum_of_one()
    {
        SkipIfPortable();
        ReleaseAtOnce(1, 3000);
    }

    [BackendFact(Needs.Posix | Needs.Linux)]
    public void Releases_at_once_never_pass_the_maximum()
    {
        SkipIfPortable();
        ReleaseAtOnce(3, 10_000);
    }

    private static void SkipIfPortable()
    {
        bool isPortable = AppContext.TryGetSwitch("NativeIpc.PortableWaits", out bool isOn) && isOn;
        Assert.SkipWhen(isPortable, "Portable waits look, and then post.");
    }

    private void ReleaseAtOnce(int maximum, int rounds)
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore one = SystemSemaphore.CreateNew(key, 0, UpTo(maximum));
        using SystemSemaphore two = SystemSemaphore.OpenExisting(key, UpTo(maximum));
        const int threads = 6;
        int given = 0;
        int taken = 0;
        Finish([.. Enumerable.Range(0, threads).Select(thread => Start(() =>
        {
            SystemSemaphore semaphore = thread % 2 == 0 ? one : two;
            for (int round = 0; round < rounds; round++)
            {
                if (thread == 0)
                {
                    if (semaphore.TryAcquire()) Interlocked.Increment(ref taken);
                    continue;
                }

                try
                {
                    if (semaphore.TryGetCurrentCount(out int seen)) Assert.InRange(seen, 0, maximum);
                    if (seen == maximum && round % 16 != 0) continue; // an exception is dear
                    semaphore.Release();
                    Interlocked.Increment(ref given);
                }
                catch (NativeIpcException failure) when (failure.Error == NativeIpcError.OutOfResources)
                {
                }
            }
        }))]);
        int left = PermitsOf(one);
        Assert.InRange(left, 0, maximum);
        Assert.Equal(given, taken + left);
    }

    [Fact]
    public void A_release_wakes_those_who_wait_and_permits_are_given_back_up_to_the_maximum()
    {
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(NextKey(), 0, UpTo(1));
        Task blocked = Start(() => semaphore.Acquire());
        Task<bool> pending = semaphore.TryAcquireAsync(s_watchdog, Cancellation).AsTask();
        for (int given = 0; given < 2;)
        {
            try
            {
                semaphore.Release();
                given++;
            }
            catch (NativeIpcException failure) when (failure.Error == NativeIpcError.OutOfResources)
            {
                Thread.Yield();
            }
        }

        Finish(blocked, pending);
        semaphore.Release();
        SystemSemaphorePermit permit = semaphore.Enter();
        semaphore.Release();

        // Somebody has released what was not acquired.
        Assert.Equal(NativeIpcError.OutOfResources, ErrorOf(permit.Dispose));
        Assert.False(permit.IsHeld);
        Assert.Equal(1, PermitsOf(semaphore));
    }

    [BackendFact(Needs.Recovery)]
    public void A_robust_semaphore_may_have_a_maximum()
    {
        NativeIpcKey key = NextGlibcKey();
        using SystemSemaphore robust = SystemSemaphore.CreateNew(key, 1, new() { Robust = true, MaximumCount = 1 });
        for (int i = 0; i < 20; i++) robust.Enter(s_watchdog).Dispose();
        Assert.Throws<InvalidOperationException>(() => robust.Release());
    }

    [BackendFact(Needs.Posix | Needs.Linux)]
    public void A_recording_semaphore_may_have_a_maximum()
    {
        NativeIpcKey key = NextKey();
        if (!SystemSemaphore.IsPermitRecordingSupported(key.Type)) Assert.Skip("No permits are recorded here.");
        using SystemSemaphore recording =
            SystemSemaphore.CreateNew(key, 2, new() { Recording = PermitRecording.Process, MaximumCount = 2 });
        Assert.Equal(NativeIpcError.OutOfResources, ErrorOf(() => recording.Release()));
        recording.Acquire();
        Assert.Equal(NativeIpcError.OutOfResources, ErrorOf(() => recording.Release(2)));
        recording.Release();
        Assert.Equal(2, PermitsOf(recording));
    }
}
