using Xunit;

namespace NativeIpc.Machine;

/// <summary>A control group that may take less memory than /dev/shm has: the kernel kills a process beyond it, so a
/// segment that cannot fit is refused.</summary>
[NeedsLinux("Control groups are Linux's.")]
[NeedsRoot(Victims.WhyRoot)]
public sealed class MemoryLimitTests : IDisposable
{
    private const long MiB = 1 << 20;
    private const long Limit = 192 * MiB;
    private static readonly NativeIpcKey s_key = new("/large", NativeIpcKeyType.PosixRealtime);
    private readonly string _group = "";
    private readonly string _file = "";

    public MemoryLimitTests()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Control groups are Linux's.");
        Victims.NeedNamespaces();
        (string? own, bool isSecond) = OwnGroup();
        Assert.SkipWhen(own is null, "No control group of memory is mounted here.");
        string group = Path.Combine(own, TestRun.NewName());
        _file = Path.Combine(group, isSecond ? "memory.max" : "memory.limit_in_bytes");
        try
        {
            Directory.CreateDirectory(group);
            _group = group;
            File.WriteAllText(_file, $"{Limit}");
            string swap = Path.Combine(group, isSecond ? "memory.swap.max" : "memory.memsw.limit_in_bytes");
            if (File.Exists(swap)) File.WriteAllText(swap, isSecond ? "0" : $"{Limit}");
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            Dispose();
            Assert.Skip($"No control group with a limit of memory can be made here: {failure.Message}");
        }
    }

    public void Dispose()
    {
        if (_group.Length > 0) Directory.Delete(_group);
    }

    /// <summary>Where the process is in the hierarchy that has the controller of memory.</summary>
    private static (string? Folder, bool IsSecond) OwnGroup()
    {
        foreach (string line in File.ReadLines("/proc/self/cgroup"))
        {
            if (line.Split(':', 3) is not [_, var controllers, var path]) continue;
            if (controllers.Split(',').Contains("memory")
                && Directory.Exists("/sys/fs/cgroup/memory" + path)) return ("/sys/fs/cgroup/memory" + path, false);
            string second = "/sys/fs/cgroup" + path;
            if (controllers.Length == 0 && File.Exists(second + "/cgroup.subtree_control")
                && File.ReadAllText(second + "/cgroup.subtree_control").Contains("memory",
                StringComparison.Ordinal)) return (second, true);
        }

        return (null, false);
    }

    private Situation Inside => new()
    {
        IsPrivateIpc = true,
        MountFirst = $"mount -t tmpfs -o size=1g,mode=1777 none /dev/shm; echo $$ > {_group}/cgroup.procs",
        After = $"echo $$ > {Path.GetDirectoryName(_group)}/cgroup.procs; {Situation.ListDevShm}; "
            + $"{Situation.ListSystemV}",
    };

    [Theory]
    [InlineData(Backend.Posix, "Reserve")]
    [InlineData(Backend.Posix, "Populate")]
    [InlineData(Backend.SystemV, "Reserve")]
    [InlineData(Backend.SystemV, "Populate")]
    public void A_segment_that_cannot_fit_is_out_of_resources_and_nothing_is_made(Backend backend, string allocation)
    {
        NativeIpcKey key = backend == Backend.Posix ? s_key : TestRun.NewKey(backend);
        VictimResult result =
            Victims.Run(Inside, "listen", $"segment-create {key} {Limit + 1} allocation={allocation}",
            $"segment-create-or-open {key} {Limit + 1} allocation={allocation}", "events",
            $"segment-create {key} {24 * MiB} allocation={allocation}", "segment-fill", "dispose");
        for (int i = 1; i < 3; i++)
        {
            result[i].AssertSays(NativeIpcError.OutOfResources, key, "memory limit check", 0);
            Assert.Contains(_file, result[i].Message, StringComparison.Ordinal);
            Assert.Contains($"{Limit} bytes", result[i].Message, StringComparison.Ordinal);
        }

        Assert.Equal(["", $"created {24 * MiB}", "filled", "disposed"],
            result.Outcomes[3..].Select(outcome => outcome.Did ?? outcome.Message!));
        result.LeftNothing();
        Assert.False(backend == Backend.SystemV && File.Exists(key.NativeKey), "The key file stayed.");
    }

    [Theory]
    [InlineData(Backend.Posix)]
    [InlineData(Backend.SystemV)]
    public void A_sparse_one_is_made_and_told_of_and_one_that_exists_is_opened(Backend backend)
    {
        NativeIpcKey key = backend == Backend.Posix ? s_key : TestRun.NewKey(backend);
        VictimResult result =
            Victims.Run(Inside, "listen", $"segment-create {key} {Limit + 1} allocation=Sparse", "events",
            $"segment-create-or-open {key} {Limit + 1}", $"segment-create {key} {Limit + 1}", "dispose", "events");
        Assert.Equal($"created {Limit + 1}", result[1].Did);
        Assert.StartsWith("MoreThanMemory: ", result[2].Did, StringComparison.Ordinal);
        Assert.Contains(_file, result[2].Did, StringComparison.Ordinal);
        Assert.Equal($"opened {Limit + 1}", result[3].Did);
        Assert.Equal(NativeIpcError.AlreadyExists, result[4].Error);
        Assert.Equal(("disposed", ""), (result[5].Did, result[6].Did));
        result.LeftNothing();
    }

    [Fact]
    public void The_limit_is_listed_and_a_larger_devshm_is_a_finding()
    {
        VictimResult result = Victims.Run(Inside, $"limit-of {_file}", "findings MemoryLimit");
        Assert.EndsWith($" of {Limit} bytes", result[0].Did, StringComparison.Ordinal);
        Assert.StartsWith("Warning: /dev/shm has 1024 MiB, and ", result[1].Did, StringComparison.Ordinal);
        Assert.Contains(_file, result[1].Did, StringComparison.Ordinal);
    }
}
