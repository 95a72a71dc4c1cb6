using Xunit;

namespace NativeIpc.Machine;

/// <summary>A full /dev/shm, and an address space without room.</summary>
[NeedsLinux("Uses Linux's mounts and limits.")]
public class FullMemoryTests
{
    private const int ENOMEM = 12;
    private const int ENOSPC = 28;
    private static readonly NativeIpcKey s_key = new("/full", NativeIpcKeyType.PosixRealtime);
    private static readonly NativeIpcKey s_other = new("/other", NativeIpcKeyType.PosixRealtime);

    [Theory]
    [InlineData("Reserve", false)]
    [InlineData("Populate", false)]
    [InlineData("Reserve", true)]
    [InlineData("Populate", true)]
    [NeedsRoot(Victims.WhyRoot)]
    public void A_segment_that_does_not_fit_is_out_of_resources_when_it_is_created(string allocation, bool plainCalls)
    {
        VictimResult result = Victims.Run(Situation.SmallDevShm,
            plainCalls ? "refuse-tmpfile" : "umask 22", $"segment-create {s_key} 65537 allocation={allocation}",
            $"segment-create-or-open {s_key} 65537 allocation={allocation}", $"segment-try-open {s_key}");
        result[1].AssertSays(NativeIpcError.OutOfResources, s_key, "posix_fallocate", ENOSPC);
        result[2].AssertSays(NativeIpcError.OutOfResources, s_key, "posix_fallocate", ENOSPC);
        Assert.Equal("missing", result[3].Did);
        result.LeftNothing();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    [NeedsRoot(Victims.WhyRoot)]
    public void A_segment_that_was_created_can_be_filled_when_devshm_is_full(bool plainCalls)
    {
        VictimResult result = Victims.Run(Situation.SmallDevShm,
            plainCalls ? "refuse-tmpfile" : "umask 22", $"segment-create {s_key} 65536", $"segment-create {s_other} 1",
            $"semaphore-create {s_other} 1", "segment-lock", "segment-fill", "dispose");
        Assert.Equal("created 65536", result[1].Did);
        result[2].AssertSays(NativeIpcError.OutOfResources, s_other, "posix_fallocate", ENOSPC);
        result[3].AssertSays(NativeIpcError.OutOfResources, s_other, plainCalls ? "sem_open" : "pwrite", ENOSPC);
        result[4].AssertSays(NativeIpcError.OutOfResources, s_key, plainCalls ? "sem_open" : "pwrite", ENOSPC);
        Assert.DoesNotContain("Sparse", result[4].Message, StringComparison.Ordinal); // says nothing to a semaphore
        Assert.Equal(("filled", "disposed"), (result[5].Did, result[6].Did));
        result.LeftNothing();
    }

    /// <summary>A creator makes the lock without looking for one first.</summary>
    [Fact]
    [NeedsRoot(Victims.WhyRoot)]
    public void A_lock_that_a_peer_has_made_is_found_when_devshm_is_full()
    {
        VictimResult result = Victims.Run(Situation.SmallDevShm, $"semaphore-create {s_key} 1",
            $"segment-create {s_key} 61440", $"segment-create {s_other} 1", "segment-lock", "dispose");
        result[2].AssertSays(NativeIpcError.OutOfResources, s_other, "posix_fallocate", ENOSPC);
        Assert.Equal(("locked", "disposed"), (result[3].Did, result[4].Did));
        result.LeftNothing();
    }

    [Fact]
    [NeedsRoot(Victims.WhyRoot)]
    public void A_sparse_segment_may_be_larger_than_devshm()
        => Victims.Run(Situation.SmallDevShm, $"segment-create {s_key} 1048576 allocation=Sparse",
            "dispose").Did("created 1048576", "disposed").LeftNothing();

    [Fact]
    [NeedsRoot(Victims.WhyRoot)]
    public void Writing_to_a_sparse_segment_when_devshm_is_full_says_so()
    {
        VictimResult result =
            Victims.Run(Situation.SmallDevShm, $"segment-create {s_other} 65536",
            $"segment-create {s_key} 65536 allocation=Sparse", "segment-copy-in", "dispose");
        result[2].AssertSays(NativeIpcError.OutOfResources, s_key, "pwrite", ENOSPC);
        Assert.Contains("/dev/shm is full", result[2].Message, StringComparison.Ordinal);
        Assert.DoesNotContain("ask for", result[2].Message, StringComparison.Ordinal); // it is made already
        result.LeftNothing();
    }

    [Fact]
    [NeedsRoot(Victims.WhyRoot)]
    public void A_devshm_without_inodes_is_out_of_resources()
    {
        Situation situation = Situation.SmallDevShm with { MountFirst = "mount -t tmpfs -o nr_inodes=1 none /dev/shm" };
        VictimResult result = Victims.Run(situation, $"segment-create {s_key} 1", $"semaphore-create {s_key} 1");
        result[0].AssertSays(NativeIpcError.OutOfResources, s_key, "open", ENOSPC);
        result[1].AssertSays(NativeIpcError.OutOfResources, s_key, "open", ENOSPC);
    }

    [Theory]
    [InlineData(Backend.Posix)]
    [InlineData(Backend.SystemV)]
    public void An_address_space_without_room_is_out_of_resources_and_leaves_nothing(Backend backend)
    {
        const long size = 1L << 30;
        NativeIpcKey there = TestRun.NewKey(backend);
        NativeIpcKey key = TestRun.NewKey(backend);
        using (SharedMemory segment = SharedMemory.CreateNew(there, size,
            new SharedMemoryOptions { Allocation = SharedMemoryAllocation.Sparse }))
        {
            VictimResult result = Victims.Run(Situation.Plain, $"limit-address-space {size / 8}",
                $"segment-create {key} {size} allocation=Sparse",
                $"segment-create-or-open {key} {size} allocation=Sparse", $"segment-open {there}",
                $"segment-read {there}", $"segment-try-open {there}");
            string call = backend == Backend.Posix ? "mmap" : "shmat";
            result[1].AssertSays(NativeIpcError.OutOfResources, key, call, ENOMEM);
            result[2].AssertSays(NativeIpcError.OutOfResources, key, call, ENOMEM);
            for (int i = 3; i < 6; i++) result[i].AssertSays(NativeIpcError.OutOfResources, there, call, ENOMEM);
            Assert.Equal(size, segment.Size);
        }

        Assert.False(Path.Exists(backend == Backend.Posix ? TestRun.SegmentFile(key) : key.NativeKey));
    }
}
