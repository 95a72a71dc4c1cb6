using NativeIpc.Interop.Unix;
using NativeIpc.Linux;
using NativeIpc.Victim;
using Xunit;

namespace NativeIpc.Machine;

/// <summary>Another program that sits on flock(2) of a key file or a segment delays us for a bounded time.</summary>
// One after the other: a process has few threads that wait for file locks, and these tests look for them.
[NeedsLinux("Uses flock and Linux's files.")]
[Collection("Threads that wait for file locks")]
public class ForeignFileLockTests
{
    private const int EAGAIN = 11;

    /// <summary>A lock of an open file of its own, which is to the kernel as another program's.</summary>
    internal sealed class Held : IDisposable
    {
        private readonly UnixDescriptor _file;

        /// <param name="path">The file.</param>
        /// <param name="waits">Whether to wait for a thread of this process that was left behind, and has the file for
        /// a moment.</param>
        internal Held(string path, bool waits = false)
        {
            _file = new UnixDescriptor(
                Libc.open(path, Flags.O_RDONLY | Flags.O_CLOEXEC, 0));
            Assert.Equal(0, Libc.flock((int)_file.DangerousGetHandle(),
                Flags.LOCK_EX | (waits ? 0 : Flags.LOCK_NB)));
        }

        // Not by closing: a child of another test that has not come to its exec yet has the open file, too.
        public void Dispose()
        {
            Assert.Equal(0, Libc.flock((int)_file.DangerousGetHandle(), Flags.LOCK_UN));
            _file.Dispose();
        }
    }

    [Fact]
    public void A_locked_key_file_is_a_lock_error()
    {
        NativeIpcKey key = TestRun.NewKey(Backend.SystemV);
        File.WriteAllText(key.NativeKey, "");
        using (new Held(key.NativeKey))
        {
            foreach (Outcome outcome in (Outcome[])[.. Calls.WithSegment(key), .. Calls.WithSemaphore(key)])
                outcome.AssertSays(NativeIpcError.LockError, key, "flock", EAGAIN);
        }

        Assert.True(File.Exists(key.NativeKey));
        File.Delete(key.NativeKey);
    }

    [Fact]
    public void A_locked_key_file_does_not_keep_Dispose_from_returning()
    {
        NativeIpcKey key = TestRun.NewKey(Backend.SystemV);
        var segment = SharedMemory.CreateNew(key, 4096,
            new SharedMemoryOptions { PeerTimeout = TimeSpan.FromMilliseconds(50) });
        var semaphore = SystemSemaphore.CreateNew(TestRun.KeyOf(key.NativeKey), 1,
            new SystemSemaphoreOptions { PeerTimeout = TimeSpan.FromMilliseconds(50) });
        using (new Held(key.NativeKey))
        {
            semaphore.Dispose();
            segment.Dispose();
        }

        Assert.True(SharedMemory.Remove(key)); // what could not be removed is still whole
        Assert.False(File.Exists(key.NativeKey));
    }

    /// <summary>A wait in the system's queue cannot be ended, so its thread is left behind: with a descriptor of its
    /// own, and only a few of them.</summary>
    [Fact]
    public void Waits_that_were_given_up_are_few_and_leave_nothing_when_the_lock_comes_free()
    {
        NativeIpcKey key = TestRun.NewKey(Backend.SystemV);
        File.WriteAllText(key.NativeKey, "");
        var options = new SharedMemoryOptions { PeerTimeout = TimeSpan.FromMilliseconds(50) };
        using (new Held(key.NativeKey))
        {
            for (int i = 0; i < 10; i++)
            {
                Outcome.From("CreateNew", () => $"{SharedMemory.CreateNew(key, 4096, options)}")
                    .AssertSays(NativeIpcError.LockError, key, "flock", EAGAIN);
                Assert.InRange(Opened(key.NativeKey), 1, 5); // the lock's own, and a few that wait
            }

            Assert.InRange(Opened(key.NativeKey), 2, 5);
        }

        Assert.True(SpinWait.SpinUntil(() => Opened(key.NativeKey) == 0, Patience.Seconds(30)),
            "A thread kept the lock, or its descriptor.");
        using var made = SharedMemory.CreateNew(key, 4096, options);
        Assert.True(made.CreatedNew);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(60_000)]
    [InlineData(long.MaxValue / TimeSpan.TicksPerMillisecond)]
    public async Task Who_waits_in_the_queue_gets_the_lock_when_it_comes_free_and_can_give_it_back(long milliseconds)
    {
        string path = TestRun.NewKey(Backend.SystemV).NativeKey;
        await File.WriteAllTextAsync(path, "", TestContext.Current.CancellationToken);
        using var file = new UnixDescriptor(
            Libc.open(path, Flags.O_RDONLY | Flags.O_CLOEXEC, 0));
        Task<FileLock> taking;
        using (new Held(path))
        {
            taking = Task.Factory.StartNew(Take, CancellationToken.None, TaskCreationOptions.LongRunning,
                TaskScheduler.Default);
            // With the holder's, and that of this test
            Assert.True(SpinWait.SpinUntil(() => Opened(path) == 3, Patience.Seconds(30)), "Nobody joined the queue.");
        }

        FileLock taken = await taking.WaitAsync(Patience.Seconds(30), TestContext.Current.CancellationToken);
        Assert.True(taken.IsHeld && taken.HasWaited);
        using (var another = new UnixDescriptor(
            Libc.open(path, Flags.O_RDONLY | Flags.O_CLOEXEC, 0)))
            Assert.Equal(-1, Libc.flock((int)another.DangerousGetHandle(),
                Flags.LOCK_EX | Flags.LOCK_NB));
        taken.Dispose();
        new Held(path).Dispose();
        Assert.Equal(1, Opened(path));
        File.Delete(path);

        FileLock Take()
        {
            Assert.Equal(0, FileLock.Take((int)file.DangerousGetHandle(), TimeSpan.FromMilliseconds(milliseconds),
                out FileLock held));
            return held;
        }
    }

    [Fact]
    public void A_thread_that_is_interrupted_in_the_queue_leaves_nothing()
    {
        string path = TestRun.NewKey(Backend.SystemV).NativeKey;
        File.WriteAllText(path, "");
        using var file = new UnixDescriptor(
            Libc.open(path, Flags.O_RDONLY | Flags.O_CLOEXEC, 0));
        bool wasInterrupted = false;
        var thread = new Thread(() =>
        {
            try
            {
                _ = FileLock.Take((int)file.DangerousGetHandle(), Timeout.InfiniteTimeSpan, out _);
            }
            catch (ThreadInterruptedException)
            {
                wasInterrupted = true;
            }
        });
        using (new Held(path))
        {
            thread.Start();
            Assert.True(SpinWait.SpinUntil(() => Opened(path) == 3, Patience.Seconds(30)), "Nobody joined the queue.");
            thread.Interrupt();
            Assert.True(thread.Join(Patience.Seconds(30)) && wasInterrupted);
        }

        Assert.True(SpinWait.SpinUntil(() => Opened(path) == 1, Patience.Seconds(30)),
            "The lock, or its descriptor, was kept.");
        new Held(path).Dispose();
        File.Delete(path);
    }

    internal static int Opened(string path)
        => Directory.GetFiles("/proc/self/fd").Count(link => new FileInfo(link).LinkTarget == path);

    [Fact]
    public void The_lock_of_a_segment_is_made_under_the_lock_of_the_key_file_and_opened_without()
    {
        NativeIpcKey key = TestRun.NewKey(Backend.SystemV);
        var impatient = new SharedMemoryOptions { PeerTimeout = TimeSpan.FromMilliseconds(50) };
        using SharedMemory first = SharedMemory.CreateNew(key, 4096, impatient);
        using SharedMemory second = SharedMemory.OpenExisting(key, options: impatient);
        using (new Held(key.NativeKey))
        {
            Assert.False(first.TryLock(out _)); // the caller's time is over first
            Assert.Equal(NativeIpcError.LockError,
                Assert.Throws<NativeIpcException>(() => first.Lock(TestContext.Current.CancellationToken)).Error);
        }

        // The two threads that were left in the queue have the file for a moment, each
        Assert.True(first.TryLock(TimeSpan.FromMinutes(1), out SharedMemoryLock made,
            TestContext.Current.CancellationToken));
        made.Dispose();
        using (new Held(key.NativeKey, waits: true))
        {
            Assert.True(second.TryLock(out SharedMemoryLock held));
            Assert.False(first.TryLock(out _)); // it is the same lock
            held.Dispose();
        }
    }

    [Fact]
    public void A_locked_segment_is_a_lock_error_where_its_lock_is_made_and_Dispose_goes_on()
    {
        NativeIpcKey key = TestRun.NewKey(Backend.Posix);
        var segment = SharedMemory.CreateNew(key, 4096);
        using (new Held(TestRun.SegmentFile(key)))
        {
            Outcome.From("Lock", () => $"{segment.Lock()}").AssertSays(NativeIpcError.LockError, key, "flock", EAGAIN);
            using (SharedMemory.OpenExisting(key))
                Assert.False(File.Exists(TestRun.SemaphoreFile(key)), "A lock was made.");
            segment.Dispose();
            Assert.False(File.Exists(TestRun.SegmentFile(key)), "Dispose left the name.");
        }
    }

    [Fact]
    public void A_locked_half_created_segment_is_a_lock_error_and_stays()
    {
        NativeIpcKey key = TestRun.NewKey(Backend.Posix);
        File.WriteAllBytes(TestRun.SegmentFile(key), []);
        var options = new SharedMemoryOptions { PeerTimeout = TimeSpan.FromMilliseconds(50) };
        using (new Held(TestRun.SegmentFile(key)))
        {
            Outcome.From("CreateNew", () => $"{SharedMemory.CreateNew(key, 4096, options)}")
                .AssertSays(NativeIpcError.LockError, key, "flock", EAGAIN);
            Outcome.From("CreateOrOpen", () => $"{SharedMemory.CreateOrOpen(key, 4096, options)}")
                .AssertSays(NativeIpcError.LockError, key, "flock", EAGAIN);
            Outcome.From("OpenExisting", () =>
                $"{SharedMemory.OpenExisting(key, SharedMemoryAccess.ReadWrite, options)}")
                .AssertSays(NativeIpcError.NotFound, key, "shm_open", 0);
            Assert.Equal(0, new FileInfo(TestRun.SegmentFile(key)).Length);
        }

        using SharedMemory recovered = SharedMemory.CreateNew(key, 4096, options);
        Assert.True(recovered.CreatedNew);
    }
}
