using NativeIpc.Interop.Unix;
using NativeIpc.Victim;
using Xunit;

namespace NativeIpc.Machine;

/// <summary>A /dev/shm that is read-only or missing; no /proc; a /dev/shm without unnamed files.</summary>
[NeedsLinux("Uses Linux's mounts.")]
public class MissingSystemTests
{
    private const int EROFS = 30;
    private static readonly NativeIpcKey s_key = new("/key", NativeIpcKeyType.PosixRealtime);
    private static readonly NativeIpcKey s_new = new("/new", NativeIpcKeyType.PosixRealtime);
    private static readonly string s_supportsPosix = $"supports {(int)NativeIpcKeyType.PosixRealtime}";

    [Fact]
    [NeedsRoot(Victims.WhyRoot)]
    public void A_read_only_devshm_lets_read_what_is_there_and_denies_the_rest()
    {
        Assert.SkipUnless(Libraries.IsGlibc, "The semaphore's file has glibc's name.");
        var situation = new Situation
        {
            MountFirst = "mount -t tmpfs none /dev/shm; head -c 4096 /dev/zero > /dev/shm/key; head -c 32 /dev/zero > "
                + "/dev/shm/sem.key; mount -o remount,ro /dev/shm",
            After = Situation.ListDevShm,
        };
        VictimResult result = Victims.Run(situation,
            s_supportsPosix, $"segment-read {s_key}", $"segment-open {s_key}", $"segment-create-or-open {s_key} 1",
            $"segment-create {s_new} 1", $"segment-remove {s_key}",
            $"semaphore-open {s_key}", $"semaphore-create {s_new} 1", $"semaphore-reset {s_new} 1",
            $"semaphore-remove {s_key}", $"segment-try-open {s_new}", $"semaphore-try-open {s_new}");

        Assert.Equal(("segments True, semaphores True", "opened 4096"), (result[0].Did, result[1].Did));
        result[2].AssertSays(NativeIpcError.PermissionDenied, s_key, "shm_open", EROFS);
        result[3].AssertSays(NativeIpcError.PermissionDenied, s_key, "shm_open", EROFS);
        result[4].AssertSays(NativeIpcError.PermissionDenied, s_new, "open", EROFS);
        result[5].AssertSays(NativeIpcError.PermissionDenied, s_key, "shm_unlink", EROFS);
        result[6].AssertSays(NativeIpcError.PermissionDenied, s_key, "open", EROFS);
        result[7].AssertSays(NativeIpcError.PermissionDenied, s_new, "open", EROFS);
        result[8].AssertSays(NativeIpcError.PermissionDenied, s_new, "open", EROFS);
        result[9].AssertSays(NativeIpcError.PermissionDenied, s_key, "sem_unlink", EROFS);
        Assert.Equal(("missing", "missing"), (result[10].Did, result[11].Did));
        Assert.Equal(["key", "sem.key"], result.OtherLines);
    }

    [Theory]
    [InlineData("true")]
    [InlineData("touch /dev/shm")]
    [NeedsRoot(Victims.WhyRoot)]
    public void A_missing_devshm_is_a_type_that_is_not_supported(string instead)
    {
        NativeIpcKey systemV = TestRun.NewKey(Backend.SystemV);
        var situation = new Situation
        {
            MountFirst = $"mount -t tmpfs none /dev; mknod -m 666 /dev/null c 1 3; mknod -m 666 /dev/random c 1 8; "
                + $"mknod -m 666 /dev/urandom c 1 9; {instead}",
        };
        VictimResult result = Victims.Run(situation,
            s_supportsPosix, $"segment-create {s_new} 1", $"segment-open {s_new}", $"segment-remove {s_new}",
            $"semaphore-create {s_new} 1", $"semaphore-open {s_new}", $"semaphore-remove {s_new}",
            $"segment-create {systemV} 4096", "segment-lock", $"semaphore-create {TestRun.NewKey(Backend.SystemV)} 1");

        Assert.Equal("segments False, semaphores False", result[0].Did);
        foreach (Outcome outcome in result.Outcomes[1..7])
            outcome.AssertSays(NativeIpcError.KeyError, s_new, "key check", 0);
        Assert.Equal(("created 4096", "locked", "created"), (result[7].Did, result[8].Did, result[9].Did));
    }

    [Theory]
    [InlineData("hide-proc")]
    [InlineData("refuse-tmpfile")]
    [NeedsRoot(Victims.WhyRoot)]
    public void Without_the_means_to_publish_whole_objects_the_plain_calls_serve(string missing)
    {
        Situation situation = Situation.SmallDevShm;
        Victims.Run(situation,
            missing, $"segment-create {s_key} 4096", "segment-lock", "segment-fill",
            $"segment-create-or-open {s_key} 4096", $"segment-open {s_key}",
            $"semaphore-create {s_new} 2", "semaphore-acquire", $"semaphore-open {s_new}", "semaphore-count",
            $"semaphore-reset {s_new} 5", "semaphore-count", "dispose")
            .Did(missing == "hide-proc" ? "hidden" : "refused", "created 4096", "locked", "filled", "opened 4096",
                "opened 4096",
                "created", "acquired", "opened", "1", "opened", "5", "disposed")
            .LeftNothing();
    }

    [Theory]
    [InlineData("hide-proc")]
    [InlineData("refuse-tmpfile")]
    [NeedsRoot(Victims.WhyRoot)]
    public void Without_the_means_to_publish_whole_objects_what_exists_is_refused(string missing)
    {
        VictimResult result = Victims.Run(Situation.SmallDevShm,
            missing, $"segment-create {s_key} 4096", $"segment-create {s_key} 4096", $"semaphore-create {s_new} 2",
            $"semaphore-create {s_new} 2", "dispose");
        result[2].AssertSays(NativeIpcError.AlreadyExists, s_key, "shm_open", 17);
        result[4].AssertSays(NativeIpcError.AlreadyExists, s_new, "sem_open", 17);
        result.LeftNothing();
    }

    [Fact]
    [NeedsRoot(Victims.WhyRoot)]
    public void Without_proc_a_signal_still_cleans_up()
    {
        VictimResult result = Victims.Run(Situation.SmallDevShm, "hide-proc", $"segment-create {s_key} 4096",
            $"semaphore-create {s_new} 1", "signal 15", "wait-for-ever");
        Assert.Equal("created", result[2].Did);
        Assert.Equal(143, result.ExitCode);
        result.LeftNothing();
    }
}
