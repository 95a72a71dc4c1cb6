using NativeIpc.Interop.Unix;
using Xunit;

namespace NativeIpc.Conformance;

/// <summary>What is special about System V semaphores (mission D3).</summary>
public abstract class UndoTests<TProvider> : ConformanceTests<TProvider>
    where TProvider : SystemVProvider, new()
{
    [Theory]
    [InlineData("none")]
    [InlineData("acquire")]
    public void A_producer_of_40000_that_ends_before_the_consumer_has_drained_loses_nothing(string undo)
    {
        // In portions, since the count itself ends at 32,767.
        NativeIpcKey key = NextKey();
        using SystemSemaphore consumer = SystemSemaphore.CreateNew(key, 0, new() { Undo = SystemVUndoPolicy.None });
        PeerProcess producer = Peer();
        producer.Ask($"sem open s {key} undo={undo}");
        producer.Ask("sem produce s 30000");
        int taken = 0;
        for (; taken < 20_000; taken++) Assert.True(consumer.TryAcquire());
        producer.Ask("sem produce s 10000");
        producer.Exit();
        while (consumer.TryAcquire()) taken++;
        Assert.Equal(40_000, taken);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Under_Both_the_releases_of_a_process_are_taken_back_when_it_ends(bool killed)
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 1);
        PeerProcess producer = Peer();
        producer.Ask($"sem open s {key} undo=both");
        producer.Ask("sem release s 5");
        Assert.Equal(6, Count(semaphore));
        if (killed) producer.Kill();
        else producer.Exit();
        Assert.Equal(1, Count(semaphore));
    }

    [Fact]
    public void Under_Both_a_producer_that_only_releases_fails_at_the_32768th_if_nobody_drains()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore consumer = SystemSemaphore.CreateNew(key, 0, new() { Undo = SystemVUndoPolicy.None });
        PeerProcess producer = Peer();
        producer.Ask($"sem open s {key} undo=both");
        producer.Post("sem produce s 40000");
        Assert.StartsWith("OutOfResources 32767 were given", producer.FailureLine(), StringComparison.Ordinal);
    }

    [Fact]
    public void Under_Both_a_producer_that_only_releases_fails_though_others_drain_and_the_message_says_what_to_do()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore consumer = SystemSemaphore.CreateNew(key, 0, new() { Undo = SystemVUndoPolicy.None });
        PeerProcess producer = Peer();
        producer.Ask($"sem open s {key} undo=both");
        producer.Ask("sem produce s 20000");
        for (int i = 0; i < 20_000; i++) Assert.True(consumer.TryAcquire());
        producer.Post("sem produce s 20000");
        string failure = producer.FailureLine();
        // The kernel's record goes to -32,768
        Assert.StartsWith("OutOfResources 12768 were given", failure, StringComparison.Ordinal);
        Assert.Contains("AcquireOnly", failure, StringComparison.Ordinal);
        Assert.Equal(12_768, Count(consumer));
    }

    [Theory]
    [InlineData("both", 1)]
    [InlineData("acquire", 1)]
    [InlineData("none", 0)]
    public void A_killed_holder_gives_its_permit_back_under_Both_and_AcquireOnly(string undo, int expected)
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 1);
        PeerProcess holder = Peer();
        holder.Ask($"sem open s {key} undo={undo}");
        holder.Ask("sem acquire s");
        Assert.Equal(0, Count(semaphore));
        holder.Kill();
        Assert.Equal(expected, Count(semaphore));
    }

    [Fact]
    public void A_killed_holder_lets_a_waiter_in()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 1);
        PeerProcess holder = Peer();
        holder.Ask($"sem open s {key}");
        holder.Ask("sem acquire s");
        PeerProcess waiter = Peer();
        waiter.Ask($"sem open s {key}");
        waiter.Post("sem acquire s");
        waiter.Await("acquiring");
        holder.Kill();
        waiter.Answer();
    }

    [Fact]
    public void Disposing_takes_nothing_back()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 5);
        using (SystemSemaphore other = SystemSemaphore.OpenExisting(key))
        {
            other.Acquire();
            other.Acquire();
            other.Release();
        }

        Assert.Equal(4, Count(semaphore));
    }

    [Fact]
    public void Resetting_clears_what_the_kernel_would_take_back()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 5);
        PeerProcess holder = Peer();
        holder.Ask($"sem open s {key}");
        holder.Ask("sem acquire s 3");
        using SystemSemaphore reset = SystemSemaphore.CreateOrReset(key, 10, new() { Removal = RemovalPolicy.Keep });
        holder.Exit();
        Assert.Equal(10, Count(semaphore));
    }

    [Fact]
    public void A_removed_set_is_made_anew_by_an_instance_with_an_initial_count()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 3);
        string before = semaphore.ObjectIdentity;
        semaphore.Acquire();
        Assert.True(SystemSemaphore.Remove(key));
        semaphore.Acquire();
        Assert.NotEqual(before, semaphore.ObjectIdentity);
        Assert.Equal(2, Count(semaphore));
        Assert.Equal("opened", Peer().Ask($"sem open s {key}"));
    }

    [Fact]
    public void A_release_into_a_removed_set_makes_it_anew_and_adds_to_its_initial_count()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 3);
        semaphore.Acquire();
        Assert.True(SystemSemaphore.Remove(key));
        semaphore.Release();
        Assert.Equal(4, Count(semaphore));
        Assert.Equal("opened", Peer().Ask($"sem open s {key}"));
    }

    [Fact]
    public void What_was_made_anew_is_removed_by_who_made_it()
    {
        NativeIpcKey key = NextKey();
        using (SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 3))
        {
            Assert.True(SystemSemaphore.Remove(key));
            semaphore.Release();
            Assert.True(Backend.SemaphoreExists(key));
        }

        Assert.False(Backend.AnythingExists(key));
    }

    [Fact]
    public void Of_two_that_make_a_removed_set_anew_both_use_the_same()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 3);
        PeerProcess peer = Peer();
        peer.Ask($"sem createoropen s {key} 8");
        Assert.True(SystemSemaphore.Remove(key));
        peer.Ask("sem acquire s");
        Assert.Equal(7, Count(semaphore));
        Assert.Equal(peer.Ask("sem id s"), semaphore.ObjectIdentity);
    }

    [Fact]
    public void A_removed_set_is_reported_by_an_instance_that_only_opened_it()
    {
        NativeIpcKey key = NextKey();
        SystemSemaphore.CreateNew(key, 3, new() { Removal = RemovalPolicy.Keep }).Dispose();
        using SystemSemaphore semaphore = SystemSemaphore.OpenExisting(key);
        Assert.True(SystemSemaphore.Remove(key));
        foreach (Action use in new Action[] { () => semaphore.Acquire(), () => semaphore.TryAcquire(),
            () => semaphore.Release(), () => semaphore.TryGetCurrentCount(out _) })
        {
            NativeIpcException failure = Assert.Throws<NativeIpcException>(use);
            Assert.Equal(NativeIpcError.NotFound, failure.Error);
            Assert.Contains("removed while in use", failure.Message, StringComparison.Ordinal);
        }

        Assert.False(Backend.AnythingExists(key));
    }

    [Fact]
    public void A_waiter_on_a_removed_set_is_told_or_makes_it_anew()
    {
        NativeIpcKey key = NextKey();
        SystemSemaphore.CreateNew(key, 0, new() { Removal = RemovalPolicy.Keep }).Dispose();
        PeerProcess opened = Peer();
        opened.Ask($"sem open s {key}");
        PeerProcess maker = Peer();
        maker.Ask($"sem createoropen s {key} 1");
        foreach (PeerProcess peer in new[] { opened, maker })
        {
            peer.Post("sem acquire s");
            peer.Await("acquiring");
        }

        Assert.True(SystemSemaphore.Remove(key));
        Assert.Equal("NotFound", opened.Failure());
        maker.Answer();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_set_whose_count_was_never_set_is_finished_by_a_creating_call(bool resets)
    {
        // Between semget and SETVAL, where a peer may have died.
        NativeIpcKey key = NextKey();
        Backend.MakeHalfCreatedSegment(key);
        int id = Libc.semget(SystemVProvider.Ftok(key), 1,
            Flags.IPC_CREAT | Flags.IPC_EXCL | (int)FileModes.Mode600);
        Assert.NotEqual(-1, id);
        Assert.Equal(NativeIpcError.AlreadyExists, ErrorOf(() => SystemSemaphore.CreateNew(key, 4)));
        using SystemSemaphore semaphore = resets
            ? SystemSemaphore.CreateOrReset(key, 4) : SystemSemaphore.CreateOrOpen(key, 4);
        // Its last process is told as 0 to another PID namespace: a count of 0 that a container set looks the same.
        bool isFinished = resets || new FileInfo("/proc/self/ns/pid").LinkTarget is "pid:[4026531836]" or null;
        Assert.Equal(isFinished ? 4 : 0, Count(semaphore));
        Assert.Equal(id.ToString(System.Globalization.CultureInfo.InvariantCulture), semaphore.ObjectIdentity);
        if (!resets) Assert.Equal(isFinished, semaphore.CreatedNew);
        SystemSemaphore.Remove(key);
    }

    [Fact]
    public void A_slow_peer_between_semget_and_SETVAL_keeps_its_count()
    {
        NativeIpcKey key = NextKey();
        Backend.MakeHalfCreatedSegment(key);
        int id = Libc.semget(SystemVProvider.Ftok(key), 1,
            Flags.IPC_CREAT | Flags.IPC_EXCL | (int)FileModes.Mode600);
        PeerProcess peer = Peer();
        peer.Ask($"sem open s {key}");
        Assert.Equal(0, Libc.semctl(id, 0, Flags.SETVAL, 2));
        Assert.Equal("true", peer.Ask("sem tryacquire s"));
        using SystemSemaphore semaphore = SystemSemaphore.CreateOrOpen(key, 9);
        Assert.Equal(1, Count(semaphore));
        Assert.False(semaphore.CreatedNew);
        SystemSemaphore.Remove(key);
    }

    [Fact]
    public void Only_semaphore_number_0_of_a_peers_set_is_used()
    {
        NativeIpcKey key = NextKey();
        Backend.MakeHalfCreatedSegment(key);
        int id = Libc.semget(SystemVProvider.Ftok(key), 3,
            Flags.IPC_CREAT | Flags.IPC_EXCL | (int)FileModes.Mode600);
        for (int i = 0; i < 3; i++) Assert.Equal(0, Libc.semctl(id, i, Flags.SETVAL, 10 + i));
        using SystemSemaphore semaphore = SystemSemaphore.CreateOrOpen(key, 1, new() { Removal = RemovalPolicy.Keep });
        semaphore.Acquire();
        Assert.Equal([9, 11, 12], Enumerable.Range(0, 3).Select(i => Libc.semctl(id, i, Flags.GETVAL)));
        SystemSemaphore.CreateOrReset(key, 4, new() { Removal = RemovalPolicy.Keep }).Dispose();
        Assert.Equal([4, 11, 12], Enumerable.Range(0, 3).Select(i => Libc.semctl(id, i, Flags.GETVAL)));
    }

    [Fact]
    public void A_set_made_here_looks_initialised_to_C_programs()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 2);
        unsafe
        {
            byte* buffer = stackalloc byte[Layout.SizeOfIpcBuffer];
            Assert.Equal(0, Libc.semctl(SystemVProvider.SemaphoreId(key), 0, Flags.IPC_STAT,
                (nint)buffer));
            Assert.NotEqual(0, *(long*)(buffer + Layout.SemOtime));
        }
    }

    private static int Count(SystemSemaphore semaphore)
    {
        Assert.True(semaphore.TryGetCurrentCount(out int count));
        return count;
    }
}
