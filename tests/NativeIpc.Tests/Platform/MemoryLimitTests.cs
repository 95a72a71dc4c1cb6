using NativeIpc.Platform;
using Xunit;

namespace NativeIpc.Tests.Platform;

/// <summary>Trees of /proc and /sys as machines and containers show them.</summary>
[NeedsLinux("Control groups are Linux's.")]
public sealed class MemoryLimitTests : IDisposable
{
    private const long MiB = 1 << 20;
    private const string NoLimit = "9223372036854771712\n"; // of version 1
    private const string Second = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate";
    private const string First = "34 30 0:31 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory";

    private readonly string _root = Directory.CreateTempSubdirectory("nativeipc-limits-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    private MemoryLimit? Find(string groups, string mounts, long swapMiB, params (string File, string Text)[] files)
    {
        foreach ((string file,
            string text) in files.Concat([("/proc/self/cgroup", groups),
            ("/proc/self/mountinfo", $"22 1 0:21 / / rw - ext4 /dev/vda rw\n{mounts}\n"),
            ("/proc/meminfo", $"MemTotal:       24683620 kB\nSwapTotal:      {swapMiB * 1024} kB\nSwapFree: 0 kB\n")]))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(_root + file)!);
            File.WriteAllText(_root + file, text);
        }

        return MemoryLimit.Find(_root);
    }

    [Theory]
    [InlineData("0\n", 1024, 300)]
    [InlineData("max\n", 0, 300)] // as much swap as there is: none
    [InlineData("max\n", 1024, 1324)]
    [InlineData("104857600\n", 1024, 400)]
    [InlineData("104857600\n", 50, 350)]
    [InlineData(null, 1024, 1324)] // a kernel that does not count swap
    public void Version_2_counts_memory_and_the_swap_that_can_be_had(string? swapMax, long swapMiB, long expectedMiB)
    {
        List<(string, string)> files = [("/sys/fs/cgroup/system.slice/app.service/memory.max", "314572800\n")];
        if (swapMax is not null) files.Add(("/sys/fs/cgroup/system.slice/app.service/memory.swap.max", swapMax));
        MemoryLimit? limit = Find("0::/system.slice/app.service\n", Second, swapMiB, [.. files]);
        Assert.Equal(new MemoryLimit("/sys/fs/cgroup/system.slice/app.service/memory.max", expectedMiB * MiB, null),
            limit);
    }

    [Theory]
    [InlineData("max\n", "max\n", null, null)]
    [InlineData("max\n", "314572800\n", "/sys/fs/cgroup/a.slice/memory.max", 300L)]
    [InlineData("209715200\n", "314572800\n", "/sys/fs/cgroup/a.slice/b.scope/memory.max", 200L)]
    [InlineData("314572800\n", "209715200\n", "/sys/fs/cgroup/a.slice/memory.max", 200L)]
    public void The_tightest_of_the_own_group_and_those_above_it_counts(string own, string above, string? file,
        long? expectedMiB)
    {
        MemoryLimit? limit =
            Find("0::/a.slice/b.scope\n", Second, 0, ("/sys/fs/cgroup/a.slice/b.scope/memory.max", own),
            ("/sys/fs/cgroup/a.slice/memory.max", above));
        Assert.Equal((file, expectedMiB * MiB), (limit?.File, limit?.Bytes));
    }

    [Fact]
    public void In_a_cgroup_namespace_the_mount_is_the_own_group()
    {
        MemoryLimit? limit =
            Find("0::/\n", Second, 0, ("/sys/fs/cgroup/memory.max", "314572800\n"),
            ("/sys/fs/cgroup/memory.swap.max", "0\n"),
            ("/sys/fs/cgroup/memory.swap.current", "4096\n"),
                ("/sys/fs/cgroup/memory.stat", "anon 1000\nfile 7000\nkernel 5\nshmem 6000\n"));
        Assert.Equal(new MemoryLimit("/sys/fs/cgroup/memory.max", 300 * MiB, 11096), limit);
    }

    [Theory]
    [InlineData("0::/../other.scope\n", Second)]
    [InlineData("0::/elsewhere\n", "30 23 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup2 rw")]
    [InlineData("0::/docker/abcdef\n", "30 23 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup2 rw")]
    [InlineData("0::/\n", "30 23 0:26 /../.. /sys/fs/cgroup ro - cgroup2 cgroup2 rw")]
    [InlineData("0::/\n", "30 23 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw,memory")]
    [InlineData("3:cpu:/\n", First)]
    [InlineData("", "")]
    [InlineData("nonsense\n::\n", "nonsense - \n - \n")]
    public void Where_the_own_group_cannot_be_seen_there_is_no_limit(string groups, string mounts)
        => Assert.Null(Find(groups, mounts, 0, ("/sys/fs/cgroup/memory.max", "1000\n"),
            ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "1000\n")));

    [Fact]
    public void A_container_of_version_1_without_a_namespace_sees_its_own_group_as_the_mount()
    {
        MemoryLimit? limit =
            Find("9:name=systemd:/docker/abc\n4:cpu,memory:/docker/abc\n0::/\n",
            "34 30 0:31 /docker/abc /sys/fs/cgroup/memory ro shared:7 - cgroup cgroup rw,cpu,memory", 4096,
            ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "314572800\n"),
                ("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes", "629145600\n"));
        Assert.Equal(new MemoryLimit("/sys/fs/cgroup/memory/memory.limit_in_bytes", 600 * MiB, null), limit);
    }

    [Theory]
    [InlineData("629145600\n", 4096, 600L)]
    [InlineData("629145600\n", 0, 300L)] // the machine has no swap
    [InlineData("9223372036854771712\n", 100, 400L)]
    [InlineData(null, 100, 400L)] // swap is not counted (swapaccount=0)
    public void Version_1_counts_memory_and_the_swap_that_can_be_had(string? both, long swapMiB, long expectedMiB)
    {
        List<(string, string)> files =
            [("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "314572800\n"),
            ("/sys/fs/cgroup/memory/memory.limit_in_bytes", NoLimit)];
        if (both is not null) files.Add(("/sys/fs/cgroup/memory/a/memory.memsw.limit_in_bytes", both));
        Assert.Equal(expectedMiB * MiB, Find("4:memory:/a\n", First, swapMiB, [.. files])?.Bytes);
    }

    [Theory]
    [InlineData("1\n", 200L)]
    [InlineData(null, 200L)] // Linux 5.11 and later: always
    [InlineData("0\n", 300L)]
    public void Before_Linux_5_11_groups_above_count_only_where_they_say_so(string? hierarchy, long expectedMiB)
    {
        List<(string, string)> files =
            [("/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "314572800\n"),
            ("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "209715200\n")];
        if (hierarchy is not null) files.Add(("/sys/fs/cgroup/memory/a/memory.use_hierarchy", hierarchy));
        Assert.Equal(expectedMiB * MiB, Find("4:memory:/a/b\n", First, 0, [.. files])?.Bytes);
    }

    /// <summary>As on this project's own machine: version 1 has the controller of memory, version 2 is mounted beside
    /// it and has none.</summary>
    [Fact]
    public void A_hybrid_machine_has_the_limit_where_the_controller_is()
    {
        MemoryLimit? limit =
            Find("9:name=systemd:/\n8:pids:/\n4:memory:/api/x\n0::/\n",
            $"{First}\n40 30 0:37 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw", 0,
            ("/sys/fs/cgroup/memory/api/x/memory.limit_in_bytes", "314572800\n"),
                ("/sys/fs/cgroup/memory/api/x/memory.stat",
                "rss 1\nshmem 2\ntotal_rss 1000\ntotal_shmem 500\ntotal_swap 24\n"),
            ("/sys/fs/cgroup/unified/cgroup.procs", "1\n"));
        Assert.Equal(new MemoryLimit("/sys/fs/cgroup/memory/api/x/memory.limit_in_bytes", 300 * MiB, 1524), limit);
    }

    [Fact]
    public void A_mount_point_with_a_space_is_found()
        => Assert.Equal(300 * MiB,
            Find("0::/\n", @"30 23 0:26 / /mnt/my\040groups rw - cgroup2 cgroup2 rw", 0,
            ("/mnt/my groups/memory.max", "314572800\n"))?.Bytes);

    [Fact]
    public void Without_proc_there_is_no_limit() => Assert.Null(MemoryLimit.Find(_root));

    [Fact]
    public void Swap_that_is_not_told_refuses_nothing()
    {
        Find("0::/\n", Second, 0, ("/sys/fs/cgroup/memory.max", "314572800\n"));
        File.Delete(_root + "/proc/meminfo");
        Assert.Null(MemoryLimit.Find(_root));
    }
}
