using NativeIpc.Inspection;
using NativeIpc.Victim;
using Xunit;

namespace NativeIpc.Machine;

/// <summary>Whoever may only read a System V object cannot sit on the lock of its key file; and what stands in the way
/// of that lock is told as what it is.</summary>
[NeedsLinux("Uses Linux's files.")]
[NeedsRoot(Victims.WhyRoot)]
public sealed class StrangersAtKeyFilesTests
{
    private const int EAGAIN = 11;
    private const UnixFileMode Readable = FileModes.Mode644;

    [Fact]
    public void Who_may_only_read_the_object_cannot_open_its_key_file_and_reads_all_the_same()
    {
        NativeIpcKey key = TestRun.NewKey(Backend.SystemV);
        using (SharedMemory segment = SharedMemory.CreateNew(key, 100, new SharedMemoryOptions { Mode = Readable }))
        {
            Assert.NotNull(Victims.Run(Situation.Nobody, $"flock {key.NativeKey}")[0].Exception);
            using IDisposable reader = Victims.Start(Situation.Nobody, $"segment-read {key}", "wait-for-ever");
            Assert.Equal(["opened 100", "locked", "disposed"],
                Victims.Run(Situation.Nobody, $"segment-read {key}", "segment-lock",
                    "dispose").Outcomes.Select(outcome => outcome.Did));
        }

        // The reader was killed; it may not remove, so the segment is the owner's to remove.
        Assert.True(SharedMemory.Remove(key) || !File.Exists(key.NativeKey));
        Assert.False(File.Exists(key.NativeKey));
    }

    /// <summary>A reader has no lock of the key file against the last one to detach, which looks that nobody is
    /// attached and then removes.</summary>
    [Fact]
    public async Task A_reader_never_gets_a_segment_that_the_last_one_to_detach_removes()
    {
        const int Size = 54_321; // no other has it
        NativeIpcKey key = TestRun.NewKey(Backend.SystemV);
        string end = Path.Combine(TestRun.Folder, TestRun.NewName());
        var options = new SharedMemoryOptions { Mode = Readable };
        using SharedMemory first = SharedMemory.CreateNew(key, Size, options);
        Task<VictimResult> reading = Task.Run(
            () => Victims.Run(Situation.Nobody, $"segment-read-again-and-again {key} {Size} {end}"),
            TestContext.Current.CancellationToken);
        first.Dispose();
        bool hasRead = false; // the reader takes its time to start
        for (int round = 0; (round < 3000 || !hasRead) && !reading.IsCompleted; round++)
        {
            using SharedMemory segment = SharedMemory.CreateOrOpen(key, Size, options);
            hasRead = hasRead || (IpcObjects.Inspect(key, IpcObjectKind.SharedMemory)?.LastProcessId is { } last
                && last != Environment.ProcessId);
            if (round % 2 == 0) continue;
            Assert.True(segment.TryLock(out SharedMemoryLock held));
            held.Dispose();
        }

        await File.WriteAllTextAsync(end, "", TestContext.Current.CancellationToken);
        (await reading).Did("never removed");
        File.Delete(end);
        SharedMemory.Remove(key); // the reader may not
    }

    [Theory]
    [InlineData("600", "600")]
    [InlineData("640", "600")]
    [InlineData("644", "600")]
    [InlineData("660", "640")]
    [InlineData("664", "640")]
    [InlineData("622", "644")]
    [InlineData("666", "644")]
    public void A_new_key_file_is_open_to_those_who_may_write_the_object(string mode, string expected)
    {
        foreach (string? first in new[] { null, "refuse-tmpfile" })
        {
            NativeIpcKey key = TestRun.NewKey(Backend.SystemV);
            VictimResult result = Victims.Run(Situation.Plain,
                [.. first is null ? (string[])[] : [first], $"segment-create {key} 100 mode={mode} removal=Keep"]);
            Assert.Equal("created 100", result.Outcomes[^1].Did);
            string actual = Shell.Run("stat", ["-c", "%a", key.NativeKey]).Succeeded.Trim();
            Assert.True(SharedMemory.Remove(key));
            Assert.Equal(expected, actual);
        }
    }

    /// <summary>In a folder that gives its group to its files, the group of the object is let in, and not the
    /// folder's.</summary>
    [Fact]
    public void A_key_file_belongs_to_the_group_of_the_object_also_in_a_folder_of_another_group()
    {
        string folder = Path.Combine(TestRun.Folder, TestRun.NewName());
        Directory.CreateDirectory(folder);
        _ = Shell.Run("chgrp", ["65534", folder]).Succeeded;
        _ = Shell.Run("chmod", ["2755", folder]).Succeeded;
        NativeIpcKey key = TestRun.KeyOf(Path.Combine(folder, "key"));
        using (SharedMemory.CreateNew(key, 100, new SharedMemoryOptions { Mode = FileModes.Mode660 }))
            Assert.Equal("640 0", Shell.Run("stat", ["-c", "%a %g", key.NativeKey]).Succeeded.Trim());
        Directory.Delete(folder);
    }

    [Fact]
    public void A_key_file_of_another_mode_works_as_before()
    {
        NativeIpcKey key = TestRun.NewKey(Backend.SystemV);
        File.WriteAllText(key.NativeKey, "");
        File.SetUnixFileMode(key.NativeKey, Readable);
        using (SharedMemory segment = SharedMemory.CreateNew(key, 100, new SharedMemoryOptions { Mode = Readable }))
        {
            Assert.True(segment.TryLock(out SharedMemoryLock held));
            held.Dispose();
            Victims.Run(Situation.Nobody, $"segment-read {key}", "segment-lock").Did("opened 100", "locked");
        }

        Assert.False(File.Exists(key.NativeKey));
    }

    [Fact]
    public void A_lease_on_a_key_file_is_a_lock_error_that_says_so_and_not_for_ever()
    {
        NativeIpcKey key = TestRun.NewKey(Backend.SystemV);
        File.WriteAllText(key.NativeKey, "");
        _ = Shell.Run("chown", ["65534", key.NativeKey]).Succeeded;
        foreach (Func<NativeIpcKey, IEnumerable<Outcome>> calls in new[] { Calls.WithSegment, Calls.WithSemaphore })
        {
            using (Victims.Start(Situation.Nobody, $"lease {key.NativeKey}", "wait-for-ever"))
            {
                foreach (Outcome outcome in calls(key))
                {
                    // A call that looks at the owner first does not come to the lease.
                    if (outcome.Error == NativeIpcError.PermissionDenied) continue;
                    outcome.AssertSays(NativeIpcError.LockError, key, "open", EAGAIN);
                    Assert.Contains("lease", outcome.Message, StringComparison.Ordinal);
                }
            }
        }

        File.Delete(key.NativeKey);
    }

    /// <summary>NFSv4 locks only what is open for writing (EBADF); other file systems have no locks (ENOLCK), some
    /// kernels and sandboxes no call (ENOSYS).</summary>
    [Theory]
    [InlineData(9)]
    [InlineData(37)]
    [InlineData(38)]
    public void Where_key_files_cannot_be_locked_objects_work_and_nothing_is_left(int number)
    {
        NativeIpcKey key = TestRun.NewKey(Backend.SystemV);
        NativeIpcKey semaphore = TestRun.NewKey(Backend.SystemV);
        VictimResult result = Victims.Run(Situation.Plain, $"refuse-flock {number}",
            $"segment-create {key} 100", "segment-lock", $"segment-open {key}", $"segment-create-or-open {key} 100",
            $"semaphore-create {semaphore} 1", $"semaphore-open {semaphore}", "dispose",
            $"segment-try-open {key}", $"segment-create {key} 100 removal=Keep", $"segment-remove {key}");
        Assert.Equal(["created 100", "locked", "opened 100", "opened 100", "created", "opened", "disposed", "missing",
            "created 100", "removed"],
            result.Outcomes[1..].Select(outcome => outcome.Did ?? $"{outcome}"));
        Assert.False(File.Exists(key.NativeKey), "The key file of the segment stayed.");
        Assert.False(File.Exists(semaphore.NativeKey), "The key file of the semaphore stayed.");
    }

    [Theory]
    [InlineData(9)]
    [InlineData(37)]
    [InlineData(38)]
    public void That_key_files_cannot_be_locked_is_said_once(int number)
    {
        NativeIpcKey key = TestRun.NewKey(Backend.SystemV);
        NativeIpcKey semaphore = TestRun.NewKey(Backend.SystemV);
        VictimResult result = Victims.Run(Situation.Plain, "listen", $"refuse-flock {number}",
            $"segment-create {key} 100", "segment-lock",
            "events", $"segment-open {key}", $"semaphore-create {semaphore} 1", "dispose", "events");
        Assert.Contains("no locks", Assert.Single(result[4].Did!.Split('\n')), StringComparison.Ordinal);
        Assert.Equal(("disposed", ""), (result[7].Did, result[8].Did));
    }

    [Theory]
    [InlineData(9)]
    [InlineData(37)]
    public void Without_unnamed_files_and_locks_it_is_the_same(int number)
    {
        NativeIpcKey key = TestRun.NewKey(Backend.SystemV);
        Victims.Run(Situation.Plain, "refuse-tmpfile", $"refuse-flock {number}", $"segment-create {key} 100",
            "segment-lock", "dispose").Did("refused", "refused", "created 100", "locked", "disposed");
        Assert.False(File.Exists(key.NativeKey), "The key file stayed.");
    }

    /// <summary>A number of flock(2) that says nothing of another process (EIO) is told as itself, and a create that
    /// fails takes its key file with it.</summary>
    [Theory]
    [InlineData("segment-create")]
    [InlineData("semaphore-create")]
    public void A_create_that_fails_at_the_lock_leaves_no_key_file_and_blames_nobody(string step)
    {
        NativeIpcKey key = TestRun.NewKey(Backend.SystemV);
        Outcome outcome = Victims.Run(Situation.Plain, "refuse-flock 5", $"{step} {key} 1")[1];
        outcome.AssertSays(NativeIpcError.OutOfResources, key, "flock", 5);
        Assert.DoesNotContain("process", outcome.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(key.NativeKey), "The key file stayed.");
    }
}
