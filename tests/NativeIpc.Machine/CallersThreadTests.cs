using NativeIpc.Inspection;
using NativeIpc.Interop;
using NativeIpc.Interop.Unix;
using NativeIpc.Linux;
using NativeIpc.Posix.Permits;
using Xunit;
using Held = NativeIpc.Machine.ForeignFileLockTests.Held;

namespace NativeIpc.Machine;

/// <summary>An asynchronous call never waits on its caller's thread: what it would have to wait for is waited for
/// elsewhere.</summary>
/// <remarks>Shown by what the thread calls: the pauses that it makes are counted, and so are its reads.</remarks>
// Beside the tests that look for threads in the queue of a file lock.
[NeedsLinux("Uses Linux's files.")]
[Collection("Threads that wait for file locks")]
public class CallersThreadTests
{
    private static readonly TimeSpan s_watchdog = TimeSpan.FromMinutes(1);
    private static readonly SystemSemaphoreOptions s_kept = new() { Removal = RemovalPolicy.Keep };

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>Runs a call on this thread, which must not pause in it.</summary>
    private static T WithoutPause<T>(Func<T> call)
    {
        int before = Interop.Pause.CountOfThisThread;
        T result = call();
        Assert.Equal(before, Interop.Pause.CountOfThisThread);
        return result;
    }

    private static void RemoveSet(NativeIpcKey key)
        => Assert.Equal(0, Libc.semctl(
            Libc.semget(Libc.ftok(key.NativeKey, (int)key.Type), 0, 0), 0, Flags.IPC_RMID));

    [Fact]
    public async Task Waits_for_a_set_that_has_vanished_while_a_peer_has_its_key_file_give_their_tasks()
    {
        NativeIpcKey key = TestRun.NewKey(Backend.SystemV);
        using (SystemSemaphore gone = SystemSemaphore.CreateNew(key, 3,
            new SystemSemaphoreOptions { PeerTimeout = s_watchdog, Removal = RemovalPolicy.Keep }))
        {
            // A key file without an object that is younger than PeerTimeout is one in the making
            File.SetLastWriteTimeUtc(key.NativeKey, DateTime.UnixEpoch);
            Task acquiring;
            Task<SystemSemaphorePermit> entering;
            using (new Held(key.NativeKey))
            {
                RemoveSet(key);
                Assert.False(await WithoutPause(() => gone.TryAcquireAsync(TimeSpan.Zero)));
                acquiring = WithoutPause(() => gone.AcquireAsync(Cancellation).AsTask());
                entering = WithoutPause(() => gone.EnterAsync(Cancellation).AsTask());
                Task<bool> timed = WithoutPause(() => gone.TryAcquireAsync(TimeSpan.FromMilliseconds(50)).AsTask());
                Assert.False(acquiring.IsCompleted || entering.IsCompleted || timed.IsCompletedSuccessfully);
                Assert.False(await timed.WaitAsync(s_watchdog, Cancellation));
            }

            await acquiring.WaitAsync(s_watchdog, Cancellation);
            (await entering.WaitAsync(s_watchdog, Cancellation)).Dispose();
        }

        Assert.True(SystemSemaphore.Remove(key));
    }

    /// <summary>A peer has made the set anew and died before it gave it a count: no try can tell, however
    /// often.</summary>
    [Fact]
    public async Task A_wait_goes_on_at_a_set_whose_maker_died_before_it_set_the_count()
    {
        NativeIpcKey key = TestRun.NewKey(Backend.SystemV);
        Assert.SkipUnless(ProcessMaps.SeesEveryProcess, "Needs to see every process.");
        using (SystemSemaphore gone = SystemSemaphore.CreateNew(key, 1, s_kept))
        {
            RemoveSet(key);
            int ipcKey = Libc.ftok(key.NativeKey, (int)key.Type);
            Assert.NotEqual(-1, Libc.semget(ipcKey, 1,
                Flags.IPC_CREAT | Flags.IPC_EXCL | (int)FileModes.Mode600));
            await WithoutPause(() => gone.AcquireAsync(Cancellation).AsTask()).WaitAsync(s_watchdog, Cancellation);
        }

        Assert.True(SystemSemaphore.Remove(key));
    }

    [Theory]
    [InlineData(Backend.Posix)]
    [InlineData(Backend.SystemV)]
    public async Task Locking_gives_its_task_while_a_peer_has_the_file_under_which_the_lock_is_made(Backend backend)
    {
        NativeIpcKey key = TestRun.NewKey(backend);
        var options = new SharedMemoryOptions { PeerTimeout = Timeout.InfiniteTimeSpan, Removal = RemovalPolicy.Keep };
        using (SharedMemory segment = SharedMemory.CreateNew(key, 4096, options))
        {
            Task<SharedMemoryLock> locking;
            Task<SharedMemory> opening;
            using (new Held(backend == Backend.Posix ? TestRun.SegmentFile(key) : key.NativeKey))
            {
                Assert.Null(await WithoutPause(() => segment.TryLockAsync(TimeSpan.Zero)));
                locking = WithoutPause(() => segment.LockAsync(Cancellation).AsTask());
                opening =
                    WithoutPause(
                        () => SharedMemory.OpenExistingAsync(key, Timeout.InfiniteTimeSpan,
                            cancellationToken: Cancellation));
                Assert.False(locking.IsCompleted);
            }

            (await locking.WaitAsync(s_watchdog, Cancellation)).Dispose();
            (await opening.WaitAsync(s_watchdog, Cancellation)).Dispose();
        }

        Assert.True(SharedMemory.Remove(key));
    }

    /// <summary>Calls that may make something are held up while the process ends, which a signal may only seem to
    /// do.</summary>
    [Theory]
    [InlineData(Backend.Posix)]
    [InlineData(Backend.SystemV)]
    public void Locking_while_the_process_seems_to_end_gives_its_task(Backend backend)
        => Victims.Run(Situation.Plain, $"segment-create {TestRun.NewKey(backend)} 100",
            "segment-lock-async-at-end", "dispose")
            .Did("created 100", "0 True", "disposed");

    /// <summary>Another process is in the middle of recording a permit, and does not go on.</summary>
    [Fact]
    public async Task A_wait_for_a_recorded_permit_does_not_pause_for_who_has_the_journal()
    {
        NativeIpcKey key = TestRun.NewKey(Backend.Posix);
        Assert.SkipUnless(SystemSemaphore.IsPermitRecordingSupported(key.Type), "Needs recording.");
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 2,
            new SystemSemaphoreOptions { Recording = PermitRecording.Process });
        using var journal = new Journal(TestRun.SemaphoreFile(key));
        journal.Take();
        Assert.False(await WithoutPause(() => semaphore.TryAcquireAsync(TimeSpan.Zero)));
        Task<bool> acquiring = WithoutPause(() => semaphore.TryAcquireAsync(s_watchdog).AsTask());
        Assert.False(acquiring.IsCompleted);
        journal.Leave();
        Assert.True(await acquiring.WaitAsync(s_watchdog, Cancellation));
        Assert.True(await WithoutPause(() => semaphore.TryAcquireAsync(TimeSpan.Zero)));
        semaphore.Release(2);
    }

    /// <summary>A try that pauses elsewhere for the owner of the journal does not keep the semaphore open behind
    /// Dispose.</summary>
    [Fact]
    public async Task Dispose_has_removed_the_name_also_while_a_try_pauses_for_who_has_the_journal()
    {
        for (int round = 0; round < 50; round++)
        {
            NativeIpcKey key = TestRun.NewKey(Backend.Posix);
            Assert.SkipUnless(SystemSemaphore.IsPermitRecordingSupported(key.Type), "Needs recording.");
            string path = TestRun.SemaphoreFile(key);
            SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 2,
                new SystemSemaphoreOptions { Recording = PermitRecording.Process });
            using var journal = new Journal(path);
            journal.Take();
            Task<bool> trying = semaphore.TryAcquireAsync(TimeSpan.Zero, Cancellation).AsTask();
            _ = SpinWait.SpinUntil(() => ThreadPool.PendingWorkItemCount == 0, s_watchdog);
            semaphore.Dispose();
            Assert.False(File.Exists(path), $"Round {round}: Dispose left the name to another thread.");
            try
            {
                Assert.False(await trying.WaitAsync(s_watchdog, Cancellation));
            }
            catch (ObjectDisposedException)
            {
                // Dispose came before the end of the try, as it nearly always does.
            }
        }
    }

    /// <summary>The journal of a semaphore that records its permits, taken by the one slot that is in use.</summary>
    private sealed unsafe class Journal : IDisposable
    {
        private readonly UnixDescriptor _file;
        private readonly nint _page;
        private readonly int _slot;

        internal Journal(string path)
        {
            _file = new UnixDescriptor(
                Libc.open(path, Flags.O_RDWR | Flags.O_CLOEXEC, 0));
            _page = Libc.mmap(0, 4096, Flags.PROT_READ | Flags.PROT_WRITE,
                Flags.MAP_SHARED, (int)_file.DangerousGetHandle(), 0);
            _slot = Enumerable.Range(0, PermitRecords.Count)
                .Single(slot => Libc.IsByteLockedByAnother(_file, PermitRecords.OwnersFirstByte + slot));
        }

        internal void Take() => Volatile.Write(ref *(int*)(_page + PermitRecords.JournalOffset), _slot + 1);

        internal void Leave() => Volatile.Write(ref *(int*)(_page + PermitRecords.JournalOffset), 0);

        public void Dispose()
        {
            _ = Libc.munmap(_page, 4096);
            _file.Dispose();
        }
    }

    [Fact]
    public async Task Watching_looks_on_another_thread()
    {
        using SharedMemory segment = SharedMemory.CreateNew(TestRun.NewKey(Backend.Posix), 4096);
        await using IAsyncEnumerator<IpcObjectChange> changes = IpcObjects.WatchAsync(TimeSpan.FromHours(1),
            cancellationToken: Cancellation).GetAsyncEnumerator(Cancellation);
        long reads = ReadsOfThisThread();
        long ofLooking = ReadsOfThisThread() - reads;
        reads = ReadsOfThisThread();
        ValueTask<bool> first = changes.MoveNextAsync();
        Assert.Equal(ofLooking, ReadsOfThisThread() - reads);
        Assert.True(await first);
    }

    private static long ReadsOfThisThread()
        => long.Parse(File.ReadLines("/proc/thread-self/io")
            .Single(static line => line.StartsWith("syscr:", StringComparison.Ordinal)).Split(' ')[1],
            System.Globalization.CultureInfo.InvariantCulture);
}
