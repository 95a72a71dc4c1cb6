using NativeIpc.Victim;
using Xunit;

namespace NativeIpc.Machine;

/// <summary>A message names what is in the way, a folder or a limit, and a remedy that works there.</summary>
[NeedsLinux("Uses Linux's mounts and limits.")]
public class CauseTests
{
    private const int Self = 1234;
    private const int EPERM = 1;
    private const int E2BIG = 7;
    private const int EACCES = 13;
    private const int EINVAL = 22;
    private const int ENOSPC = 28;
    private const int EROFS = 30;
    private static readonly NativeIpcKey s_key = new("/key", NativeIpcKeyType.PosixRealtime);
    private static readonly NativeIpcKey s_other = new("/other", NativeIpcKeyType.PosixRealtime);
    private static readonly NativeIpcKey s_new = new("/new", NativeIpcKeyType.PosixRealtime);

    private static void AssertNames(Outcome outcome, params string[] texts)
    {
        foreach (string text in texts) Assert.Contains(text, outcome.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("wider Mode", outcome.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("belongs to another user", outcome.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("See ", outcome.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("umask 22")]
    [InlineData("refuse-tmpfile")]
    [NeedsRoot(Victims.WhyRoot)]
    public void Where_devshm_lets_nobody_make_files_its_mode_is_named(string calls)
    {
        Situation situation =
            new() { MountFirst =
            $"mount -t tmpfs -o mode=755 none /dev/shm; : > /dev/shm/key; chown {Self} "
                + $"/dev/shm/key", User = Self, After = Situation.ListDevShm };
        VictimResult result = Victims.Run(situation,
            calls, $"segment-create {s_new} 4096", $"segment-create-or-open {s_new} 4096",
                $"semaphore-create {s_new} 1", $"semaphore-create-or-open {s_new} 1", $"semaphore-reset {s_new} 1",
                $"segment-remove {s_key}");
        for (int i = 1; i < 7; i++)
        {
            // Of a row of ways the last one is reported: a semaphore is made under its final name then.
            string call = i == 6 ? "shm_unlink" : i is 3 or 4 or 5 ? "open" : "shm_open";
            result[i].AssertSays(NativeIpcError.PermissionDenied, i == 6 ? s_key : s_new, call, EACCES);
            AssertNames(result[i], "/dev/shm", "755", "chmod 1777 /dev/shm");
        }

        Assert.Equal(["key"], result.OtherLines);
    }

    [Fact]
    [NeedsRoot(Victims.WhyRoot)]
    public void A_read_only_devshm_is_named()
    {
        Situation situation =
            new() { MountFirst = "mount -t tmpfs none /dev/shm; : > /dev/shm/key; mount -o remount,ro /dev/shm" };
        VictimResult result =
            Victims.Run(situation, $"segment-create {s_new} 4096", $"semaphore-create {s_new} 1",
            $"segment-remove {s_key}");
        result[0].AssertSays(NativeIpcError.PermissionDenied, s_new, "open", EROFS);
        result[1].AssertSays(NativeIpcError.PermissionDenied, s_new, "open", EROFS);
        result[2].AssertSays(NativeIpcError.PermissionDenied, s_key, "shm_unlink", EROFS);
        foreach (Outcome outcome in result.Outcomes) AssertNames(outcome, "/dev/shm", "remount,rw");
    }

    [Theory]
    [InlineData("true", "missing")]
    [InlineData("touch /dev/shm", "no folder")]
    [NeedsRoot(Victims.WhyRoot)]
    public void A_missing_devshm_is_named_and_not_the_type_that_was_used(string instead, string finding)
    {
        var situation = new Situation
        {
            MountFirst =
                $"mount -t tmpfs none /dev; mknod -m 666 /dev/null c 1 3; mknod -m 666 /dev/random c 1 8; mknod -m "
                    + $"666 /dev/urandom c 1 9; {instead}",
        };
        VictimResult result =
            Victims.Run(situation, $"segment-create {s_new} 1", $"segment-open {s_new}", $"segment-remove {s_new}",
            $"semaphore-create {s_new} 1", $"semaphore-open {s_new}");
        foreach (Outcome outcome in result.Outcomes)
        {
            outcome.AssertSays(NativeIpcError.KeyError, s_new, "key check", 0);
            AssertNames(outcome, "/dev/shm", finding, "mount -t tmpfs");
            Assert.DoesNotContain("DefaultType", outcome.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    [NeedsRoot(Victims.WhyRoot)]
    public void A_statx_that_is_refused_with_the_older_call_is_named()
    {
        VictimResult result =
            Victims.Run(Situation.SmallDevShm, "refuse-status", $"segment-create {s_new} 1", $"segment-open {s_new}",
            $"semaphore-create {s_new} 1", $"semaphore-open {s_new}");
        foreach (Outcome outcome in result.Outcomes[1..])
        {
            Assert.Equal(nameof(NativeIpcException), outcome.Exception);
            AssertNames(outcome, "statx", "seccomp");
            Assert.DoesNotContain("DefaultType", outcome.Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("umask 22")]
    [InlineData("refuse-tmpfile")]
    [NeedsRoot(Victims.WhyRoot)]
    public void A_devshm_without_inodes_names_inodes_and_one_without_bytes_names_bytes(string calls)
    {
        // The folder and three objects. From Linux 6.6 on the attribute that says who removes an object counts, too: a
        // part of one inode.
        int most = Environment.OSVersion.Version >= new Version(6, 6) ? 5 : 4;
        Situation inodes =
            new() { MountFirst = $"mount -t tmpfs -o size=64m,nr_inodes={most},mode=1777 none /dev/shm",
            After = Situation.ListDevShm };
        VictimResult result =
            Victims.Run(inodes, calls, $"segment-create {s_key} 4096", $"semaphore-create {s_key} 1",
            $"segment-create {s_other} 4096", "limit-of /dev/shm (inodes)",
            $"segment-create {s_new} 4096", $"semaphore-create {s_new} 1", $"segment-create-or-open {s_new} 4096",
                "findings LimitNear", "dispose");
        Assert.Equal(("created 4096", "created", "created 4096", $"{most} of {most} inodes"),
            (result[1].Did, result[2].Did, result[3].Did, result[4].Did));
        for (int i = 5; i < 8; i++)
        {
            Assert.Equal((NativeIpcError.OutOfResources, ENOSPC), (result[i].Error!.Value, result[i].NativeErrorCode));
            AssertNames(result[i], "/dev/shm", "inodes", "nr_inodes=");
            Assert.DoesNotContain("size=", result[i].Message, StringComparison.Ordinal);
        }

        Assert.Contains("nr_inodes=", result[8].Did, StringComparison.Ordinal);
        result.LeftNothing();

        VictimResult bytes =
            Victims.Run(Situation.SmallDevShm, calls, $"segment-create {s_key} 65536", $"segment-create {s_new} 4096",
            $"semaphore-create {s_new} 1", "limit-of /dev/shm", "dispose");
        for (int i = 2; i < 4; i++)
        {
            AssertNames(bytes[i], "/dev/shm", "size=");
            Assert.DoesNotContain("inodes", bytes[i].Message, StringComparison.Ordinal);
        }

        Assert.Equal("65536 of 65536 bytes", bytes[4].Did);
    }

    /// <summary>The C library makes a semaphore under another name and links it, which takes two inodes for a
    /// moment.</summary>
    [Fact]
    [NeedsRoot(Victims.WhyRoot)]
    public void A_semaphore_by_the_plain_calls_that_finds_one_inode_names_inodes()
    {
        Situation situation =
            new() { MountFirst = "mount -t tmpfs -o size=64m,nr_inodes=2,mode=1777 none /dev/shm",
            After = Situation.ListDevShm };
        VictimResult result = Victims.Run(situation, "refuse-tmpfile", $"semaphore-create {s_new} 1");
        result[1].AssertSays(NativeIpcError.OutOfResources, s_new, "sem_open", ENOSPC);
        AssertNames(result[1], "/dev/shm", "inodes", "nr_inodes=");
        result.LeftNothing();
    }

    [Fact]
    [NeedsRoot(Victims.WhyRoot)]
    public void Removing_another_users_System_V_object_says_who_may()
    {
        NativeIpcKey key = TestRun.NewKey(Backend.SystemV);
        // 0666
        using SharedMemory segment =
            SharedMemory.CreateNew(key, 4096, new SharedMemoryOptions { Mode = FileModes.Mode666 });
        NativeIpcKey other = TestRun.NewKey(Backend.SystemV);
        using SystemSemaphore semaphore =
            SystemSemaphore.CreateNew(other, 1, new SystemSemaphoreOptions { Mode = FileModes.Mode666 });
        VictimResult result = Victims.Run(Situation.As(Self), $"segment-remove {key}", $"semaphore-remove {other}");
        result[0].AssertSays(NativeIpcError.PermissionDenied, key, "shmctl", EPERM);
        result[1].AssertSays(NativeIpcError.PermissionDenied, other, "semctl", EPERM);
        foreach (Outcome outcome in result.Outcomes) AssertNames(outcome, "owner", "creator", "root");
    }

    [Theory]
    [InlineData("1 1 1 1", EINVAL, "semget", "SEMMSL")]
    [InlineData("250 1 32 128", ENOSPC, "semget", "SEMMNS")]
    [InlineData("250 32000 1 128", E2BIG, "semop", "SEMOPM")]
    [NeedsRoot(Victims.WhyRoot)]
    public void A_lock_that_kernel_sem_does_not_let_be_made_names_the_number(string limits, int number, string call,
        string name)
    {
        Situation situation =
            new() { IsPrivateIpc = true, Before = $"echo {limits} > /proc/sys/kernel/sem",
            After = Situation.ListSystemV };
        NativeIpcKey key = TestRun.NewKey(Backend.SystemV);
        foreach (string end in new[] { "dispose", "exit 0" })
        {
            VictimResult result =
                Victims.Run(situation, $"segment-create {key} 4096", "segment-lock", "segment-fill", end);
            Assert.Equal(("created 4096", "filled"), (result[0].Did, result[2].Did));
            result[1].AssertSays(NativeIpcError.OutOfResources, key, call, number);
            AssertNames(result[1], "kernel.sem", name);
            result.LeftNothing();
            Assert.False(File.Exists(key.NativeKey), "The key file stayed.");
        }
    }

    [Theory]
    [InlineData("250 32000 32 1", "SEMMNI")]
    [InlineData("250 1 32 128", "SEMMNS")]
    [NeedsRoot(Victims.WhyRoot)]
    public void The_number_of_kernel_sem_that_is_used_up_is_named(string limits, string name)
    {
        Situation situation =
            new() { IsPrivateIpc = true, Before = $"echo {limits} > /proc/sys/kernel/sem",
            After = Situation.ListSystemV };
        NativeIpcKey first = TestRun.NewKey(Backend.SystemV);
        NativeIpcKey second = TestRun.NewKey(Backend.SystemV);
        VictimResult result =
            Victims.Run(situation, $"semaphore-create {first} 1", $"semaphore-create {second} 1", "dispose");
        result[1].AssertSays(NativeIpcError.OutOfResources, second, "semget", ENOSPC);
        AssertNames(result[1], "kernel.sem", name);
        string[] others = [.. new[] { "SEMMNI", "SEMMNS", "SEMMSL", "SEMOPM" }.Where(other => other != name)];
        Assert.All(others, other => Assert.DoesNotContain(other, result[1].Message, StringComparison.Ordinal));
        result.LeftNothing();
    }

    [Theory]
    [InlineData("shmmni", 1, "kernel.shmmni")]
    [InlineData("shmall", 1, "kernel.shmall")]
    [NeedsRoot(Victims.WhyRoot)]
    public void The_limit_of_segments_that_is_used_up_is_named(string file, int value, string name)
    {
        Situation situation =
            new() { IsPrivateIpc = true, Before = $"echo {value} > /proc/sys/kernel/{file}",
            After = Situation.ListSystemV };
        NativeIpcKey first = TestRun.NewKey(Backend.SystemV);
        NativeIpcKey second = TestRun.NewKey(Backend.SystemV);
        VictimResult result =
            Victims.Run(situation, $"segment-create {first} 4096", $"segment-create {second} 4096", "dispose");
        result[1].AssertSays(NativeIpcError.OutOfResources, second, "shmget", ENOSPC);
        AssertNames(result[1], name);
        Assert.DoesNotContain(name == "kernel.shmall" ? "kernel.shmmni" : "kernel.shmall", result[1].Message,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("mode=755", Self, NativeIpcError.PermissionDenied, EACCES, "mode 755")]
    [InlineData("ro", 0, NativeIpcError.PermissionDenied, EROFS, "read-only")]
    [InlineData("nr_inodes=1", 0, NativeIpcError.OutOfResources, ENOSPC, "inodes")]
    [NeedsRoot(Victims.WhyRoot)]
    public void A_folder_that_takes_no_key_file_is_named_with_its_reason(string options, int user,
        NativeIpcError error, int number, string reason)
    {
        string folder = Path.Combine(TestRun.Folder, TestRun.NewName());
        Directory.CreateDirectory(folder);
        try
        {
            NativeIpcKey key = TestRun.KeyOf(folder + "/key");
            Situation situation =
                new() { MountFirst = $"mount -t tmpfs -o {options} none {folder}", User = user == 0 ? null : user };
            VictimResult result =
                Victims.Run(situation, $"segment-create {key} 4096", $"semaphore-create {key} 1",
                $"semaphore-create-or-open {key} 1");
            foreach (Outcome outcome in result.Outcomes)
            {
                outcome.AssertSays(error, key, "open", number);
                AssertNames(outcome, folder, reason);
            }
        }
        finally
        {
            Directory.Delete(folder);
        }
    }

    [Fact]
    public void A_folder_that_is_missing_is_named()
    {
        NativeIpcKey key = TestRun.KeyOf(Path.Combine(TestRun.Folder, TestRun.NewName(), "key"));
        VictimResult result = Victims.Run(Situation.Plain, $"segment-create {key} 4096", $"semaphore-create {key} 1");
        foreach (Outcome outcome in result.Outcomes)
        {
            outcome.AssertSays(NativeIpcError.KeyError, key, "open", 2);
            AssertNames(outcome, $"folder {Path.GetDirectoryName(key.NativeKey)}", "mkdir");
        }
    }
}
