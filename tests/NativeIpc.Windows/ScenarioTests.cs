using Xunit;

namespace NativeIpc.WindowsTests;

/// <summary>What NativeIpc.Interop does with the peers on Linux, with the C program for Windows.</summary>
public class ScenarioTests : WindowsTest
{
    private const int Additions = 20_000;
    private static readonly TimeSpan s_short = TimeSpan.FromMilliseconds(20);

    public static TheoryData<string, string> Names
    {
        get
        {
            var names = new TheoryData<string, string>();
            foreach (string functions in new[] { "W", "A" })
            {
                foreach (string kind in new[] { "plain", "unicode", "percent", "longest", "legacy", "legacy unicode" })
                    names.Add(functions, kind);
            }

            return names;
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    [Scenario("1 →")]
    public void A_peer_makes_our_key_and_meets_us(string functions, string kind)
    {
        (NativeIpcKey segmentKey, NativeIpcKey semaphoreKey, string name) = Keys(functions, kind);
        using SharedMemory segment = SharedMemory.CreateNew(segmentKey, 1);
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(semaphoreKey, 1);
        segment.Span[0] = 0x44;
        using Peer peer = Peer.Start();

        string native = peer.Ask("parse", segmentKey.ToString())[3..];
        Assert.Equal(segmentKey.NativeKey, native);
        Assert.Equal("ok " + semaphoreKey.NativeKey, peer.Ask("parse", semaphoreKey.ToString()));
        if (kind.StartsWith("legacy", StringComparison.Ordinal))
        {
            Assert.Equal("ok " + native, peer.Ask("legacy", "sharedmemory", name));
            Assert.Equal("ok " + semaphoreKey.NativeKey, peer.Ask("legacy", "systemsem", name));
        }

        Assert.Equal("ok 4096", peer.Ask("open-segment", functions, native, "read"));
        Assert.Equal("ok 44", peer.Ask("read", 0, 1));
        Assert.Equal("ok", peer.Ask("open-semaphore", functions, semaphoreKey.NativeKey, "least"));
        Assert.Equal("ok", peer.Ask("acquire", 0));
        Assert.False(semaphore.TryAcquire());
    }

    [Theory]
    [MemberData(nameof(Names))]
    [Scenario("1 ←")]
    public void We_make_a_peer_s_key_and_meet_it(string functions, string kind)
    {
        (NativeIpcKey segmentKey, NativeIpcKey semaphoreKey, string name) = Keys(functions, kind);
        bool legacy = kind.StartsWith("legacy", StringComparison.Ordinal);
        using Peer peer = Peer.Start();
        string segmentName = legacy ? peer.Ask("legacy", "sharedmemory", name)[3..] : segmentKey.NativeKey;
        string semaphoreName = legacy ? peer.Ask("legacy", "systemsem", name)[3..] : semaphoreKey.NativeKey;
        Assert.Equal("ok new", peer.Ask("create-segment", functions, segmentName, 1));
        Assert.Equal("ok", peer.Ask("write", 0, "45"));
        Assert.Equal("ok new", peer.Ask("create-semaphore", functions, semaphoreName, 1, 9));

        using SharedMemory segment = SharedMemory.OpenExisting(legacy ? segmentKey : FromText(segmentName));
        using SystemSemaphore semaphore = SystemSemaphore.OpenExisting(legacy ? semaphoreKey : FromText(semaphoreName));

        Assert.Equal((0x45, 4096L), ((int)segment.Span[0], segment.Size));
        semaphore.Acquire();
        Assert.Equal("timeout", peer.Ask("acquire", 0));

        static NativeIpcKey FromText(string native)
            => NativeIpcKey.Parse("windows:" + native.Replace("%", "%25", StringComparison.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Functions))]
    [Scenario("3 →")]
    public void Additions_under_our_lock_add_up(string functions)
    {
        NativeIpcKey key = NewKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 8);
        segment.Lock().Dispose(); // makes the semaphore
        using Peer peer = Peer.Start();
        Assert.Equal("ok 4096", peer.Ask("open-segment", functions, key.NativeKey, "write"));
        Assert.Equal("ok", peer.Ask("open-semaphore", functions, key.NativeKey + "_sem", "least"));

        AddTogether(segment, peer);
    }

    [Theory]
    [MemberData(nameof(Functions))]
    [Scenario("3 ←")]
    public void Additions_under_a_peer_s_lock_add_up(string functions)
    {
        string name = NewName();
        using Peer peer = Peer.Start();
        Assert.Equal("ok new", peer.Ask("create-segment", functions, name, 8));
        Assert.Equal("ok new", peer.Ask("create-semaphore", functions, name + "_sem", 1, int.MaxValue));
        using SharedMemory segment = SharedMemory.OpenExisting(Key(name));

        AddTogether(segment, peer);
    }

    [Theory]
    [MemberData(nameof(Functions))]
    [Scenario("3 →")]
    public async Task Blocked_locks_go_on_in_our_segment(string functions)
    {
        NativeIpcKey key = NewKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 8);
        segment.Lock().Dispose();
        using Peer peer = Peer.Start();
        Assert.Equal("ok 4096", peer.Ask("open-segment", functions, key.NativeKey, "write"));
        Assert.Equal("ok", peer.Ask("open-semaphore", functions, key.NativeKey + "_sem", "least"));

        await BlockBoth(segment, peer);
    }

    [Theory]
    [MemberData(nameof(Functions))]
    [Scenario("3 ←")]
    public async Task Blocked_locks_go_on_in_a_peer_s_segment(string functions)
    {
        string name = NewName();
        using Peer peer = Peer.Start();
        Assert.Equal("ok new", peer.Ask("create-segment", functions, name, 8));
        Assert.Equal("ok new", peer.Ask("create-semaphore", functions, name + "_sem", 1, int.MaxValue));
        using SharedMemory segment = SharedMemory.OpenExisting(Key(name));

        await BlockBoth(segment, peer);
    }

    [Theory]
    [MemberData(nameof(Functions))]
    [Scenario("3 ←")]
    public void A_failed_create_of_ours_leaves_the_lock_alone(string functions)
    {
        string name = NewName();
        using Peer peer = Peer.Start();
        Assert.Equal("ok new", peer.Ask("create-segment", functions, name, 8));
        Assert.Equal("ok new", peer.Ask("create-semaphore", functions, name + "_sem", 1, int.MaxValue));
        Assert.Equal("ok", peer.Ask("acquire", 0));

        Fails(NativeIpcError.AlreadyExists, 183, () => SharedMemory.CreateNew(Key(name), 8));

        Assert.Equal("timeout", peer.Ask("acquire", 0));
        Assert.Equal("ok 0", peer.Ask("release", 1));
    }

    [Theory]
    [MemberData(nameof(Functions))]
    [Scenario("5 →")]
    public void Our_objects_live_on_with_a_peer(string functions)
    {
        NativeIpcKey key = NewKey();
        using Peer peer = Peer.Start();
        using (SharedMemory segment = SharedMemory.CreateNew(key, 1))
        using (SystemSemaphore semaphore = SystemSemaphore.CreateNew(Key(key.NativeKey + "s"), 2))
        {
            segment.Span[0] = 0x78;
            semaphore.Acquire();
            Assert.Equal("ok 4096", peer.Ask("open-segment", functions, key.NativeKey, "write"));
            Assert.Equal("ok", peer.Ask("open-semaphore", functions, key.NativeKey + "s", "least"));
        }

        using (SharedMemory again = SharedMemory.OpenExisting(key)) Assert.Equal(0x78, again.Span[0]);
        using (SystemSemaphore again = SystemSemaphore.OpenExisting(Key(key.NativeKey + "s")))
        {
            Assert.True(again.TryAcquire());
            Assert.False(again.TryAcquire());
        }

        Assert.Equal("ok", peer.Ask("close-segment"));
        Assert.Equal("ok", peer.Ask("close-semaphore"));
        Assert.False(SharedMemory.TryOpenExisting(key, out _));
        Assert.False(SystemSemaphore.TryOpenExisting(Key(key.NativeKey + "s"), out _));
    }

    [Theory]
    [MemberData(nameof(Functions))]
    [Scenario("6 →")]
    public void The_lock_of_a_killed_peer_is_taken_over_when_no_other_peer_has_it_open(string functions)
    {
        NativeIpcKey key = NewKey();
        SharedMemory segment = SharedMemory.CreateNew(key, 1);
        segment.Lock().Dispose();
        using Peer peer = Peer.Start();
        Assert.Equal("ok 4096", peer.Ask("open-segment", functions, key.NativeKey, "write"));
        Assert.Equal("ok", peer.Ask("open-semaphore", functions, key.NativeKey + "_sem", "least"));
        Assert.Equal("ok", peer.Ask("acquire", 0));
        Assert.Equal("ok", peer.Ask("write", 0, "79"));

        IsTakenOverWhenNoPeerIsLeft(segment, functions, peer);
    }

    [Theory]
    [MemberData(nameof(Functions))]
    [Scenario("6 ←")]
    public void The_lock_of_a_killed_peer_that_made_it_is_taken_over_when_no_other_peer_has_it_open(string functions)
    {
        string name = NewName();
        using Peer peer = Peer.Start();
        Assert.Equal("ok new", peer.Ask("create-segment", functions, name, 1));
        Assert.Equal("ok new", peer.Ask("create-semaphore", functions, name + "_sem", 1, int.MaxValue));
        SharedMemory segment = SharedMemory.OpenExisting(Key(name));
        segment.Lock().Dispose();
        Assert.Equal("ok", peer.Ask("acquire", 0));
        Assert.Equal("ok", peer.Ask("write", 0, "79"));

        IsTakenOverWhenNoPeerIsLeft(segment, functions, peer);
    }

    [Theory]
    [MemberData(nameof(Functions))]
    [Scenario("6 ←")]
    public void A_permit_of_a_killed_peer_is_gone_until_all_have_left(string functions)
    {
        string name = NewName();
        using Peer peer = Peer.Start();
        Assert.Equal("ok new", peer.Ask("create-semaphore", functions, name, 2, 9));
        using (SystemSemaphore semaphore = SystemSemaphore.OpenExisting(Key(name)))
        {
            Assert.Equal("ok", peer.Ask("acquire", 0));
            peer.Kill();

            semaphore.Acquire();
            Assert.False(semaphore.TryAcquire(s_short));
            semaphore.Release();
        }

        using SystemSemaphore anew = SystemSemaphore.CreateNew(Key(name), 2);
        Assert.True(anew.TryAcquire());
        Assert.True(anew.TryAcquire());
    }

    private static void AddTogether(SharedMemory segment, Peer peer)
    {
        peer.Tell("add", 4, Additions);
        int last = 0;
        int turns = 0;
        for (int i = 0; i < Additions; i++)
        {
            using SharedMemoryLock held = segment.Lock();
            if (segment.GetReference<int>(4) != last) turns++;
            last = ++segment.GetReference<int>(4);
        }

        Assert.Equal("ok", peer.Answer());
        Assert.True(turns > 1, "The two did not work at the same time.");
        Assert.Equal(2 * Additions, segment.GetReference<int>(4));
        Assert.True(segment.TryLock(out SharedMemoryLock free));
        free.Dispose();
        Assert.Equal("ok", peer.Ask("acquire", 0));
        Assert.Equal("timeout", peer.Ask("acquire", 0)); // one permit, as before
    }

    /// <summary>First the peer waits for us, then we wait for the peer.</summary>
    private static async Task BlockBoth(SharedMemory segment, Peer peer)
    {
        using (segment.Lock())
        {
            Assert.Equal("timeout", peer.Ask("acquire", 20));
            peer.Tell("acquire", -1);
            segment.Span[0] = 0x5a; // whoever gets in after the release sees it
        }

        Assert.Equal("ok", peer.Answer());
        Assert.Equal("ok 5a", peer.Ask("read", 0, 1));

        byte seen = 0;
        var entered = new TaskCompletionSource();
        Task waiting = Start(() =>
        {
            entered.SetResult();
            using SharedMemoryLock held = segment.Lock();
            seen = segment.Span[0];
        });
        await Soon(entered.Task);
        Assert.False(waiting.IsCompleted);
        Assert.Equal("ok", peer.Ask("write", 0, "5b"));
        Assert.Equal("ok 0", peer.Ask("release", 1));
        await Soon(waiting);
        Assert.Equal(0x5b, seen);
    }

    /// <summary>Windows gives nothing back for a process that died. Which one holds the lock instead, one of the living
    /// or nobody, is proven only when no peer is left.</summary>
    private static void IsTakenOverWhenNoPeerIsLeft(SharedMemory segment, string functions, Peer holder)
    {
        NativeIpcKey key = segment.Key;
        using (segment)
        using (Peer other = Peer.Start())
        {
            Assert.Equal("ok", other.Ask("open-semaphore", functions, key.NativeKey + "_sem", "least"));
            holder.Kill();
            Assert.Equal(0x79, segment.Span[0]);
            Assert.False(segment.TryLock(TimeSpan.FromMilliseconds(150), out _)); // time for a proof
            Assert.Equal(LockHolder.Unknown, segment.GetLockStatus().Holder);
            Assert.Equal("timeout", other.Ask("acquire", 20));
            other.Kill();
            Assert.True(segment.TryLock(TimeSpan.FromSeconds(30), out SharedMemoryLock scope));
            Assert.True(scope.WasAbandoned);
            scope.Dispose();
        }

        using SharedMemory anew = SharedMemory.CreateNew(key, 1);
        Assert.Equal(0, anew.Span[0]);
        Assert.True(anew.TryLock(out SharedMemoryLock held));
        Assert.False(held.WasAbandoned);
        held.Dispose();
    }

    private static (NativeIpcKey Segment, NativeIpcKey Semaphore, string Name) Keys(string functions, string kind)
    {
        string unique = NewName();
        string name = kind switch
        {
            // The A functions know one code page
            "unicode" or "legacy unicode" => unique + (functions == "A" ? "-é" : "-ключ 鍵 🔑"),
            "percent" => unique + "-50%25 of 100%, %zz",
            "longest" => unique.PadRight(258, 'x'), // 259 with the letter behind it
            _ => unique,
        };
        return kind.StartsWith("legacy", StringComparison.Ordinal)
            ? (SharedMemory.LegacyNativeKey(name, NativeIpcKeyType.Windows),
                SystemSemaphore.LegacyNativeKey(name, NativeIpcKeyType.Windows), name)
            : (Key(name + "m"), Key(name + "s"), name);
    }
}
