using NativeIpc.Interop.Unix;
using Xunit;

namespace NativeIpc.Machine;

/// <summary>A key file, and the lock of a segment, belong to what still stands.</summary>
[NeedsLinux("Looks at Linux's files.")]
public sealed class SharedKeyFileTests
{
    private static readonly SharedMemoryOptions s_keep = new() { Removal = RemovalPolicy.Keep };

    private static (NativeIpcKey First, NativeIpcKey Second) TwoIdsOfOneFile()
    {
        NativeIpcKey first = TestRun.NewKey(Backend.SystemV);
        return (first, new NativeIpcKey(first.NativeKey, first.Type + 1));
    }

    private static bool IsMarked(NativeIpcKey key)
        => (File.GetUnixFileMode(key.NativeKey) & UnixFileMode.UserExecute) != 0;

    [Fact]
    public void A_key_file_stays_as_long_as_an_object_of_another_project_id_stands_under_it()
    {
        (NativeIpcKey first, NativeIpcKey second) = TwoIdsOfOneFile();
        using (SystemSemaphore semaphore = SystemSemaphore.CreateNew(second, 3))
        {
            Assert.False(IsMarked(first));
            using (SharedMemory.CreateNew(first, 10)) Assert.True(IsMarked(first));
            Assert.True(File.Exists(first.NativeKey), "The file went with the segment.");
            using SystemSemaphore again = SystemSemaphore.CreateOrOpen(second, 7);
            Assert.False(again.CreatedNew);
        }

        Assert.False(File.Exists(first.NativeKey), "The file stayed.");
    }

    [Fact]
    public void The_file_goes_with_the_last_object_whoever_has_made_it()
    {
        (NativeIpcKey first, NativeIpcKey second) = TwoIdsOfOneFile();
        SharedMemory segment = SharedMemory.CreateNew(first, 10);
        SystemSemaphore semaphore = SystemSemaphore.CreateNew(second, 3);
        segment.Dispose();
        Assert.True(File.Exists(first.NativeKey));
        semaphore.Dispose();
        Assert.False(File.Exists(first.NativeKey), "The file stayed.");

        segment = SharedMemory.CreateNew(first, 10, s_keep);
        SharedMemory other = SharedMemory.CreateNew(second, 10, s_keep);
        segment.Dispose();
        other.Dispose();
        Assert.True(SharedMemory.Remove(first));
        Assert.True(File.Exists(first.NativeKey));
        Assert.True(SharedMemory.Remove(second));
        Assert.False(File.Exists(first.NativeKey), "The file stayed.");
    }

    /// <summary>Both see that nobody is attached. The second one gets the file's lock when the first one has removed
    /// all, and must not make a lock anew: nobody would remove it, nor the file.</summary>
    [Fact]
    public void Of_two_that_detach_last_at_once_the_second_one_makes_no_lock_anew()
    {
        (NativeIpcKey first, NativeIpcKey second) = TwoIdsOfOneFile();
        SharedMemory segment = SharedMemory.CreateNew(first, 10);
        SharedMemory other = SharedMemory.CreateNew(second, 10);
        int key = Libc.ftok(first.NativeKey, (int)first.Type);
        var detaching = new Thread(segment.Dispose);
        try
        {
            using (new ForeignFileLockTests.Held(first.NativeKey))
            {
                detaching.Start();
                bool waits = SpinWait.SpinUntil(() => ForeignFileLockTests.Opened(first.NativeKey) > 1,
                    Patience.Seconds(30));
                Assert.True(waits, "It does not wait for the key file.");
                RemoveSegment(key); // as the first one does; there is no lock yet, and the file stays for the other id
            }

            detaching.Join();
            Assert.Equal(-1, Libc.semget(key, 0, 0));
            other.Dispose();
            Assert.False(File.Exists(first.NativeKey), "The file stayed.");
        }
        finally
        {
            other.Dispose();
            int left = Libc.semget(key, 0, 0);
            if (left != -1) _ = Libc.semctl(left, 0, Flags.IPC_RMID);
            File.Delete(first.NativeKey);
        }
    }

    private static unsafe void RemoveSegment(int key)
        => Assert.Equal(0, Libc.shmctl(Libc.shmget(key, 0, 0), Flags.IPC_RMID, null));

    [Fact]
    public void A_file_with_objects_of_one_id_is_not_marked()
    {
        NativeIpcKey key = TestRun.NewKey(Backend.SystemV);
        using SharedMemory segment = SharedMemory.CreateNew(key, 10);
        Assert.True(segment.TryLock(out SharedMemoryLock held));
        held.Dispose();
        using (SharedMemory.CreateOrOpen(key, 10)) Assert.False(IsMarked(key));
    }

    /// <summary>The maker of the file marks nothing, so whoever comes second has to, in every order.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    [Slow]
    public void Objects_of_two_ids_that_are_made_at_once_under_one_new_file_are_never_parted(bool isPlain)
    {
        using var barrier = new Barrier(2);
        for (int round = 0; round < (isPlain ? Sample.Of(10, 5) : Sample.Of(100, 25)); round++)
        {
            (NativeIpcKey first, NativeIpcKey second) = TwoIdsOfOneFile();
            if (isPlain)
            {
                File.WriteAllText(first.NativeKey, ""); // as one who knows no marks makes it
                File.SetLastWriteTimeUtc(first.NativeKey, DateTime.UnixEpoch);
            }

            SharedMemory? segment = null, other = null;
            Thread[] threads = [new(() =>
            {
                barrier.SignalAndWait();
                segment = SharedMemory.CreateNew(first, 10);
            }), new(() => { barrier.SignalAndWait(); other = SharedMemory.CreateNew(second, 10); })];
            foreach (Thread thread in threads) thread.Start();
            foreach (Thread thread in threads) thread.Join();
            Assert.True(IsMarked(first), $"Not marked in round {round}.");
            (round % 2 == 0 ? segment : other)!.Dispose();
            Assert.True(File.Exists(first.NativeKey), $"Gone in round {round}.");
            (round % 2 == 0 ? other : segment)!.Dispose();
            Assert.False(File.Exists(first.NativeKey), $"Stayed in round {round}.");
        }
    }

    [Theory]
    [InlineData(Backend.Posix)]
    [InlineData(Backend.SystemV)]
    public void A_lock_that_was_taken_through_the_bare_native_key_goes_with_a_legacy_segment(Backend backend)
    {
        NativeIpcKeyType type = backend == Backend.Posix ? NativeIpcKeyType.PosixRealtime : NativeIpcKeyType.SystemV;
        foreach (bool removes in new[] { false, true })
        {
            SharedMemory segment = SharedMemory.CreateNew(SharedMemory.LegacyNativeKey(TestRun.NewName(), type), 10,
                removes ? s_keep : null);
            NativeIpcKey key = segment.Key;
            using (SharedMemory bare = SharedMemory.OpenExisting(new NativeIpcKey(key.NativeKey, type)))
            {
                Assert.True(bare.TryLock(out SharedMemoryLock ofBare));
                ofBare.Dispose();
                Assert.True(segment.TryLock(out SharedMemoryLock own));
                own.Dispose();
            }

            segment.Dispose();
            if (removes) Assert.True(SharedMemory.Remove(key));
            Assert.False(SystemSemaphore.TryOpenExisting(new NativeIpcKey(key.NativeKey, type), out _),
                "The lock under the bare native key stayed.");
            Assert.False(SystemSemaphore.TryOpenExisting(SystemSemaphore.LegacyNativeKey(key.LegacyKey, type), out _),
                "The lock stayed.");
            Assert.False(backend == Backend.SystemV && File.Exists(key.NativeKey), "The key file stayed.");
        }
    }
}
