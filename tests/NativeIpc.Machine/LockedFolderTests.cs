using System.Diagnostics;
using System.Diagnostics.Tracing;
using NativeIpc.Inspection;
using NativeIpc.Interop.Unix;
using NativeIpc.Posix.Users;
using NativeIpc.Victim;
using Xunit;

namespace NativeIpc.Machine;

/// <summary>Every user may take the lock of <c>/dev/shm</c>, and whoever may read an object that object's: neither
/// makes an answer wrong about who uses what.</summary>
[NeedsLinux("Uses Linux's files.")]
[NeedsRoot(Victims.WhyRoot)]
public sealed class LockedFolderTests
{
    private static readonly SharedMemoryOptions s_lastOut = new() { Removal = RemovalPolicy.LastOneOut };
    private static readonly SystemSemaphoreOptions s_lastLockOut = new() { Removal = RemovalPolicy.LastOneOut,
        Robust = true };
    private static readonly SharedMemoryOptions s_reclaim = new() { Reclaim = true,
        PeerTimeout = TimeSpan.FromMilliseconds(50) };

    private static IDisposable FolderLockedByNobody()
        => Victims.Start(Situation.Nobody, "flock /dev/shm", "wait-for-ever");

    /// <summary>The warnings of the library, of this process.</summary>
    private sealed class Warnings : EventListener
    {
        private readonly List<string> _messages = [];

        internal string[] About(NativeIpcKey key)
        {
            lock (_messages)
                return [.. _messages.Where(message => message.Contains(key.NativeKey, StringComparison.Ordinal))];
        }

        protected override void OnEventSourceCreated(EventSource eventSource)
        {
            if (eventSource.Name == "NativeIpc") EnableEvents(eventSource, EventLevel.Warning);
        }

        protected override void OnEventWritten(EventWrittenEventArgs eventData)
        {
            lock (_messages) _messages.Add($"{eventData.Payload?[0]}");
        }
    }

    [Fact]
    public void The_last_one_out_removes_segment_and_lock_while_a_stranger_has_the_folder_locked()
    {
        using IDisposable stranger = FolderLockedByNobody();
        NativeIpcKey key = TestRun.NewKey(Backend.Posix);
        SharedMemory first = SharedMemory.CreateNew(key, 100, s_lastOut);
        using (SharedMemory second = SharedMemory.OpenExisting(key, options: s_lastOut))
        {
            Assert.True(first.TryLock(out SharedMemoryLock made));
            made.Dispose();
            first.Dispose();
            Assert.True(File.Exists(TestRun.SegmentFile(key)), "It was removed under its second user.");
        }

        Assert.False(File.Exists(TestRun.SegmentFile(key)), "The segment stayed.");
        Assert.False(File.Exists(TestRun.SemaphoreFile(key)), "Its lock stayed.");

        NativeIpcKey semaphore = TestRun.NewKey(Backend.Posix);
        SystemSemaphore.CreateNew(semaphore, 1,
            new SystemSemaphoreOptions { Removal = RemovalPolicy.LastOneOut }).Dispose();
        Assert.False(File.Exists(TestRun.SemaphoreFile(semaphore)), "The semaphore stayed.");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    [Slow]
    public void Of_users_that_leave_together_one_removes(bool isFolderLocked)
    {
        using IDisposable? stranger = isFolderLocked ? FolderLockedByNobody() : null;
        const int Users = 3;
        using var barrier = new Barrier(Users);
        for (int round = 0; round < (isFolderLocked ? Sample.Of(50, 20) : Sample.Of(300, 100)); round++)
        {
            NativeIpcKey key = TestRun.NewKey(Backend.Posix);
            SharedMemory[] users = [.. Enumerable.Range(0,
                Users).Select(_ => SharedMemory.CreateOrOpen(key, 100, s_lastOut))];
            Assert.True(users[0].TryLock(out SharedMemoryLock made));
            made.Dispose();
            Thread[] threads = [.. users.Select(user => new Thread(() =>
            {
                barrier.SignalAndWait();
                user.Dispose();
            }))];
            foreach (Thread thread in threads) thread.Start();
            foreach (Thread thread in threads) thread.Join();
            Assert.False(File.Exists(TestRun.SegmentFile(key)), $"The segment stayed in round {round}.");
            Assert.False(File.Exists(TestRun.SemaphoreFile(key)), $"Its lock stayed in round {round}.");
        }
    }

    /// <summary>Between fork(2) and execve(2) a child has all that its parent has open: it is no user of it. Not tried
    /// for a semaphore that is not robust: it has no descriptor but while it is opened.</summary>
    [Fact]
    [Slow]
    public void The_last_one_out_removes_while_its_process_starts_others()
    {
        using var warnings = new Warnings();
        using var end = new CancellationTokenSource();
        Thread[] starters = [.. Enumerable.Range(0, 2).Select(_ => new Thread(() =>
        {
            while (!end.IsCancellationRequested)
            {
                using Process started = Process.Start("/bin/true");
                started.WaitForExit();
            }
        }))];
        foreach (Thread starter in starters) starter.Start();
        try
        {
            for (int round = 0; round < Sample.Of(500, 150); round++)
            {
                NativeIpcKey key = TestRun.NewKey(Backend.Posix);
                SharedMemory.CreateOrOpen(key, 100, s_lastOut).Dispose();
                bool stayed = SharedMemory.Remove(key);
                SystemSemaphore.CreateOrOpen(key, 1, s_lastLockOut).Dispose();
                bool lockStayed = SystemSemaphore.Remove(key);
                Assert.False(stayed, $"The segment stayed in round {round}. {string.Join(' ', warnings.About(key))}");
                Assert.False(lockStayed,
                    $"The robust semaphore stayed in round {round}. {string.Join(' ', warnings.About(key))}");
            }
        }
        finally
        {
            end.Cancel();
            foreach (Thread starter in starters) starter.Join();
        }
    }

    /// <summary>A lock that a user of another language has on its file is no word that it does not use it.</summary>
    [Fact]
    public void A_record_lock_on_the_whole_file_is_that_of_a_user()
    {
        NativeIpcKey key = TestRun.NewKey(Backend.Posix);
        SharedMemory segment = SharedMemory.CreateNew(key, 100, s_lastOut);
        using var warnings = new Warnings();
        using (var other = new UnixDescriptor(Libc.open(TestRun.SegmentFile(key), Flags.O_RDWR | Flags.O_CLOEXEC, 0)))
        {
            Assert.Equal(0, Libc.LockBytes(other, 0, 0, Flags.F_RDLCK));
            segment.Dispose();
            Assert.Empty(warnings.About(key));
        }

        Assert.True(SharedMemory.Remove(key));
    }

    /// <summary>The kernel counts the descriptors of a process until it is gone.</summary>
    [Fact]
    [Slow]
    public void Of_processes_that_end_together_one_removes()
    {
        for (int round = 0; round < Sample.Of(5, 2); round++)
        {
            NativeIpcKey key = TestRun.NewKey(Backend.Posix);
            (_, string said) = Victims.RunGroup(4, "TERM", "ed 100\"",
                $"segment-create-or-open {key} 100 removal=LastOneOut", "wait-for-ever");
            bool stayed = File.Exists(TestRun.SegmentFile(key));
            SharedMemory.Remove(key);
            Assert.False(stayed, $"The segment stayed in round {round}.\n{said}");
        }
    }

    [Fact]
    public void Reclaim_starts_afresh_while_a_stranger_has_the_folder_locked()
    {
        using IDisposable stranger = FolderLockedByNobody();
        NativeIpcKey key = TestRun.NewKey(Backend.Posix);
        using (SharedMemory stale = SharedMemory.CreateNew(key, 100,
            new SharedMemoryOptions { Removal = RemovalPolicy.Keep }))
            stale.Span[0] = 42;
        using (SharedMemory fresh = SharedMemory.CreateOrOpen(key, 50, s_reclaim))
        {
            Assert.True(fresh.CreatedNew);
            Assert.Equal(0, fresh.Span[0]);
            Outcome.From("CreateNew", () => $"{SharedMemory.CreateNew(key, 50, s_reclaim)}")
                .AssertSays(NativeIpcError.AlreadyExists, key, "shm_open", 17);
            using SharedMemory used = SharedMemory.CreateOrOpen(key, 50, s_reclaim);
            Assert.False(used.CreatedNew);
        }

        SharedMemory.CreateNew(key, 100, new SharedMemoryOptions { Removal = RemovalPolicy.Keep }).Dispose();
        using SharedMemory made = SharedMemory.CreateNew(key, 50, s_reclaim);
        Assert.True(made.CreatedNew);
    }

    [Fact]
    public void Reclaim_fails_and_says_so_where_a_reader_of_the_object_has_it_locked()
    {
        NativeIpcKey key = TestRun.NewKey(Backend.Posix);
        // 0644
        SharedMemory.CreateNew(key, 100,
            new SharedMemoryOptions { Mode = FileModes.Mode644, Removal = RemovalPolicy.Keep }).Dispose();
        NativeIpcKey semaphore = TestRun.NewKey(Backend.Posix);
        SystemSemaphore.CreateNew(semaphore, 3,
            new SystemSemaphoreOptions { Mode = FileModes.Mode644, Removal = RemovalPolicy.Keep }).Dispose();
        using (Victims.Start(Situation.Nobody, $"flock {TestRun.SegmentFile(key)}", "wait-for-ever"))
        {
            Outcome.From("CreateOrOpen", () => $"{SharedMemory.CreateOrOpen(key, 50, s_reclaim)}")
                .AssertSays(NativeIpcError.LockError, key, "flock", Errno.EAGAIN);
            Outcome.From("CreateNew", () => $"{SharedMemory.CreateNew(key, 50, s_reclaim)}")
                .AssertSays(NativeIpcError.LockError, key, "flock", Errno.EAGAIN);
        }

        using (Victims.Start(Situation.Nobody, $"flock {TestRun.SemaphoreFile(semaphore)}", "wait-for-ever"))
        {
            var options = new SystemSemaphoreOptions { Reclaim = true, PeerTimeout = TimeSpan.Zero };
            Outcome.From("CreateOrOpen", () => $"{SystemSemaphore.CreateOrOpen(semaphore, 1, options)}")
                .AssertSays(NativeIpcError.LockError, semaphore, "flock", Errno.EAGAIN);
        }

        Assert.True(SharedMemory.Remove(key) && SystemSemaphore.Remove(semaphore));
    }

    [Fact]
    public void A_last_one_out_that_cannot_tell_leaves_the_object_and_says_so()
    {
        using var warnings = new Warnings();
        NativeIpcKey key = TestRun.NewKey(Backend.Posix);
        SharedMemory segment = SharedMemory.CreateNew(key, 100,
            s_lastOut with { Mode = FileModes.Mode644, PeerTimeout = TimeSpan.FromMilliseconds(50) });
        using (Victims.Start(Situation.Nobody, $"flock {TestRun.SegmentFile(key)}", "wait-for-ever")) segment.Dispose();
        Assert.Contains("cannot be told", Assert.Single(warnings.About(key)), StringComparison.Ordinal);
        Assert.True(SharedMemory.Remove(key));
    }

    [Fact]
    public void What_somebody_only_has_open_is_in_use_and_no_warning()
    {
        using var warnings = new Warnings();
        using IDisposable stranger = FolderLockedByNobody();
        NativeIpcKey key = TestRun.NewKey(Backend.Posix);
        SharedMemory segment = SharedMemory.CreateNew(key, 100, s_lastOut with { Mode = FileModes.Mode644 });
        using (Victims.Start(Situation.Nobody, $"open {TestRun.SegmentFile(key)}", "wait-for-ever"))
        using (File.OpenRead(TestRun.SegmentFile(key))) // with a shared lock, as .NET's streams have
        {
            segment.Dispose();
            Assert.False(SharedMemory.CreateOrOpen(key, 50,
                s_reclaim with { Removal = RemovalPolicy.Keep }).CreatedNew);
        }

        Assert.Empty(warnings.About(key));
        Assert.True(SharedMemory.Remove(key));
    }

    /// <summary>Whoever asks is cut off wherever the machine likes, for as long as it likes, with the file open: he is
    /// no user.</summary>
    [Theory]
    [InlineData(false, true)] // looks, or waits to ask
    [InlineData(true, true)] // asks, or has asked and has yet to close the file
    [InlineData(true, false)] // only says so
    public void One_who_asks_is_not_taken_for_a_user(bool asks, bool hasItOpen)
    {
        using var warnings = new Warnings();
        NativeIpcKey key = TestRun.NewKey(Backend.Posix);
        SharedMemory segment = SharedMemory.CreateNew(key, 100,
            s_lastOut with { PeerTimeout = TimeSpan.FromMilliseconds(50) });
        using (AskMark? mark = AskMark.TryBegin(TestRun.SegmentFile(key)))
        using (UnixDescriptor? file = hasItOpen ? Libc.OpenToLook(TestRun.SegmentFile(key), out _) : null)
        {
            if (asks) mark!.Ask();
            segment.Dispose();
        }

        if (hasItOpen)
        {
            Assert.Contains("only to ask", Assert.Single(warnings.About(key)), StringComparison.Ordinal);
            SharedMemory.OpenExisting(key, SharedMemoryAccess.ReadWrite, s_lastOut).Dispose();
        }

        Assert.False(SharedMemory.Remove(key), "It stayed.");
    }

    [Fact]
    public void A_list_that_is_made_while_somebody_asks_lets_him_finish_and_tells_what_there_is()
    {
        NativeIpcKey key = TestRun.NewKey(Backend.Posix);
        SystemSemaphore.CreateNew(key, 7, new SystemSemaphoreOptions { Removal = RemovalPolicy.Keep }).Dispose();
        using (AskMark? mark = AskMark.TryBegin(TestRun.SemaphoreFile(key)))
        {
            mark!.Ask();
            IpcObjectInfo found = IpcObjects.Enumerate(new IpcEnumerationOptions { FindUnused = true }).Objects.Single(
                one => one.Key == key);
            Assert.Equal((7, false), (found.Value, found.IsInUse));
        }

        Assert.True(SystemSemaphore.Remove(key));
    }

    /// <summary>Processes that ask may meet: what one of them does for an instant must not look like a user to
    /// another.</summary>
    [Fact]
    public void Who_asks_never_takes_what_another_one_who_asks_takes_for_the_lock_of_a_user()
    {
        NativeIpcKey key = TestRun.NewKey(Backend.Posix);
        SharedMemory.CreateNew(key, 100, new SharedMemoryOptions { Removal = RemovalPolicy.Keep }).Dispose();
        string trace = Path.Combine(TestRun.Folder, TestRun.NewName());
        using (FolderLockedByNobody())
        using (File.OpenRead(TestRun.SegmentFile(key))) // with a shared lock, as .NET's streams have
        {
            Victims.Run(new Situation { Trace = trace, Traced = "trace=flock" }, "listen",
                $"segment-open {key} removal=LastOneOut", "dispose", "events").Did("listens", "opened 100",
                    "disposed", "");
            Assert.True(File.Exists(TestRun.SegmentFile(key)), "It was removed under its user.");
        }

        string[] locks = [.. File.ReadLines(trace).Where(line => line.Contains("</dev/shm", StringComparison.Ordinal))];
        File.Delete(trace);
        Assert.True(SharedMemory.Remove(key));
        Assert.Contains(locks, line => line.Contains("EAGAIN", StringComparison.Ordinal));
        Assert.DoesNotContain(locks, line => line.Contains("LOCK_SH", StringComparison.Ordinal));
    }

    [Fact]
    public void Listing_and_removing_what_is_unused_does_not_depend_on_the_lock_of_the_folder()
    {
        using IDisposable stranger = FolderLockedByNobody();
        NativeIpcKey key = TestRun.NewKey(Backend.Posix);
        using (SharedMemory.CreateNew(key, 100,
            new SharedMemoryOptions { Mode = FileModes.Mode644, Removal = RemovalPolicy.Keep }))
            Assert.True(IpcObjects.Inspect(key, IpcObjectKind.SharedMemory) is { IsInUse: true });
        IpcObjectInfo found = IpcObjects.Enumerate(new IpcEnumerationOptions { FindUnused = true }).Objects.Single(
            one => one.Key == key);
        Assert.False(found.IsInUse);
        using (Victims.Start(Situation.Nobody, $"flock {TestRun.SegmentFile(key)}", "wait-for-ever"))
            Outcome.From("TryRemoveUnused", () => $"{IpcObjects.TryRemoveUnused(found)}")
                .AssertSays(NativeIpcError.LockError, key, "flock", Errno.EAGAIN);
        Assert.True(IpcObjects.TryRemoveUnused(found));
    }

    /// <summary>Whoever may open a file can keep its lock for ever; the folder says who may remove it.</summary>
    [Fact]
    public void Remove_takes_away_what_a_stranger_has_made_and_locked()
    {
        NativeIpcKey key = TestRun.NewKey(Backend.Posix);
        Victims.Run(Situation.Nobody, $"segment-create {key} 4096 removal=Keep",
            "segment-lock").Did("created 4096", "locked");
        using (Victims.Start(Situation.Nobody, $"flock {TestRun.SegmentFile(key)}", "wait-for-ever"))
            Assert.True(SharedMemory.Remove(key));
        Assert.False(File.Exists(TestRun.SegmentFile(key)));
        Assert.False(File.Exists(TestRun.SemaphoreFile(key)));
    }
}
