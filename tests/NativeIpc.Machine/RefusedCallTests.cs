using NativeIpc.Interop.Unix;
using NativeIpc.Posix.Names;
using NativeIpc.Victim;
using Xunit;

namespace NativeIpc.Machine;

/// <summary>
/// Filters (seccomp, AppArmor), kernels and file systems that refuse what is an extra: the basic thing works without.
/// </summary>
[NeedsLinux("Uses seccomp, and the files of glibc's semaphores.")]
public class RefusedCallTests
{
    private const string NoTmpfile = "openat@2&400000"; // O_TMPFILE
    private const string NoPopulating = "madvise@2=23:EINVAL"; // MADV_POPULATE_WRITE, as before Linux 5.14
    private static readonly NativeIpcKey s_key = new("/key", NativeIpcKeyType.PosixRealtime);
    private static readonly NativeIpcKey s_new = new("/new", NativeIpcKeyType.PosixRealtime);

    public RefusedCallTests() => Assert.SkipUnless(OperatingSystem.IsLinux() && Libraries.IsGlibc,
        "Uses seccomp, and the files of glibc's semaphores.");

    // F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW.
    private static string NoOfdLocks(string error) => $"fcntl@1=36:{error},fcntl@1=37:{error},fcntl@1=38:{error}";

    private static Situation Filtered(string rules) => Situation.SmallDevShm with { Filter = rules };

    [Theory]
    [InlineData(NoTmpfile + ":EACCES")]
    [InlineData(NoTmpfile + ":EPERM")]
    [InlineData("linkat:EACCES")]
    [InlineData("linkat:EPERM")]
    [InlineData("linkat:ENOSYS")]
    [InlineData(NoTmpfile + ":EACCES,linkat:EACCES,link:EACCES")]
    [InlineData("linkat:EPERM,link:EPERM")]
    [NeedsRoot(Victims.WhyRoot)]
    public void Where_the_better_way_is_refused_the_plain_one_serves(string rules)
    {
        VictimResult result = Victims.Run(Filtered(rules),
            "umask 77", $"segment-create {s_key} 4096 mode=666", "segment-lock", "segment-fill",
            $"segment-create-or-open {s_key} 4096", $"segment-open {s_key}", "segment-wait 1",
            $"semaphore-create {s_new} 2 mode=660", "semaphore-acquire", $"semaphore-open {s_new}", "semaphore-count",
            $"semaphore-reset {s_new} 5", "semaphore-count",
            "run stat -c %a /dev/shm/key", "run stat -c %a /dev/shm/sem.new", $"semaphore-create {s_new} 1",
            $"segment-create {s_key} 1", "dispose");
        Assert.Equal(["666", "660"], result.OtherLines);
        result[15].AssertSays(NativeIpcError.AlreadyExists, s_new, "sem_open", 17);
        result[16].AssertSays(NativeIpcError.AlreadyExists, s_key, "shm_open", 17);
        string[] did = [.. result.Outcomes[..13].Select(outcome => outcome.Did ?? outcome.Message!)];
        Assert.Equal(["created 4096", "locked", "filled", "opened 4096", "opened 4096", "False", "created", "acquired",
            "opened", "1", "opened", "5"], did[1..]);
        Assert.Equal("disposed", result[17].Did);
    }

    [Theory]
    [InlineData("inotify_init1:ENOSYS")]
    [InlineData("inotify_init1:EPERM")]
    [InlineData("inotify_add_watch:EACCES")]
    [NeedsRoot(Victims.WhyRoot)]
    public void Where_the_kernel_does_not_tell_of_names_a_replaced_semaphore_is_seen_by_looking(string rules)
        => Victims.Run(Filtered(rules), $"semaphore-create {s_key} 1 removal=Keep", "semaphore-was-replaced",
            $"semaphore-remove {s_key}", "semaphore-was-replaced").Did("created", "False", "removed", "True");

    [Fact]
    [NeedsRoot(Victims.WhyRoot)]
    public void Only_the_plain_way_is_reported_when_it_is_refused_too()
    {
        var situation = new Situation { User = Situation.NobodysId,
            MountFirst = "mount -t tmpfs -o mode=755 none /dev/shm" };
        VictimResult result = Victims.Run(situation, $"segment-create {s_key} 4096", $"semaphore-create {s_key} 1");
        result[0].AssertSays(NativeIpcError.PermissionDenied, s_key, "shm_open", 13);
        result[1].AssertSays(NativeIpcError.PermissionDenied, s_key, "open", 13);
    }

    [Fact]
    [NeedsRoot(Victims.WhyRoot)]
    public void A_refusal_is_remembered_after_some_in_a_row()
    {
        string trace = Path.Combine(TestRun.Folder, TestRun.NewName());
        string[] steps = [.. Enumerable.Range(0, 20).Select(i => $"segment-create /k{i} 4096")
            .Select(step => step.Replace(" /", " posix:/", StringComparison.Ordinal))];
        Victims.Run(Filtered(NoTmpfile + ":EACCES") with { Trace = trace, Traced = "trace=openat" },
            [.. steps, "dispose"]).LeftNothing();
        Assert.Equal(WholePublishing.MostRefusals,
            File.ReadLines(trace).Count(line => line.Contains("O_TMPFILE", StringComparison.Ordinal)));
        File.Delete(trace);
    }

    [Theory]
    [InlineData("semaphore-create-or-open")]
    [InlineData("semaphore-create")]
    [InlineData("semaphore-reset")]
    [NeedsRoot(Victims.WhyRoot)]
    public void A_half_made_semaphore_is_completed_by_who_creates_and_only_by_those(string creating)
    {
        VictimResult result = Victims.Run(Situation.SmallDevShm,
            "make-file /dev/shm/sem.key", $"semaphore-open {s_key} timeout=20",
            $"semaphore-try-open {s_key} timeout=20", $"{creating} {s_key} 3 timeout=20", "semaphore-count",
            $"semaphore-open {s_key}",
            "semaphore-count", "dispose").LeftNothing();
        result[1].AssertSays(NativeIpcError.NotFound, s_key, "sem_open");
        Assert.Contains("half-created", result[1].Message, StringComparison.Ordinal);
        Assert.Equal(["missing", "created", "3", "opened", "3", "disposed"],
            result.Outcomes[2..].Select(outcome => outcome.Did ?? outcome.Message));
    }

    [Fact]
    [NeedsRoot(Victims.WhyRoot)]
    public void A_half_made_lock_of_a_segment_is_completed_at_once()
        => Victims.Run(Situation.SmallDevShm,
            $"segment-create {s_key} 4096 timeout=600000",
            $"make-file {PosixNames.SemaphoreFile(PosixNames.LockKey(s_key).NativeKey)}", "segment-lock",
            $"segment-open {s_key}", "segment-wait 1", "dispose")
            .Did("created 4096", "made", "locked", "opened 4096", "False", "disposed").LeftNothing();

    [Theory]
    [InlineData("EINVAL")]
    [InlineData("ENOSYS")]
    [InlineData("ENOLCK")]
    [InlineData("EPERM")]
    [InlineData("EACCES")]
    [NeedsRoot(Victims.WhyRoot)]
    public void Without_locks_of_open_file_descriptions_a_segment_is_locked_without_recovery(string error)
    {
        VictimResult result = Victims.Run(Filtered(NoOfdLocks(error)),
            $"segment-create {s_key} 4096", "segment-lock", "segment-status", $"segment-open {s_key}", "segment-wait 1",
            "segment-wait-async 1",
            $"semaphore-create {s_new} 1", "semaphore-acquire",
            $"segment-open {s_key} recovery=true", "segment-lock", "semaphore-create posix:/robust 1 robust=true",
            "semaphore-create posix:/recorded 1 recording=Process");
        Assert.Equal(["created 4096", "locked"], result.Outcomes[..2].Select(outcome => outcome.Did));
        Assert.Contains("IsRecoverable = False", result[2].Did, StringComparison.Ordinal);
        Assert.Equal(["opened 4096", "False", "False", "created", "acquired", "opened 4096"],
            result.Outcomes[3..9].Select(outcome => outcome.Did ?? outcome.Message));
        foreach (Outcome refused in result.Outcomes[9..])
            Assert.Equal((nameof(NativeIpcException), "LockError", "fcntl"),
                (refused.Exception, $"{refused.Error}", refused.Operation));
        Assert.Contains("RequireLockRecovery", result[9].Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Who_has_no_such_locks_and_who_has_them_keep_each_other_out()
    {
        Situation without = Situation.Plain with { Filter = NoOfdLocks("EINVAL") };
        NativeIpcKey key = TestRun.NewKey(Backend.Posix);
        using SharedMemory ours = SharedMemory.CreateNew(key, 4096);
        using (ours.Lock(TestContext.Current.CancellationToken))
        {
            VictimResult kept = Victims.Run(without, $"segment-open {key}", "segment-wait 100",
                "segment-wait-async 100", "segment-status");
            Assert.Equal(["opened 4096", "False", "False"],
                kept.Outcomes[..3].Select(outcome => outcome.Did ?? outcome.Message));
            Assert.StartsWith("LockStatus { Holder = CannotTell, ProcessId = , IsRecoverable = False", kept[3].Did,
                StringComparison.Ordinal);
        }

        using (Victims.Start(without, $"segment-open-and-lock {key}", "wait-for-ever"))
        {
            // Long enough for the proof that nobody else has it open, which must not come out.
            Assert.False(ours.TryLock(TimeSpan.FromMilliseconds(500), out _, TestContext.Current.CancellationToken));
            Assert.Equal(LockHolder.Unknown, ours.GetLockStatus().Holder);
        }

        using (ours.Lock(TestContext.Current.CancellationToken))
            Victims.Run(without, $"segment-open {key}", "segment-wait 1").Did("opened 4096", "False");
        Victims.Run(without, $"segment-open {key}", "segment-wait 1").Did("opened 4096", "True");
    }

    [Theory]
    [InlineData("fallocate:ENOSYS")]
    [InlineData("fallocate:EPERM")]
    [InlineData("fallocate:EOPNOTSUPP")]
    [InlineData("fallocate:EPERM," + NoPopulating)]
    [NeedsRoot(Victims.WhyRoot)]
    public void Memory_is_reserved_without_fallocate_too(string rules)
    {
        VictimResult result = Victims.Run(Filtered(rules), $"segment-create {s_key} 20000",
            "run du -k --apparent-size /dev/shm/key", "run du -k /dev/shm/key", $"segment-create {s_new} 200000",
            "segment-fill", "dispose");
        Assert.Equal(["created 20000", "filled"], new[] { result[0].Did, result[4].Did });
        Assert.Equal(["20", "20"], result.OtherLines.Select(line => line.Split('\t')[0]));
        Assert.Equal("OutOfResources", $"{result[3].Error}");
    }

    [Fact]
    [NeedsRoot(Victims.WhyRoot)]
    public void Where_nothing_reserves_memory_a_segment_that_is_known_already_is_sparse()
        => Victims.Run(Filtered($"{NoTmpfile}:EACCES,fallocate:EPERM,{NoPopulating}"), $"segment-create {s_key} 20000",
            "segment-fill", "dispose").Did("created 20000", "filled", "disposed").LeftNothing();

    [Theory]
    [InlineData("ENOSYS")]
    [InlineData("EPERM")]
    [NeedsRoot(Victims.WhyRoot)]
    public void Without_statx_the_older_call_serves(string error)
    {
        NativeIpcKey systemV = TestRun.NewKey(Backend.SystemV);
        NativeIpcKey semaphore = TestRun.NewKey(Backend.SystemV);
        Victims.Run(Filtered($"statx:{error}"),
            $"segment-create {s_key} 4096", "segment-lock", $"segment-open {s_key}", "segment-wait 1",
            $"semaphore-create {s_new} 1", $"semaphore-open {s_new}", "semaphore-count",
            $"segment-create {systemV} 4096", "segment-lock", $"segment-open {systemV}",
            $"semaphore-create {semaphore} 1", $"semaphore-open {semaphore}", "semaphore-count", "dispose")
            .Did("created 4096", "locked", "opened 4096", "False", "created", "opened", "1", "created 4096", "locked",
                "opened 4096", "created", "opened", "1", "disposed").LeftNothing();
        Assert.False(File.Exists(systemV.NativeKey) || File.Exists(semaphore.NativeKey), "A key file stayed.");
    }

    [Theory]
    [InlineData("inotify_init1:ENOSYS")]
    [InlineData("inotify_init1:EMFILE")]
    [InlineData("epoll_create1:ENOSYS")]
    public void Without_watches_of_files_the_lock_of_a_dead_stranger_comes_free_and_chores_are_done(string rules)
    {
        NativeIpcKey key = TestRun.NewKey(Backend.Posix);
        Victims.Run(Situation.Plain with { Filter = rules }, $"segment-outlive-strangers {key} 2", "do-chores",
            "dispose").Did("2", "done", "disposed");
    }
}
