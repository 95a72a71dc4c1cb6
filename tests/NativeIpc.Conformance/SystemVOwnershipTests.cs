using System.Collections.Concurrent;
using System.Diagnostics.Tracing;
using NativeIpc.Interop.Unix;
using NativeIpc.Platform;
using NativeIpc.SystemV;
using Xunit;

namespace NativeIpc.Conformance;

/// <summary>Who removes System V objects, who takes leftovers over, and key files that were made anew.</summary>
public abstract class SystemVOwnershipTests<TProvider> : ConformanceTests<TProvider>
    where TProvider : SystemVProvider, new()
{
    private static readonly SharedMemoryOptions s_keep = new() { Removal = RemovalPolicy.Keep };

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void The_creator_removes_the_segment_and_who_is_attached_goes_on(bool atExit)
    {
        NativeIpcKey key = NextKey();
        PeerProcess maker = Peer();
        maker.Ask($"shm create a {key} 100 creator");
        maker.Ask("shm write a 0 2a");
        using SharedMemory segment = SharedMemory.OpenExisting(key);
        if (atExit) maker.Exit();
        else maker.Ask("shm close a");
        Assert.False(Backend.AnythingExists(key));
        Assert.Equal(0x2a, segment.Span[0]);
    }

    [Fact]
    public void With_the_policy_creator_who_only_opened_it_removes_nothing()
    {
        NativeIpcKey key = NextKey();
        SharedMemory.CreateNew(key, 100, s_keep).Dispose();
        SharedMemory.CreateOrOpen(key, 100, new() { Removal = RemovalPolicy.Creator }).Dispose();
        Assert.True(Backend.SegmentExists(key));
    }

    [Fact]
    public void The_last_one_out_removes_the_segment()
    {
        NativeIpcKey key = NextKey();
        using (SharedMemory second = Opened())
        {
            Assert.True(Backend.SegmentExists(key));
        }

        Assert.False(Backend.AnythingExists(key));

        SharedMemory Opened()
        {
            using SharedMemory first = SharedMemory.CreateNew(key, 100, new() { Removal = RemovalPolicy.LastOneOut });
            return SharedMemory.OpenExisting(key, options: new() { Removal = RemovalPolicy.LastOneOut });
        }
    }

    [Fact]
    public void Semaphores_refuse_what_needs_a_count_of_users_and_say_why()
    {
        NativeIpcKey key = NextKey();
        string lastOut = Assert.Throws<PlatformNotSupportedException>(
            () => SystemSemaphore.CreateNew(key, 1, new() { Removal = RemovalPolicy.LastOneOut })).Message;
        string reclaim = Assert.Throws<PlatformNotSupportedException>(
            () => SystemSemaphore.CreateOrOpen(key, 1, new() { Reclaim = true })).Message;
        Assert.Contains("does not count who uses", lastOut, StringComparison.Ordinal);
        Assert.Contains("does not count who uses", reclaim, StringComparison.Ordinal);
        Assert.False(Backend.AnythingExists(key));
        SystemSemaphore.CreateNew(key, 1, new() { Removal = RemovalPolicy.Creator }).Dispose();
        Assert.False(Backend.AnythingExists(key));
    }

    [Theory]
    [InlineData("create")]
    [InlineData("createoropen")]
    public void A_segment_whose_users_are_dead_is_reclaimed_on_request(string verb)
    {
        NativeIpcKey key = NextKey();
        PeerProcess victim = Peer();
        victim.Ask($"shm create a {key} 100");
        victim.Ask("shm write a 0 2a");
        victim.Ask("shm lock a");
        victim.Kill();
        var reclaim = new SharedMemoryOptions { Reclaim = true };
        using SharedMemory segment = verb == "create"
            ? SharedMemory.CreateNew(key, 200, reclaim) : SharedMemory.CreateOrOpen(key, 200, reclaim);
        Assert.True(segment.CreatedNew);
        Assert.Equal(200, segment.Size);
        Assert.False(segment.ReadOnlySpan.ContainsAnyExcept((byte)0));
        using SharedMemoryLock scope = segment.Lock();
        Assert.False(scope.WasAbandoned);
    }

    [Fact]
    public void A_segment_with_a_user_is_not_reclaimed()
    {
        NativeIpcKey key = NextKey();
        PeerProcess user = Peer();
        user.Ask($"shm create a {key} 100");
        user.Ask("shm write a 0 2a");
        Assert.Equal(NativeIpcError.AlreadyExists,
            ErrorOf(() => SharedMemory.CreateNew(key, 100, new() { Reclaim = true })));
        using SharedMemory segment = SharedMemory.CreateOrOpen(key, 100, new() { Reclaim = true });
        Assert.False(segment.CreatedNew);
        Assert.Equal(0x2a, segment.Span[0]);
    }

    [Fact]
    [NeedsLinux("Needs root, to give objects away.")]
    [NeedsRoot("Needs root, to give objects away.")]
    public void A_group_is_given_by_name_or_number_and_one_that_is_not_there_is_refused()
    {
        NativeIpcKey key = NextKey();
        NativeIpcKey other = NextKey();
        // 0660
        using SharedMemory segment = SharedMemory.CreateNew(key, 100,
            new() { Group = "1234", Mode = FileModes.Mode660 });
        using (segment.Lock())
        {
            Assert.Equal(0, SystemVSupport.Status(SystemVProvider.SegmentId(key),
                out SegmentStatus status));
            Assert.Equal(1234u, status.Gid);
            Assert.Equal(0, SystemVSupport.SetStatusOf(
                SystemVProvider.SemaphoreId(Provider.LockKey(key)), out SetStatus locked));
            Assert.Equal(1234u, locked.Gid);
            Assert.Equal(0, Libc.Status(key.NativeKey, followLink: false, out FileStatus file));
            Assert.Equal(1234u, file.Gid);
        }

        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(other, 1, new() { Group = "daemon" });
        Assert.Equal(0, SystemVSupport.SetStatusOf(SystemVProvider.SemaphoreId(other),
            out SetStatus set));
        Assert.Equal(UserGroups.Resolve("daemon"), set.Gid);
        NativeIpcKey third = NextKey();
        Assert.Throws<ArgumentException>(() => SharedMemory.CreateNew(third, 100, new() { Group = "no such group" }));
        Assert.False(Backend.AnythingExists(third));
    }

    [Fact]
    public void A_key_file_without_its_object_is_named_with_inode_and_key()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 100);
        int id = SystemVProvider.SegmentId(key);
        File.Move(key.NativeKey, Names.TrackPath(key.NativeKey + ".old"));
        File.WriteAllText(key.NativeKey, "");
        Assert.Equal(0, Libc.Status(key.NativeKey, followLink: true, out FileStatus status));
        NativeIpcException failure = Assert.Throws<NativeIpcException>(
            () => SharedMemory.OpenExisting(key, options: new() { PeerTimeout = TimeSpan.Zero }));
        Assert.Equal(NativeIpcError.NotFound, failure.Error);
        Assert.Contains($"inode {status.Identity.Inode}", failure.Message, StringComparison.Ordinal);
        Assert.Contains($"0x{SystemVProvider.Ftok(key):x8}", failure.Message, StringComparison.Ordinal);
        Assert.NotEqual(-1, id);
    }

    [Fact]
    public void A_key_file_that_became_another_one_is_reported_when_the_last_user_lets_go()
    {
        NativeIpcKey key = NextKey();
        using var warnings = new Warnings();
        using (SharedMemory.CreateNew(key, 100))
        {
            File.Move(key.NativeKey, Names.TrackPath(key.NativeKey + ".old"));
            File.WriteAllText(key.NativeKey, "");
        }

        Assert.Contains(warnings.Messages,
            message => message.Contains("deleted and made anew", StringComparison.Ordinal)
                && message.Contains(key.NativeKey, StringComparison.Ordinal));
        Assert.False(Backend.AnythingExists(key));
    }

    /// <summary>The last one out takes the segment's lock before it removes the segment. It stayed without a word when
    /// somebody kept that lock and was not attached.</summary>
    [Fact]
    public void A_segment_that_stays_since_its_lock_is_kept_is_reported()
    {
        NativeIpcKey key = NextKey();
        using var warnings = new Warnings();
        using (SystemSemaphore theLock = SystemSemaphore.CreateNew(key, 1))
        {
            theLock.Acquire();
            SharedMemory.CreateNew(key, 100, new() { PeerTimeout = TimeSpan.FromMilliseconds(20) }).Dispose();
            Assert.True(Backend.SegmentExists(key));
            int id = Libc.shmget(SystemVProvider.Ftok(key), 0, 0);
            string remedy = OperatingSystem.IsLinux() ? $"'nipc rm shmid:{id}'" : $"'ipcrm -m {id}'";
            Assert.Contains(warnings.Messages,
                message => message.Contains("still has its lock", StringComparison.Ordinal)
                    && message.Contains(remedy, StringComparison.Ordinal)
                    && message.Contains(key.NativeKey, StringComparison.Ordinal));
            theLock.Release();
        }

        SharedMemory.OpenExisting(key).Dispose();
        Assert.False(Backend.AnythingExists(key));
    }

    [BackendFact(Needs.Linux)]
    public void A_segment_that_is_removed_before_its_maker_is_attached_is_not_given_out()
    {
        NativeIpcKey key = NextKey();
        File.WriteAllText(key.NativeKey, ""); // as a stranger made it
        PeerProcess maker = Peer();
        maker.Ask("holdat systemv.segment.made");
        maker.Post($"shm createoropen a {key} 100");
        maker.Await("stopped systemv.segment.made");
        int first = SystemVProvider.SegmentId(key);
        nint address = Libc.shmat(first, 0, 0);
        Assert.NotEqual(-1, address);
        Remove(first);
        Assert.Equal(-1, SystemVProvider.SegmentId(key));

        maker.GoOn();

        maker.Answer();
        using (SharedMemory.OpenExisting(key)) maker.Ask("shm close a");
        Assert.Equal(0, Libc.shmdt(address));
    }

    private static unsafe void Remove(int id) => Assert.Equal(0, Libc.shmctl(id, Flags.IPC_RMID, null));

    private sealed class Warnings : EventListener
    {
        public ConcurrentBag<string> Messages { get; } = [];

        protected override void OnEventSourceCreated(EventSource eventSource)
        {
            if (eventSource.Name == "NativeIpc") EnableEvents(eventSource, EventLevel.Warning);
        }

        protected override void OnEventWritten(EventWrittenEventArgs eventData)
        {
            if (eventData.Payload is [string message]) Messages.Add(message);
        }
    }

    [Fact]
    public void Two_key_files_with_one_ftok_are_noticed_and_named()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && SystemVProvider.CountsInodes("/dev/shm"),
            "Needs a tmpfs that numbers its files one after the other.");
        NativeIpcKey first = Names.Track(new NativeIpcKey($"/dev/shm/{TestNames.NextName()}", Backend.Type));
        NativeIpcKey second = Names.Track(new NativeIpcKey($"/dev/shm/{TestNames.NextName()}", Backend.Type));
        using SharedMemory segment = SharedMemory.CreateNew(first, 100, s_keep);
        Assert.Equal(0, Libc.Status(first.NativeKey, followLink: true, out FileStatus wanted));
        NativeIpcException? collision = null;
        lock (SystemVProvider.s_inodes)
        {
            // Others make files there, too, and may get the one number: then it is tried in the next 65,536.
            for (int round = 0; collision is null && round < 8; round++)
            {
                SystemVProvider.AdvanceInodes("/dev/shm", wanted.Identity.Inode);
                for (int i = 0; collision is null && i < 128; i++) collision = Failure(second);
            }
        }

        Assert.NotNull(collision);
        Assert.Equal(NativeIpcError.AlreadyExists, collision.Error);
        Assert.Contains(first.NativeKey, collision.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(second.NativeKey));

        static NativeIpcException? Failure(NativeIpcKey key)
        {
            try
            {
                SharedMemory.CreateNew(key, 100, new() { UseLock = false }).Dispose();
                return null;
            }
            catch (NativeIpcException failure)
            {
                return failure;
            }
        }
    }
}
