using System.Runtime.InteropServices;
using NativeIpc.Interop.Unix;
using NativeIpc.Victim;
using Xunit;

namespace NativeIpc.Machine;

/// <summary>Objects of root, met by nobody; and the other way round.</summary>
[NeedsLinux("Uses Linux's tools.")]
[NeedsRoot(Victims.WhyRoot)]
public class OtherUserTests
{
    private const string ProtectedRegular = "/proc/sys/fs/protected_regular";

    // 0666
    private static readonly SharedMemoryOptions s_open = new() { Mode = FileModes.Mode666, AllowOtherOwners = true };
    private static readonly SystemSemaphoreOptions s_openSemaphore = new() { Mode = FileModes.Mode666,
        AllowOtherOwners = true };

    [Theory]
    [InlineData(Backend.Posix)]
    [InlineData(Backend.SystemV)]
    public void A_segment_of_another_user_is_permission_denied_and_unharmed(Backend backend)
    {
        NativeIpcKey key = TestRun.NewKey(backend);
        using SharedMemory segment = SharedMemory.CreateNew(key, 4096);
        segment.Span[0] = 42;

        VictimResult result = Victims.Run(Situation.Nobody,
            $"segment-create {key} 4096", $"segment-create-or-open {key} 4096", $"segment-open {key}",
            $"segment-read {key}", $"segment-try-open {key}", $"segment-remove {key}");
        bool posix = backend == Backend.Posix;
        result[0].AssertSays(NativeIpcError.AlreadyExists, key, posix ? "shm_open" : "shmget", 17);
        for (int i = 1; i < 5; i++)
            result[i].AssertSays(NativeIpcError.PermissionDenied, key, posix ? "shm_open" : "shmat", 13);
        result[5].AssertSays(NativeIpcError.PermissionDenied, key, posix ? "shm_unlink" : "shmctl");

        using SharedMemory again = SharedMemory.OpenExisting(key);
        Assert.Equal(42, again.Span[0]);
        if (posix) Assert.Equal("-rw-------", Listed(TestRun.SegmentFile(key)));
    }

    [Theory]
    [InlineData(Backend.Posix)]
    [InlineData(Backend.SystemV)]
    public void A_semaphore_of_another_user_is_permission_denied_and_unharmed(Backend backend)
    {
        NativeIpcKey key = TestRun.NewKey(backend);
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 3);

        VictimResult result = Victims.Run(Situation.Nobody,
            $"semaphore-create {key} 1", $"semaphore-create-or-open {key} 1", $"semaphore-reset {key} 1",
            $"semaphore-open {key}", $"semaphore-try-open {key}", $"semaphore-remove {key}");
        bool posix = backend == Backend.Posix;
        result[0].AssertSays(NativeIpcError.AlreadyExists, key, posix ? "sem_open" : "semget", 17);
        for (int i = 1; i < 5; i++)
            result[i].AssertSays(NativeIpcError.PermissionDenied, key, posix ? "open" : "semctl", 13);
        result[5].AssertSays(NativeIpcError.PermissionDenied, key, posix ? "sem_unlink" : "semctl");

        using SystemSemaphore again = SystemSemaphore.OpenExisting(key);
        Assert.True(again.TryGetCurrentCount(out int count) && count == 3);
    }

    [Theory]
    [InlineData(Backend.Posix)]
    [InlineData(Backend.SystemV)]
    public void A_segment_that_others_may_read_can_be_read_and_locked_by_them_and_not_written(Backend backend)
    {
        NativeIpcKey key = TestRun.NewKey(backend);
        using (SharedMemory.CreateNew(key, 4096, new SharedMemoryOptions { Mode = FileModes.Mode644 }))
        {
            VictimResult result = Victims.Run(Situation.Nobody, $"segment-open {key}", $"segment-read {key}",
                "segment-lock", "dispose");
            result[0].AssertSays(NativeIpcError.PermissionDenied, key,
                backend == Backend.Posix ? "shm_open" : "shmat", 13);
            Assert.Equal(("opened 4096", "locked", "disposed"), (result[1].Did, result[2].Did, result[3].Did));
            using SharedMemory again = SharedMemory.OpenExisting(key, options: s_open); // its lock is the other user's
            Assert.True(again.TryLock(out SharedMemoryLock scope));
            scope.Dispose();
        }

        Assert.False(Path.Exists(backend == Backend.Posix ? TestRun.SemaphoreFile(key) : key.NativeKey));
    }

    [Theory]
    [InlineData(Backend.Posix)]
    [InlineData(Backend.SystemV)]
    public void An_owner_can_remove_the_segment_whose_lock_root_made(Backend backend)
    {
        NativeIpcKey key = TestRun.NewKey(backend);
        Victims.Run(Situation.Nobody, $"segment-create {key} 4096 removal=Keep").Did("created 4096");
        using (SharedMemory segment = SharedMemory.OpenExisting(key, SharedMemoryAccess.ReadWrite,
            new SharedMemoryOptions { Removal = RemovalPolicy.Keep, AllowOtherOwners = true }))
        {
            Assert.True(segment.TryLock(out SharedMemoryLock scope));
            scope.Dispose();
        }

        Victims.Run(Situation.Nobody, $"segment-remove {key}").Did("removed");
        Assert.False(SystemSemaphore.TryOpenExisting(key, out _), "The lock stayed.");
    }

    [Theory]
    [InlineData(Backend.Posix)]
    [InlineData(Backend.SystemV)]
    public void A_group_that_this_user_may_not_give_to_is_permission_denied_and_nothing_is_left(Backend backend)
    {
        NativeIpcKey key = TestRun.NewKey(backend);
        VictimResult result = Victims.Run(Situation.Nobody, $"segment-create {key} 4096 mode=660 group=0",
            $"semaphore-create {key} 1 mode=660 group=0");
        foreach (Outcome outcome in result.Outcomes)
            outcome.AssertSays(NativeIpcError.PermissionDenied, key, "fchown", 1);
        Assert.False(SharedMemory.TryOpenExisting(key, out _));
        Assert.False(SystemSemaphore.TryOpenExisting(key, out _));
        Assert.False(Path.Exists(backend == Backend.Posix ? TestRun.SegmentFile(key) : key.NativeKey));
    }

    [Theory]
    [InlineData(Backend.Posix)]
    [InlineData(Backend.SystemV)]
    public void Objects_that_all_may_use_are_met_across_users_with_protected_regular_files(Backend backend)
    {
        Assert.SkipUnless(File.Exists(ProtectedRegular), "This kernel has no fs.protected_regular.");
        string before = File.ReadAllText(ProtectedRegular).Trim();
        if (before != "2") File.WriteAllText(ProtectedRegular, "2");
        try
        {
            // Made by nobody, met by root.
            NativeIpcKey theirs = TestRun.NewKey(backend);
            // With System V, a semaphore under the segment's key would be its lock
            NativeIpcKey theirSemaphore = TestRun.NewKey(backend);
            Victims.Run(Situation.Nobody, $"segment-create {theirs} 4096 mode=666 removal=Keep",
                $"semaphore-create {theirSemaphore} 2 mode=666 removal=Keep").Did("created 4096", "created");
            string file = backend == Backend.Posix ? TestRun.SegmentFile(theirs) : theirs.NativeKey;
            AssertThatOpeningWithCreateFails(file);
            using (SharedMemory segment = SharedMemory.CreateOrOpen(theirs, 4096, s_open))
                Assert.False(segment.CreatedNew);
            using (SystemSemaphore semaphore = SystemSemaphore.CreateOrOpen(theirSemaphore, 7, s_openSemaphore))
                Assert.False(semaphore.CreatedNew);
            using (SystemSemaphore semaphore = SystemSemaphore.CreateOrReset(theirSemaphore, 5, s_openSemaphore))
                Assert.True(semaphore.TryGetCurrentCount(out int count) && count == 5);
            SharedMemory.Remove(theirs);
            if (backend == Backend.SystemV)
            {
                // Those of another user: the library leaves them.
                File.Delete(theirs.NativeKey);
                File.Delete(theirSemaphore.NativeKey);
            }

            // Made by root, met by nobody.
            NativeIpcKey ours = TestRun.NewKey(backend);
            NativeIpcKey ourSemaphore = TestRun.NewKey(backend);
            using (SharedMemory.CreateNew(ours, 4096, s_open))
            using (SystemSemaphore.CreateNew(ourSemaphore, 2, s_openSemaphore))
            {
                Victims.Run(Situation.Nobody, $"segment-create-or-open {ours} 4096",
                    $"semaphore-create-or-open {ourSemaphore} 9", "semaphore-count",
                    $"semaphore-reset {ourSemaphore} 4 removal=Keep", "semaphore-count")
                    .Did("opened 4096", "opened", "2", "opened", "4");
            }
        }
        finally
        {
            if (before != "2") File.WriteAllText(ProtectedRegular, before);
        }
    }

    // Otherwise the setting would not be in force, and the test would show nothing.
    private static void AssertThatOpeningWithCreateFails(string file)
    {
        int opened = Libc.open(file,
            Flags.O_RDONLY | Flags.O_CREAT | Flags.O_CLOEXEC, (int)FileModes.Mode600);
        Assert.Equal((-1, 13), (opened, Marshal.GetLastPInvokeError()));
    }

    private static string Listed(string path) => Testing.Shell.Run("stat", ["-c", "%A", path]).Succeeded.Trim();
}
