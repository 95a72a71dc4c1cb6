using System.Diagnostics;
using NativeIpc.Inspection;
using NativeIpc.Posix.Permits;
using NativeIpc.Posix.Words;
using Xunit;

namespace NativeIpc.Conformance;

/// <summary>Permits that are recorded are given back when their holder was killed, each once, whenever it died (POSIX;
/// the points are those that PermitRecords lists).</summary>
public abstract class PermitRecordTests<TProvider> : ConformanceTests<TProvider>
    where TProvider : Provider, new()
{
    private const int Sigstop = 19;

    private static readonly SystemSemaphoreOptions s_recorded = new() { Recording = PermitRecording.Process };

    [BackendFact(Needs.GlibcSemaphores)]
    public void What_a_killed_holder_recorded_is_given_back_once_and_what_others_hold_is_not()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 10);
        PeerProcess victim = Holder(key, 3), living = Holder(key, 2), stopped = Holder(key, 1), plain = Peer();
        plain.Ask($"sem open s {key} keep");
        plain.Post("sem acquire s 1");
        plain.Await("acquiring");
        plain.Answer();
        stopped.Signal(Sigstop);
        plain.Kill();
        Assert.Equal((0, 0, 3), (Lost(key), SystemSemaphore.ReturnLostPermits(key), Count(semaphore)));
        victim.Kill();
        Assert.Equal(3, Lost(key));
        Assert.Equal(3, SystemSemaphore.ReturnLostPermits(key));
        Assert.Equal((0, 0, 6), (Lost(key), SystemSemaphore.ReturnLostPermits(key), Count(semaphore)));
        living.Ask("sem release s 2");
        living.Kill();
        Assert.Equal((0, 8), (SystemSemaphore.ReturnLostPermits(key), Count(semaphore)));
        stopped.Signal(PeerProcess.SIGKILL);
        stopped.WaitForEnd();
        // The plain one's is gone: nobody has recorded it
        Assert.Equal((1, 9), (SystemSemaphore.ReturnLostPermits(key), Count(semaphore)));
    }

    [BackendTheory(Needs.GlibcSemaphores)]
    [InlineData("record.claimed", 0)]
    [InlineData("record.entered", 0)]
    [InlineData("record.intended", 0)]
    [InlineData("record.changed", 1)]
    [InlineData("record.noted", 1)]
    [InlineData("record.unmarked", 1)]
    public void Killed_while_taking(string point, int taken)
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 5);
        PeerProcess victim = Peer();
        victim.Ask($"stopat {point}");
        victim.Post($"sem open s {key} keep recorded");
        if (point != "record.claimed")
        {
            victim.Answer();
            victim.Post("sem tryacquire s");
        }

        KillAt(victim, point);
        Assert.Equal(5 - taken, Count(semaphore));
        AssertMends(semaphore, taken, 5);
    }

    [BackendTheory(Needs.GlibcSemaphores)]
    [InlineData("record.entered", 2)]
    [InlineData("record.intended", 2)]
    [InlineData("record.changed", 0)]
    [InlineData("record.noted", 0)]
    [InlineData("record.unmarked", 0)]
    public void Killed_while_giving(string point, int left)
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 5);
        PeerProcess victim = Holder(key, 3);
        victim.Ask($"stopat {point}");
        victim.Post("sem release s 2");
        KillAt(victim, point);
        Assert.Equal(4 - left, Count(semaphore));
        AssertMends(semaphore, 1 + left, 5);
    }

    [BackendTheory(Needs.GlibcSemaphores)]
    [InlineData("record.mending", 2)]
    [InlineData("record.entered", 2)]
    [InlineData("record.intended", 2)]
    [InlineData("record.changed", 0)]
    [InlineData("record.noted", 0)]
    [InlineData("record.unmarked", 0)]
    public void Killed_while_mending(string point, int left)
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 5);
        PeerProcess victim = Holder(key, 2), mender = Peer();
        victim.Kill();
        mender.Ask($"stopat {point}");
        mender.Post($"sem mend {key}");
        mender.Await($"stopped {point}");
        Assert.Equal(0, SystemSemaphore.ReturnLostPermits(key)); // it lives, and has the dead one's record
        mender.Kill();
        Assert.Equal(5 - left, Count(semaphore));
        AssertMends(semaphore, left, 5);
    }

    [BackendTheory(Needs.GlibcSemaphores)]
    [InlineData("record.changed")]
    [InlineData("record.intended")]
    public void A_sleeper_that_a_killed_giver_did_not_wake_is_woken_by_the_next_mender(string point)
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 1);
        PeerProcess victim = Holder(key, 1), sleeper = Peer();
        sleeper.Ask($"sem open s {key} keep");
        sleeper.Post("sem acquire s");
        sleeper.Await("acquiring");
        victim.Ask($"stopat {point}");
        victim.Post("sem release s");
        KillAt(victim, point);
        SystemSemaphore.ReturnLostPermits(key);
        sleeper.Answer();
        Assert.Equal(0, Count(semaphore));
    }

    [BackendFact(Needs.GlibcSemaphores)]
    public void Who_is_suspended_in_the_middle_of_taking_holds_up_takers_that_record_and_nobody_else()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore plain = SystemSemaphore.CreateNew(key, 5);
        using SystemSemaphore recorded = SystemSemaphore.OpenExisting(key, s_recorded);
        recorded.Acquire();
        PeerProcess victim = Peer();
        victim.Ask("stopat record.changed");
        victim.Ask($"sem open s {key} keep recorded");
        victim.Post("sem tryacquire s");
        victim.Await("stopped record.changed");
        Assert.True(plain.TryAcquire());
        plain.Release();
        long started = Stopwatch.GetTimestamp();
        Assert.False(recorded.TryAcquire(TimeSpan.FromMilliseconds(100)));
        Assert.True(Stopwatch.GetElapsedTime(started) >= TimeSpan.FromMilliseconds(100));
        recorded.Release(); // past the journal
        Assert.Equal(4, Count(plain));
        Assert.Equal(0, SystemSemaphore.ReturnLostPermits(key));
        victim.Kill();
        Assert.True(recorded.TryAcquire());
        recorded.Release();
        AssertMends(plain, 1, 5);
    }

    [BackendFact(Needs.GlibcSemaphores)]
    public void A_waiter_that_records_gets_the_permit_of_a_holder_that_is_killed_meanwhile()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 1);
        PeerProcess victim = Holder(key, 1), waiter = Peer();
        waiter.Ask($"sem open s {key} keep recorded");
        waiter.Post("sem acquire s");
        waiter.Await("acquiring");
        victim.Kill();
        waiter.Answer();
        waiter.Ask("sem release s");
        Assert.Equal(1, Count(semaphore));
    }

    [BackendFact(Needs.GlibcSemaphores)]
    public async Task An_awaiting_one_gets_it_too()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 1, s_recorded);
        PeerProcess victim = Holder(key, 1);
        ValueTask waiting = semaphore.AcquireAsync(Cancellation);
        victim.Kill();
        await waiting.AsTask().WaitAsync(s_watchdog, Cancellation);
        semaphore.Release();
        Assert.Equal(1, Count(semaphore));
    }

    [BackendFact(Needs.GlibcSemaphores)]
    public void Of_many_menders_at_once_one_gives_each_permit_back()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 20);
        PeerProcess[] victims = [Holder(key, 1), Holder(key, 2), Holder(key, 4)];
        foreach (PeerProcess victim in victims) victim.Kill();
        int given = 0;
        using var start = new Barrier(8);
        Finish([.. Enumerable.Range(0, 8).Select(_ => Start(() =>
        {
            start.SignalAndWait(Cancellation);
            Interlocked.Add(ref given, SystemSemaphore.ReturnLostPermits(key));
        }))]);
        given += SystemSemaphore.ReturnLostPermits(key); // one may have given up on a record that another one had
        Assert.Equal((7, 20), (given, Count(semaphore)));
    }

    [BackendFact(Needs.GlibcSemaphores)]
    public void A_semaphore_that_was_made_anew_or_reset_has_lost_nothing()
    {
        NativeIpcKey key = NextKey();
        SystemSemaphore.CreateNew(key, 5, new() { Removal = RemovalPolicy.Keep }).Dispose();
        Holder(key, 2).Kill();
        Assert.Equal(2, Lost(key));
        using (SystemSemaphore reset = SystemSemaphore.CreateOrReset(key, 5, new() { Removal = RemovalPolicy.Keep }))
            Assert.Equal(5, Count(reset));
        Assert.Equal((0, 0), (Lost(key), SystemSemaphore.ReturnLostPermits(key)));
        Holder(key, 2).Kill();
        SystemSemaphore.Remove(key);
        Assert.Equal(0, SystemSemaphore.ReturnLostPermits(key));
        using SystemSemaphore anew = SystemSemaphore.CreateNew(key, 5);
        Assert.Equal((0, 0, 5), (Lost(key), SystemSemaphore.ReturnLostPermits(key), Count(anew)));
    }

    [BackendFact(Needs.GlibcSemaphores)]
    public void What_an_instance_still_holds_when_it_is_disposed_is_lost()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 2);
        using (SystemSemaphore holder = SystemSemaphore.OpenExisting(key, s_recorded)) holder.Acquire();
        AssertMends(semaphore, 1, 2);
    }

    [BackendFact(Needs.GlibcSemaphores)]
    public void More_instances_than_there_are_records_work_without()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 1000);
        List<SystemSemaphore> instances = [];
        try
        {
            for (int i = 0; i < PermitRecords.Count + 3; i++)
            {
                instances.Add(SystemSemaphore.OpenExisting(key, s_recorded));
                Assert.True(instances[i].TryAcquire());
            }

            Assert.Equal(0, Lost(key));
            for (int i = PermitRecords.Count; i < instances.Count; i++) instances[i].Release();
        }
        finally
        {
            foreach (SystemSemaphore instance in instances) instance.Dispose();
        }

        AssertMends(semaphore, PermitRecords.Count, 1000);
    }

    [BackendFact(Needs.GlibcSemaphores)]
    public void Threads_of_one_instance_and_peers_that_do_not_record_keep_the_count()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore recorded = SystemSemaphore.CreateNew(key, 2, s_recorded);
        using SystemSemaphore other = SystemSemaphore.OpenExisting(key, s_recorded);
        using SystemSemaphore plain = SystemSemaphore.OpenExisting(key);
        Finish([.. new[] { recorded, recorded, other, plain }.Select(semaphore => Start(() =>
        {
            for (int i = 0; i < 1000; i++)
            {
                semaphore.Acquire();
                semaphore.Release();
            }
        }))]);
        Assert.Equal((0, 0, 2), (Lost(key), SystemSemaphore.ReturnLostPermits(key), Count(plain)));
    }

    [BackendFact(Needs.GlibcSemaphores)]
    public void Whenever_they_are_killed_no_permit_is_lost_and_none_is_added()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 3);
        using SystemSemaphore recorded = SystemSemaphore.OpenExisting(key, s_recorded);
        PeerProcess survivor = Churner(key);
        for (int kill = 0; kill < 12; kill++)
        {
            PeerProcess victim = Churner(key);
            for (int i = 0; i < 50 * kill; i++)
            {
                Assert.True(recorded.TryAcquire(s_watchdog, Cancellation));
                recorded.Release();
            }

            victim.Kill();
        }

        survivor.Kill();
        int given = SystemSemaphore.ReturnLostPermits(key);
        Assert.InRange(given, 0, 3);
        Assert.Equal((0, 3), (Lost(key), Count(semaphore)));
    }

    [BackendFact(Needs.GlibcSemaphores)]
    public void What_cannot_be_recorded_is_refused()
    {
        NativeIpcKey key = NextKey();
        Assert.Throws<ArgumentException>(() => SystemSemaphore.CreateNew(key, 1, s_recorded with { Robust = true }));
        Assert.Throws<ArgumentException>(
            () => SystemSemaphore.CreateNew(key, 1, new()
            {
                Recording = PermitRecording.ProcessAndChildren,
                Removal = RemovalPolicy.LastOneOut,
            }));
        Assert.Throws<ArgumentException>(
            () => SystemSemaphore.CreateNew(key, 1, new() { Recording = (PermitRecording)3 }));
        Assert.Throws<PlatformNotSupportedException>(
            () => SystemSemaphore.CreateNew(NativeIpcKey.Parse("systemv:/tmp/nobody"), 1, s_recorded));
        Assert.False(SystemSemaphore.IsPermitRecordingSupported(NativeIpcKeyType.SystemV));
        Assert.Equal(0, SystemSemaphore.ReturnLostPermits(key)); // there is none
        File.WriteAllText(PosixProvider.SemaphoreFileOf(key), "no semaphore");
        Assert.Equal(NativeIpcError.KeyError, ErrorOf(() => SystemSemaphore.ReturnLostPermits(key)));
    }

    /// <summary>A process that holds permits of it, and records them.</summary>
    private PeerProcess Holder(in NativeIpcKey key, int permits)
    {
        PeerProcess holder = Peer();
        holder.Ask($"sem open s {key} keep recorded");
        holder.Post($"sem acquire s {permits}");
        holder.Await("acquiring");
        holder.Answer();
        return holder;
    }

    private PeerProcess Churner(in NativeIpcKey key)
    {
        PeerProcess churner = Peer();
        churner.Ask($"sem open s {key} keep recorded");
        churner.Post("sem churn s");
        churner.Await("acquiring");
        return churner;
    }

    private static void KillAt(PeerProcess victim, string point)
    {
        victim.Await($"stopped {point}");
        victim.Kill();
    }

    private static int Count(SystemSemaphore semaphore)
    {
        Assert.True(semaphore.TryGetCurrentCount(out int count));
        return count;
    }

    private static int? Lost(in NativeIpcKey key)
        => IpcObjects.Inspect(key, IpcObjectKind.SystemSemaphore)?.LostPermits;

    /// <summary>So many are lost, others can still take and record, and mending gives the count that there
    /// was.</summary>
    private static void AssertMends(SystemSemaphore semaphore, int lost, int count)
    {
        Assert.Equal(lost, Lost(semaphore.Key));
        Assert.Equal(lost, SystemSemaphore.ReturnLostPermits(semaphore.Key));
        Assert.Equal((0, 0, count), (Lost(semaphore.Key), SystemSemaphore.ReturnLostPermits(semaphore.Key),
            Count(semaphore)));
        using SystemSemaphore next = SystemSemaphore.OpenExisting(semaphore.Key, s_recorded);
        Assert.True(next.TryAcquire());
        next.Release();
        Assert.Equal(count, Count(semaphore));
        Assert.Equal(0u, Word(semaphore.Key).Mark);
    }

    private static GlibcSemaphore.Word Word(in NativeIpcKey key)
        => new(BitConverter.ToUInt64(File.ReadAllBytes(PosixProvider.SemaphoreFileOf(key))));
}
