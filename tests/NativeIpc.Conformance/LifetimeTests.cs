using Xunit;

namespace NativeIpc.Conformance;

public static class LifetimeCases
{
    /// <summary>In which order one, two or three processes let go.</summary>
    public static TheoryData<string> Orders =>
    [
        "maker", "maker first", "first maker",
        "maker first second", "maker second first", "first maker second", "second maker first", "first second maker",
        "second first maker",
    ];

    /// <summary>How a process ends normally.</summary>
    public static TheoryData<string> Ends
        => OperatingSystem.IsWindows() ? ["exit", "quit"] : ["exit", "quit", .. s_signals];

    /// <summary>Without what disposes.</summary>
    public static TheoryData<string> EndsWithoutDispose
        => OperatingSystem.IsWindows() ? ["exit"] : ["exit", .. s_signals];

    /// <summary>What ends a process that reads no commands.</summary>
    public static TheoryData<string> Signals => [.. s_signals];

    private static readonly string[] s_signals = ["SIGTERM", "SIGINT", "SIGHUP"];
}

/// <summary>Who removes what, and when (mission C4, D2).</summary>
public abstract class LifetimeTests<TProvider> : ConformanceTests<TProvider>
    where TProvider : Provider, new()
{
    private const string Maker = "maker";

    // ---- Orders of letting go: the maker, one or two that opened, in every order.

    [Theory]
    [MemberData(nameof(LifetimeCases.Orders), MemberType = typeof(LifetimeCases))]
    public void A_segment_is_gone_when_all_have_let_go_in_whatever_order(string order)
    {
        NativeIpcKey key = NextKey();
        Dictionary<string, PeerProcess> peers = StartAll(order, maker => $"shm create a {key} 100",
            other => $"shm open a {key} rw");
        bool makerIsGone = false;
        int left = peers.Count;
        foreach (string who in order.Split(' '))
        {
            peers[who].Ask("shm close a");
            makerIsGone |= who == Maker;
            left--;

            // POSIX: the name goes with its maker. System V and Windows: with the last one.
            bool expected = left > 0 && !(Backend.IsPosix && makerIsGone);
            Assert.Equal(expected, Backend.SegmentExists(key));
            foreach (string remaining in order.Split(' ')[^left..])
            {
                peers[remaining].Ask("shm write a 0 01");
                Assert.Equal("01", peers[remaining].Ask("shm read a 0 1"));
            }
        }

        Assert.False(Backend.AnythingExists(key));
    }

    [Theory]
    [MemberData(nameof(LifetimeCases.Orders), MemberType = typeof(LifetimeCases))]
    public void A_segment_with_its_lock_is_gone_when_all_have_let_go_in_whatever_order(string order)
    {
        NativeIpcKey key = NextKey();
        Dictionary<string, PeerProcess> peers = StartAll(order, maker => $"shm create a {key} 100",
            other => $"shm open a {key} rw");
        foreach (PeerProcess peer in peers.Values) peer.Ask("shm add a 0 10");
        string[] names = order.Split(' ');
        for (int i = 0; i < names.Length; i++)
        {
            peers[names[i]].Ask("shm close a");

            // The remaining ones go on with the lock that all of them have.
            foreach (string remaining in names[(i + 1)..]) peers[remaining].Ask("shm add a 0 10");
        }

        Assert.False(Backend.AnythingExists(key));
    }

    [Theory]
    [MemberData(nameof(LifetimeCases.Orders), MemberType = typeof(LifetimeCases))]
    public void A_semaphore_goes_with_its_maker(string order)
    {
        NativeIpcKey key = NextKey();
        Dictionary<string, PeerProcess> peers = StartAll(order, maker => $"sem create a {key} 1",
            other => $"sem open a {key}");
        bool makerIsGone = false;
        int left = peers.Count;
        foreach (string who in order.Split(' '))
        {
            peers[who].Ask("sem close a");
            makerIsGone |= who == Maker;
            left--;
            Assert.Equal(Backend.OutlivesProcesses ? !makerIsGone : left > 0, Backend.SemaphoreExists(key));
        }

        Assert.False(Backend.AnythingExists(key));
    }

    [BackendFact(Needs.SettableCount)]
    public void A_semaphore_goes_with_who_took_it_over()
    {
        NativeIpcKey key = NextKey();
        SystemSemaphore.CreateNew(key, 1, new() { Removal = RemovalPolicy.Keep }).Dispose();
        Assert.True(Backend.SemaphoreExists(key));
        SystemSemaphore.CreateOrReset(key, 1).Dispose();
        Assert.False(Backend.SemaphoreExists(key));
        if (Backend.IsSystemV) Assert.True(File.Exists(key.NativeKey)); // only the file's maker removes it
    }

    [BackendFact(Needs.Leftovers)]
    public void Who_only_opened_a_semaphore_does_not_remove_it()
    {
        NativeIpcKey key = NextKey();
        SystemSemaphore.CreateNew(key, 3, new() { Removal = RemovalPolicy.Keep }).Dispose();
        SystemSemaphore.OpenExisting(key).Dispose();
        SystemSemaphore.CreateOrOpen(key, 1).Dispose();
        PeerProcess peer = Peer();
        peer.Ask($"sem open s {key}");
        peer.Exit();
        Assert.True(Backend.SemaphoreExists(key));
        Assert.True(SystemSemaphore.Remove(key));
        Assert.False(Backend.AnythingExists(key));
    }

    [BackendFact(Needs.Leftovers)]
    public void An_existing_attachment_goes_on_after_Remove_and_a_new_segment_can_be_made()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory old = SharedMemory.CreateNew(key, 100);
        old.Span[0] = 1;
        Assert.True(SharedMemory.Remove(key));
        Assert.False(SharedMemory.Remove(key));
        Assert.Equal(NativeIpcError.NotFound, ErrorOf(() => SharedMemory.OpenExisting(key)));
        Assert.Equal(1, old.Span[0]);
        using SharedMemory next = SharedMemory.CreateNew(key, 200);
        Assert.Equal(0, next.Span[0]);
        Assert.NotEqual(old.ObjectIdentity, next.ObjectIdentity);
        Assert.Equal("200 opened", Peer().Ask($"shm open a {key} rw"));
    }

    [BackendFact(Needs.Leftovers)]
    public void Remove_says_false_when_there_is_none()
    {
        NativeIpcKey key = NextKey();
        Assert.False(SharedMemory.Remove(key));
        Assert.False(SystemSemaphore.Remove(key));
        Assert.Equal("false", Peer().Ask($"shm remove {key}"));
    }

    [BackendFact(Needs.NoLeftovers)]
    public void Remove_is_not_supported_where_the_system_removes()
    {
        NativeIpcKey key = NextKey();
        Assert.Throws<PlatformNotSupportedException>(() => SharedMemory.Remove(key));
        Assert.Throws<PlatformNotSupportedException>(() => SystemSemaphore.Remove(key));
    }

    // ---- Keep

    [BackendFact(Needs.Leftovers)]
    public void Under_Keep_a_segment_and_its_bytes_stay_until_Remove()
    {
        NativeIpcKey key = NextKey();
        using (SharedMemory segment = SharedMemory.CreateNew(key, 100, new() { Removal = RemovalPolicy.Keep }))
        {
            segment.Span[9] = 99;
            segment.Lock().Dispose();
        }

        PeerProcess peer = Peer();
        peer.Ask($"shm open a {key} rw keep");
        Assert.Equal("63", peer.Ask("shm read a 9 1"));
        peer.Quit();
        Assert.True(Backend.SegmentExists(key));
        Assert.True(SharedMemory.Remove(key));
        Assert.False(Backend.AnythingExists(key));
    }

    [BackendFact(Needs.Leftovers)]
    public void Under_Keep_a_semaphore_and_its_count_stay_until_Remove()
    {
        NativeIpcKey key = NextKey();
        using (SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 5, new() { Removal = RemovalPolicy.Keep }))
            semaphore.Acquire();
        using (SystemSemaphore semaphore = SystemSemaphore.OpenExisting(key))
        {
            for (int i = 0; i < 4; i++) Assert.True(semaphore.TryAcquire());
            Assert.False(semaphore.TryAcquire());
        }

        SystemSemaphore.CreateOrReset(key, 2, new() { Removal = RemovalPolicy.Keep }).Dispose();
        Assert.True(SystemSemaphore.Remove(key));
        Assert.False(Backend.AnythingExists(key));
    }

    [BackendFact(Needs.SystemV)]
    public void Whoever_attached_last_with_the_default_policy_removes_a_System_V_segment_that_was_kept()
    {
        NativeIpcKey key = NextKey();
        SharedMemory.CreateNew(key, 100, new() { Removal = RemovalPolicy.Keep }).Dispose();
        SharedMemory.OpenExisting(key).Dispose();
        Assert.False(Backend.AnythingExists(key));
    }

    // ---- Key files

    [BackendFact(Needs.SystemV)]
    public void A_key_file_that_holds_data_is_never_deleted()
    {
        NativeIpcKey key = NextKey();
        File.WriteAllText(key.NativeKey, "data");
        using (SharedMemory segment = SharedMemory.CreateNew(key, 100)) segment.Lock().Dispose();
        SystemSemaphore.CreateNew(key, 1).Dispose();
        SystemSemaphore.CreateOrReset(key, 1).Dispose();
        SharedMemory.CreateNew(key, 100, new() { Removal = RemovalPolicy.Keep }).Dispose();
        Assert.True(SharedMemory.Remove(key));
        Assert.False(Backend.SegmentExists(key));
        Assert.False(Backend.SemaphoreExists(key));
        Assert.Equal("data", File.ReadAllText(key.NativeKey));
    }

    [BackendFact(Needs.SystemV)]
    public void A_folder_serves_as_a_key_file_and_stays()
    {
        NativeIpcKey key = NextKey();
        Directory.CreateDirectory(key.NativeKey);
        using (SharedMemory segment = SharedMemory.CreateNew(key, 100))
        {
            segment.Lock().Dispose();
            PeerProcess peer = Peer();
            Assert.Equal("100 opened", peer.Ask($"shm open a {key} rw"));
            peer.Ask("shm close a");
        }

        SystemSemaphore.CreateNew(key, 1).Dispose();
        Assert.True(Directory.Exists(key.NativeKey));
    }

    [BackendFact(Needs.SystemV)]
    public void The_executable_serves_as_the_key_file_of_a_segment_and_a_semaphore_with_Keep()
    {
        string executable = Names.TrackPath(Path.Combine(TestNames.Folder, TestNames.NextName()));
        File.Copy(PeerProcess.Program, executable);
        long length = new FileInfo(executable).Length;
        NativeIpcKey key = Names.Track(new NativeIpcKey(executable, Backend.Type));
        using (SharedMemory segment = SharedMemory.CreateNew(key, 100,
            new() { Removal = RemovalPolicy.Keep, UseLock = false }))
        using (SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 1, new() { Removal = RemovalPolicy.Keep }))
        {
            PeerProcess peer = Peer();
            peer.Ask($"shm open a {key} rw keep nolock");
            peer.Ask($"sem open s {key} keep");
            peer.Ask("sem acquire s");
            Assert.False(semaphore.TryAcquire());
            peer.Quit();
        }

        Assert.True(Backend.SegmentExists(key));
        Assert.True(Backend.SemaphoreExists(key));
        Assert.True(SystemSemaphore.Remove(key));
        Assert.True(SharedMemory.Remove(key));
        Assert.Equal(length, new FileInfo(executable).Length);
    }

    [BackendFact(Needs.SystemV)]
    public void A_key_file_shared_by_a_segment_and_a_semaphore_goes_with_the_last_of_them()
    {
        // The segment without a lock, which would be the same semaphore.
        NativeIpcKey key = NextKey();
        SharedMemory segment = SharedMemory.CreateNew(key, 100,
            new() { UseLock = false, Removal = RemovalPolicy.Keep });
        SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 1, new() { Removal = RemovalPolicy.Keep });
        segment.Dispose();
        semaphore.Dispose();
        Assert.True(SystemSemaphore.Remove(key));
        Assert.True(File.Exists(key.NativeKey));
        Assert.True(Backend.SegmentExists(key));
        Assert.True(SharedMemory.Remove(key));
        Assert.False(File.Exists(key.NativeKey));
    }

    [BackendFact(Needs.SystemV)]
    public void A_key_file_is_made_empty_and_readable_for_those_who_may_write_the_object()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 100,
            new() { Mode = FileModes.Mode660 });
        Assert.Equal(0, new FileInfo(key.NativeKey).Length);
        Assert.Equal("640", Convert.ToString((int)File.GetUnixFileMode(key.NativeKey), 8));
    }

    // ---- Another's object under the same name

    [BackendFact(Needs.Leftovers | Needs.ComparedNames)]
    public void Anothers_segment_under_the_same_name_is_not_removed_on_Dispose()
    {
        NativeIpcKey key = NextKey();
        SharedMemory old = SharedMemory.CreateNew(key, 100);
        Assert.True(SharedMemory.Remove(key));
        PeerProcess peer = Peer();
        peer.Ask($"shm create a {key} 300");
        peer.Ask("shm add a 0 1");
        old.Dispose();
        using SharedMemory found = SharedMemory.OpenExisting(key);
        Assert.Equal(300, found.Size);
        Assert.True(Backend.LockExists(key));
    }

    [BackendFact(Needs.Leftovers | Needs.ComparedNames)]
    public void Anothers_semaphore_under_the_same_name_is_not_removed_on_Dispose()
    {
        NativeIpcKey key = NextKey();
        SystemSemaphore old = SystemSemaphore.CreateNew(key, 1);
        Assert.True(SystemSemaphore.Remove(key));
        PeerProcess peer = Peer();
        peer.Ask($"sem create s {key} 7");
        old.Dispose();
        using SystemSemaphore found = SystemSemaphore.OpenExisting(key);
        Assert.Equal(peer.Ask("sem id s"), found.ObjectIdentity);
    }

    // ---- The end of the process

    [Theory]
    [MemberData(nameof(LifetimeCases.Ends), MemberType = typeof(LifetimeCases))]
    public void A_normal_end_without_Dispose_leaves_nothing(string end)
    {
        NativeIpcKey[] keys = [NextKey(), NextKey(), NextKey()];
        PeerProcess peer = Peer();
        peer.Ask($"shm create a {keys[0]} 100");
        peer.Ask("shm add a 0 1"); // with a lock
        peer.Ask($"shm create b {keys[1]} 100");
        peer.Ask($"sem create s {keys[2]} 1");
        End(peer, end);
        foreach (NativeIpcKey key in keys) Assert.False(Backend.AnythingExists(key));
    }

    [Theory]
    [MemberData(nameof(LifetimeCases.Ends), MemberType = typeof(LifetimeCases))]
    public void A_normal_end_while_it_holds_its_own_lock_leaves_nothing(string end)
    {
        NativeIpcKey key = NextKey();
        PeerProcess peer = Peer();
        peer.Ask($"shm create a {key} 100");
        peer.Ask("shm lock a");
        End(peer, end);
        Assert.False(Backend.AnythingExists(key));
    }

    [BackendTheory(Needs.Signals)]
    [MemberData(nameof(LifetimeCases.Signals), MemberType = typeof(LifetimeCases))]
    public void A_normal_end_while_a_thread_waits_leaves_nothing(string end)
    {
        NativeIpcKey key = NextKey();
        PeerProcess peer = Peer();
        peer.Ask($"sem create s {key} 0");
        peer.Post("sem acquire s");
        peer.Await("acquiring");
        End(peer, end);
        Assert.False(Backend.AnythingExists(key));
    }

    [BackendTheory(Needs.Leftovers)]
    [MemberData(nameof(LifetimeCases.Ends), MemberType = typeof(LifetimeCases))]
    public void A_normal_end_leaves_everything_under_Keep(string end)
    {
        NativeIpcKey segment = NextKey();
        NativeIpcKey semaphore = NextKey();
        PeerProcess peer = Peer();
        peer.Ask($"shm create a {segment} 100 keep");
        peer.Ask("shm add a 0 1");
        peer.Ask($"sem create s {semaphore} 1 keep");
        End(peer, end);
        Assert.True(Backend.SegmentExists(segment));
        Assert.True(Backend.LockExists(segment));
        Assert.True(Backend.SemaphoreExists(semaphore));
    }

    [BackendTheory(Needs.Leftovers)]
    [MemberData(nameof(LifetimeCases.EndsWithoutDispose), MemberType = typeof(LifetimeCases))]
    public void A_normal_end_leaves_everything_without_RemoveAtProcessExit(string end)
    {
        NativeIpcKey segment = NextKey();
        NativeIpcKey semaphore = NextKey();
        PeerProcess peer = Peer();
        peer.Ask($"shm create a {segment} 100 noexit");
        peer.Ask($"sem create s {semaphore} 1 noexit");
        End(peer, end);
        Assert.True(Backend.SegmentExists(segment));
        Assert.True(Backend.SemaphoreExists(semaphore));
    }

    [BackendFact(Needs.SystemV)]
    public void The_end_of_one_process_leaves_a_System_V_segment_to_the_others()
    {
        NativeIpcKey key = NextKey();
        PeerProcess maker = Peer();
        maker.Ask($"shm create a {key} 100");
        using (SharedMemory segment = SharedMemory.OpenExisting(key))
        {
            maker.Signal(PeerProcess.SIGTERM);
            maker.WaitForEnd();
            Assert.True(Backend.SegmentExists(key));
            segment.Span[0] = 1;
        }

        Assert.False(Backend.AnythingExists(key));
    }

    [Fact]
    public void Two_instances_in_one_process_are_both_let_go_at_its_end()
    {
        NativeIpcKey key = NextKey();
        PeerProcess peer = Peer();
        peer.Ask($"shm create a {key} 100");
        peer.Ask($"shm open b {key} rw");
        peer.Ask($"shm open c {key} ro");
        peer.Ask("shm add b 0 3");
        peer.Exit();
        Assert.False(Backend.AnythingExists(key));
    }

    [BackendFact(Needs.Finalizers)]
    public void A_segment_that_is_forgotten_is_let_go_by_its_finalizer()
    {
        NativeIpcKey key = NextKey();
        MakeAndForget(key);
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        GC.WaitForPendingFinalizers();

        // A finalizer waits for nobody: what may have to wait goes on elsewhere.
        Assert.True(SpinWait.SpinUntil(() => !Backend.AnythingExists(key), s_watchdog));

        [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
        static void MakeAndForget(NativeIpcKey key) => _ = SharedMemory.CreateNew(key, 100);
    }

    private static void End(PeerProcess peer, string how)
    {
        int signal = how switch
        {
            "SIGTERM" => PeerProcess.SIGTERM,
            "SIGINT" => PeerProcess.SIGINT,
            "SIGHUP" => PeerProcess.SIGHUP,
            _ => 0,
        };
        if (signal == 0)
        {
            if (how == "exit") peer.Exit();
            else peer.Quit();
            return;
        }

        Assert.SkipWhen(IsIgnored(peer.Id, signal),
            $"{how} is ignored in this session (nohup, or a background job), and so in the peer.");
        peer.Signal(signal);
        Assert.Equal(128 + signal, peer.WaitForEnd());
    }

    private static bool IsIgnored(int processId, int signal)
    {
        string? line = OperatingSystem.IsLinux() ? File.ReadLines($"/proc/{processId}/status")
            .FirstOrDefault(line => line.StartsWith("SigIgn:", StringComparison.Ordinal)) : null;
        return line is not null && (Convert.ToUInt64(line[7..].Trim(), 16) >> (signal - 1) & 1) != 0;
    }

    private Dictionary<string, PeerProcess> StartAll(string order, Func<string, string> make, Func<string, string> open)
    {
        Dictionary<string, PeerProcess> peers = order.Split(' ').ToDictionary(who => who, _ => Peer());
        peers[Maker].Ask(make(Maker));
        foreach ((string who, PeerProcess peer) in peers)
        {
            if (who != Maker) peer.Ask(open(who));
        }

        return peers;
    }
}
