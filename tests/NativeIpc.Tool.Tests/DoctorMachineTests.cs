using System.Text.Json;
using Xunit;

namespace NativeIpc.Tool.Tests;

/// <summary>What <c>nipc doctor</c> finds about the machine itself: each in namespaces of its own, in which a script
/// makes the machine so.</summary>
[NeedsLinux("Namespaces of its own need root, on Linux.")]
[NeedsRoot("Namespaces of its own need root, on Linux.")]
public sealed class DoctorMachineTests : IDisposable
{
    // Of namespaces and mounts: a container may forbid them, even to root.
    private const int CannotSetUp = 125;

    private readonly TestNames _names = new();

    public void Dispose() => _names.Dispose();

    [Fact]
    public void Two_key_files_with_one_key_are_an_error()
    {
        string folder = _names.TrackPath(
            Directory.CreateDirectory(Path.Combine(TestNames.Folder, TestNames.NextName())).FullName);

        // A tmpfs numbers its files one after the other: after 65,536 more comes one with the same lower 16 bits, which
        // is all that ftok takes.
        string setUp = $$"""
            mount -t tmpfs -o mode=700,nr_inodes=0 tmpfs '{{folder}}' && cd '{{folder}}' && mkdir pool &&
                export XDG_RUNTIME_DIR='{{folder}}' || exit 125
            "$0" create shm 'systemv:{{folder}}/first' 100 > /dev/null || exit 124
            (cd pool && seq 65600 | xargs touch) || exit 124
            wanted=$(($(stat -c %i first) % 65536))
            twin=$(find pool -type f -printf '%i %p\n' |
                awk -v wanted=$wanted '$1 % 65536 == wanted { print $2; exit }')
            mv "$twin" second || exit 124
            """;
        JsonElement collision = Single(Doctor(1, setUp), "KeyCollision");
        Check(collision, "Error", "is what several key files lead to",
            "Remove one of the files while its users are stopped; it gets another inode when it is made anew.", null);
        Assert.Contains($"{folder}/", collision.GetProperty("summary").GetString(), StringComparison.Ordinal);
        Assert.False(collision.GetProperty("safeToFix").GetBoolean());
        Assert.Contains("key-collision",
            collision.GetProperty("object").GetProperty("flags").EnumerateArray().Select(flag => flag.GetString()));
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(1, true)]
    [InlineData(2, true)]
    public void Protected_regular_is_told_where_it_is_on(int level, bool isTold)
    {
        JsonElement said = Doctor(0,
            $"mount -t tmpfs tmpfs /mnt && echo {level} > /mnt/level && mount --bind /mnt/level "
                + $"/proc/sys/fs/protected_regular || exit 125");
        if (isTold)
        {
            Check(Single(said, "ProtectedRegular"), "Information",
                $"fs.protected_regular is {level}: a program that passes O_CREAT for an object of another user in "
                    + $"/dev/shm gets EACCES",
                "Nothing, unless C programs of several users share objects: let them open without O_CREAT first.",
                null);
        }
        else
        {
            Assert.Empty(Of(said, "ProtectedRegular"));
        }
    }

    [Fact]
    public void A_small_shared_memory_folder_is_told()
    {
        JsonElement said = Doctor(0, "mount -t tmpfs -o mode=1777,size=1m tmpfs /dev/shm || exit 125");
        Check(Single(said, "SharedMemoryFolder"), "Information",
            "/dev/shm has only 1 MiB, as containers get it: larger segments fail",
            "Give the container more (docker run --shm-size), or mount it larger.",
            "mount -o remount,size=50% /dev/shm");
        Assert.Empty(Of(said, "LimitNear"));
    }

    [Fact]
    public void A_shared_memory_folder_that_is_missing_is_an_error()
    {
        // A folder that the system will not let go of cannot be removed, but /dev can be another one without it.
        JsonElement said = Doctor(1,
            "mount -t tmpfs -o mode=755 tmpfs /dev && mknod -m 666 /dev/null c 1 3 && mknod -m 666 /dev/urandom c 1 9 "
                + "|| exit 125");
        Check(Single(said, "SharedMemoryFolder"), "Error", "/dev/shm is missing: POSIX objects cannot be made.",
            "Mount it.", "mkdir -m 1777 -p /dev/shm && mount -t tmpfs -o mode=1777 tmpfs /dev/shm");
        Assert.Contains(Of(said, "Unseen"),
            finding => Text(finding, "summary")!.Contains("there is no such folder", StringComparison.Ordinal));
    }

    [Fact]
    public void A_shared_memory_folder_that_is_a_file_is_missing_too()
    {
        JsonElement said = Doctor(1,
            "mount -t tmpfs -o mode=755 tmpfs /dev && mknod -m 666 /dev/null c 1 3 && mknod -m 666 /dev/urandom c 1 9 "
                + "&& echo x > /dev/shm || exit 125");
        Check(Single(said, "SharedMemoryFolder"), "Error", "/dev/shm is missing", "Mount it.",
            "mkdir -m 1777 -p /dev/shm && mount -t tmpfs -o mode=1777 tmpfs /dev/shm");
    }

    [Fact]
    public void A_shared_memory_folder_on_another_file_system_than_a_tmpfs_is_a_warning()
    {
        // A folder of this machine's disk in the place of /dev/shm. Where that is a tmpfs itself, there is nothing to
        // see.
        string folder = _names.TrackPath(
            Directory.CreateDirectory(Path.Combine("/var/tmp", TestNames.NextName())).FullName);
        string format = new DriveInfo(folder).DriveFormat;
        Assert.SkipWhen(format is "tmpfs" or "ramfs", "/var/tmp is a tmpfs on this machine.");
        JsonElement said = Doctor(1, $"chmod 1777 '{folder}' && mount --bind '{folder}' /dev/shm || exit 125");
        Check(Single(said, "SharedMemoryFolder"), "Warning",
            $"/dev/shm is a {format} and no tmpfs: objects may be slow, and survive a restart of the machine.",
            "Mount a tmpfs there.",
            "mount -t tmpfs -o mode=1777 tmpfs /dev/shm");
    }

    [Theory]
    [InlineData(983040, "Warning")] // 15/16
    [InlineData(1048576, "Error")]
    public void A_shared_memory_folder_that_is_nearly_full_is_told(int used, string severity)
    {
        JsonElement said = Doctor(1,
            $"mount -t tmpfs -o mode=1777,size=1m tmpfs /dev/shm || exit 125; head -c {used} /dev/zero > "
                + $"/dev/shm/large || exit 124");
        Check(Single(said, "LimitNear"), severity, $"/dev/shm: {used} of 1048576 bytes are used",
            "Remove what nobody uses, or make it larger (in a container: docker run --shm-size).",
            "mount -o remount,size=50% /dev/shm");
    }

    [Theory]
    [InlineData("755", "755 instead of 1777: other users cannot make or open objects.")]
    [InlineData("777", "777 instead of 1777: every user may remove the objects of the others.")]
    public void A_shared_memory_folder_with_other_rights_is_a_warning(string mode, string summary)
        => Check(Single(Doctor(1, $"chmod {mode} /dev/shm"), "SharedMemoryFolder"), "Warning", summary,
            "Give it its usual mode.", "chmod 1777 /dev/shm");

    [Theory]
    [InlineData(9, "Warning")]
    [InlineData(10, "Error")]
    public void A_limit_of_segments_that_is_nearly_reached_is_told_with_the_command_that_raises_it(int used,
        string severity)
    {
        JsonElement said = Doctor(1,
            $"echo 10 > /proc/sys/kernel/shmmni || exit 125; for i in $(seq {used}); do ipcmk -M 100 > /dev/null || "
                + $"exit 124; done");
        Check(Single(said, "LimitNear"), severity, $"kernel.shmmni: {used} of 10 segments are used",
            "Remove what nobody uses, or raise the limit.", "sysctl -w kernel.shmmni=20");
        JsonElement limit = Assert.Single(said.GetProperty("limits").EnumerateArray(),
            each => Text(each, "name") == "kernel.shmmni");
        Assert.Equal((used, 10), (limit.GetProperty("used").GetInt32(), limit.GetProperty("maximum").GetInt32()));
    }

    [Theory]
    [InlineData("250 32000 32 10", 1, "kernel.sem (SEMMNI): 9 of 10 sets are used",
        "sysctl -w kernel.sem=\"250 32000 32 20\"")]
    [InlineData("250 50 32 128", 5, "kernel.sem (SEMMNS): 45 of 50 semaphores are used",
        "sysctl -w kernel.sem=\"250 100 32 128\"")]
    public void Limits_of_semaphores_that_are_nearly_reached_are_told_with_the_command_that_raises_them(string limits,
        int each, string summary, string command)
    {
        JsonElement said = Doctor(1,
            $"echo '{limits}' > /proc/sys/kernel/sem || exit 125; for i in $(seq 9); do ipcmk -S {each} > /dev/null "
                + $"|| exit 124; done");
        Check(Single(said, "LimitNear"), "Warning", summary, "Remove what nobody uses, or raise the limit.", command);
    }

    [Theory]
    [InlineData("yes", 0, "Information")]
    [InlineData("yes", 54321, "Warning")] // an object of a user of people
    [InlineData("no", 54321, null)]
    public void RemoveIPC_is_told_where_logind_runs_and_a_warning_where_people_have_objects(string setting, int owner,
        string? severity)
    {
        // The last drop-in decides, whatever this machine has.
        string setUp = $"""
            mount -t tmpfs -o mode=755 tmpfs /run || exit 125
            mkdir -p /run/systemd/system /run/systemd/seats /run/systemd/logind.conf.d \
                || exit 125
            printf '[Login]\nRemoveIPC={setting}\n' > /run/systemd/logind.conf.d/zzzz-nipc.conf
            echo x > /dev/shm/segment && chown {owner} /dev/shm/segment || exit 124
            """;
        JsonElement said = Doctor(severity == "Warning" ? 1 : 0, setUp);
        if (severity is null)
        {
            Assert.Empty(Of(said, "RemovedAtLogout"));
            return;
        }

        Check(Single(said, "RemovedAtLogout"), severity, "(RemoveIPC=yes)",
            "For services, use a system user (below 1000) or loginctl enable-linger; or switch it off.",
            "mkdir -p /etc/systemd/logind.conf.d && printf '[Login]\\nRemoveIPC=no\\n' > "
                + "/etc/systemd/logind.conf.d/ipc.conf && systemctl restart systemd-logind");
    }

    [Fact]
    public void A_devshm_without_inodes_is_an_error_that_names_them()
    {
        JsonElement said =
            Doctor(1, "mount -t tmpfs -o mode=1777,size=1m,nr_inodes=2 tmpfs /dev/shm && echo x > /dev/shm/segment "
            + "|| exit 125");
        Check(Single(said, "LimitNear"), "Error", "/dev/shm (inodes): 2 of 2 inodes are used",
            "Remove what nobody uses, or give it more.", "mount -o remount,nr_inodes=4 /dev/shm");
    }

    [Fact]
    public void Segments_that_the_kernel_removes_are_a_warning_and_none_is_made_that_would_not_stay()
    {
        string key = $"systemv:{_names.TrackPath(Path.Combine(TestNames.Folder, TestNames.NextName()))}";
        const string on = "echo 1 > /proc/sys/kernel/shm_rmid_forced || exit 125";
        Check(Single(Doctor(1, on), "RemovedWithoutUsers"), "Warning", "kernel.shm_rmid_forced is 1",
            "Set it to 0, which is what POSIX asks for, or use POSIX objects.", "sysctl -w kernel.shm_rmid_forced=0");
        ShellResult made =
            Shell.Run("unshare", ["--ipc", "sh", "-c", $"{on}; exec \"$0\" create shm '{key}' 100", Nipc.Program]);
        Assert.SkipWhen(made.ExitCode == CannotSetUp,
            $"This container does not let the machine be made so: {made.Error}");
        Assert.Equal(6, made.ExitCode);
        Assert.Contains("kernel.shm_rmid_forced", made.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(key["systemv:".Length..]));
    }

    [Fact]
    public void A_container_is_told_what_it_does_not_see()
    {
        JsonElement[] findings = [.. Of(Doctor(0, "", "--pid", "--fork", "--mount-proc"), "Namespace")];
        Check(
            Assert.Single(findings, finding =>
                Text(finding, "summary")!.Contains("IPC namespace", StringComparison.Ordinal)), "Information",
            "it sees neither the System V objects of the host nor those of other containers",
            "To share them, start the container in the other's namespace (docker run --ipc=host or "
                + "--ipc=container:NAME).", null);
        Check(
            Assert.Single(findings, finding =>
                Text(finding, "summary")!.Contains("PID namespace", StringComparison.Ordinal)), "Information",
            "processes outside are not seen", "Ask on the host, or start the container with --pid=host.", null);
    }

    /// <summary>What is said on a machine with an empty /dev/shm and no System V objects, after a script.</summary>
    private static JsonElement Doctor(int exitCode, string setUp, params string[] namespaces)
    {
        string script = $"mount -t tmpfs -o mode=1777,size=1g tmpfs /dev/shm || exit {CannotSetUp}\n{setUp}\nexec "
            + $"\"$0\" doctor --json";
        ShellResult result = Shell.Run("unshare",
            ["--ipc", "--mount", "--propagation", "private", .. namespaces, "sh", "-c", script, Nipc.Program]);
        Assert.SkipWhen(result.ExitCode == CannotSetUp,
            $"This container does not let the machine be made so: {result.Error}");
        Assert.True(result.ExitCode == exitCode,
            $"{result.ExitCode} instead of {exitCode}:\n{result.Output}{result.Error}");
        using JsonDocument document = JsonDocument.Parse(result.Output);
        return document.RootElement.Clone();
    }

    private static IEnumerable<JsonElement> Of(JsonElement said, string kind)
        => said.GetProperty("findings").EnumerateArray().Where(finding => Text(finding, "finding") == Nipc.Word(kind));

    private static JsonElement Single(JsonElement said, string kind) => Assert.Single(Of(said, kind));

    private static void Check(JsonElement finding, string severity, string inSummary, string remedy, string? command)
    {
        Assert.Equal(Nipc.Word(severity), Text(finding, "severity"));
        Assert.Contains(inSummary, Text(finding, "summary"), StringComparison.Ordinal);
        Assert.Equal(remedy, Text(finding, "remedy"));
        Assert.Equal(command, Text(finding, "command"));
    }

    private static string? Text(JsonElement element, string property)
        => element.TryGetProperty(property, out JsonElement value) ? value.GetString() : null;
}
