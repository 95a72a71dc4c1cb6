using Xunit;

namespace NativeIpc.Conformance;

/// <summary>A maximum that the semaphore itself keeps (POSIX on Linux with glibc), and the count before a
/// release.</summary>
public abstract class SharedMaximumTests<TProvider> : ConformanceTests<TProvider>
    where TProvider : Provider, new()
{
    private static readonly SystemSemaphoreOptions s_shared = new() { ShareMaximumCount = true };

    [BackendFact(Needs.RichSemaphores)]
    public void Whoever_asks_for_it_has_the_maximum_of_the_object()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore made = SystemSemaphore.CreateNew(key, 1, s_shared with { MaximumCount = 3 });
        using SystemSemaphore opened = SystemSemaphore.OpenExisting(key, s_shared);
        using SystemSemaphore other = SystemSemaphore.CreateOrOpen(key, 7, s_shared with { MaximumCount = 9 });
        foreach (SystemSemaphore semaphore in (SystemSemaphore[])[made, opened, other])
        {
            Assert.Equal(NativeIpcError.OutOfResources, ErrorOf(() => semaphore.Release(3)));
            semaphore.Release(2);
            Assert.Equal(NativeIpcError.OutOfResources, ErrorOf(() => semaphore.Release()));
            semaphore.Acquire();
            semaphore.Acquire();
        }
    }

    [BackendFact(Needs.RichSemaphores)]
    public void An_object_without_a_maximum_has_that_of_the_instance()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore made = SystemSemaphore.CreateNew(key, 0);
        using SystemSemaphore opened = SystemSemaphore.OpenExisting(key, s_shared with { MaximumCount = 2 });
        opened.Release(2);
        Assert.Equal(NativeIpcError.OutOfResources, ErrorOf(() => opened.Release()));
        made.Release();
    }

    [BackendFact(Needs.RichSemaphores)]
    public void No_maximum_is_kept_as_that_of_the_system()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore made = SystemSemaphore.CreateNew(key, 0, s_shared);
        using SystemSemaphore opened = SystemSemaphore.OpenExisting(key, s_shared with { MaximumCount = 2 });
        opened.Release(int.MaxValue);
        Assert.Equal(NativeIpcError.OutOfResources, ErrorOf(() => opened.Release()));
    }

    [BackendFact(Needs.RichSemaphores)]
    public void Taking_over_sets_it_anew()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore made = SystemSemaphore.CreateNew(key, 1, s_shared with { MaximumCount = 3 });
        using SystemSemaphore taken = SystemSemaphore.CreateOrReset(key, 5, s_shared with { MaximumCount = 5 });
        using SystemSemaphore opened = SystemSemaphore.OpenExisting(key, s_shared);
        Assert.Equal(NativeIpcError.OutOfResources, ErrorOf(() => opened.Release()));
        opened.Acquire();
        opened.Release();
    }

    [BackendFact(Needs.RichSemaphores)]
    public void It_is_kept_beside_records_and_refused_beside_Robust()
    {
        NativeIpcKey key = NextKey();
        SystemSemaphoreOptions recorded = s_shared with { Recording = PermitRecording.Process };
        using SystemSemaphore made = SystemSemaphore.CreateNew(key, 2, recorded with { MaximumCount = 2 });
        using SystemSemaphore opened = SystemSemaphore.OpenExisting(key, recorded);
        Assert.Equal(NativeIpcError.OutOfResources, ErrorOf(() => opened.Release()));
        opened.Acquire();
        opened.Release();
        Assert.Throws<ArgumentException>(
            () => SystemSemaphore.CreateNew(NextKey(), 1, s_shared with { Robust = true }));
        Assert.Throws<PlatformNotSupportedException>(
            () => SystemSemaphore.CreateNew(NativeIpcKey.Parse("systemv:/tmp/nobody"), 1, s_shared));
    }

    [BackendFact(Needs.RichSemaphores)]
    public void A_release_tells_the_count_before()
    {
        foreach (int? maximum in (int?[])[null, 10])
        {
            using SystemSemaphore semaphore =
                SystemSemaphore.CreateNew(NextKey(), 2, new() { MaximumCount = maximum });
            for (int use = 0; use < 40; use++) // also after the direct way has opened
            {
                semaphore.Release(3, out int before);
                Assert.Equal(2, before);
                for (int i = 0; i < 3; i++) semaphore.Acquire();
            }

            Assert.Throws<ArgumentOutOfRangeException>(() => semaphore.Release(0, out _));
        }
    }

    [BackendFact(Needs.RichSemaphores)]
    public void Counts_before_are_exact_while_others_release()
    {
        const int threads = 3, each = 2000;
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(NextKey(), 0);
        var seen = new int[threads * each];
        var running = new Thread[threads];
        for (int thread = 0; thread < threads; thread++)
        {
            running[thread] = new Thread(() =>
            {
                for (int i = 0; i < each; i++)
                {
                    semaphore.Release(1, out int before);
                    Interlocked.Increment(ref seen[before]);
                }
            });
            running[thread].Start();
        }

        foreach (Thread one in running) one.Join();
        Assert.All(seen, times => Assert.Equal(1, times)); // each count once
    }
}
