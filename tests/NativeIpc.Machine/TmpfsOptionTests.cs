using Xunit;

namespace NativeIpc.Machine;

/// <summary>A /dev/shm that is mounted in another way than systems do by themselves: with huge pages, without swap,
/// with quotas.</summary>
[NeedsLinux("Uses Linux's mounts.")]
public class TmpfsOptionTests
{
    private const int ENOSPC = 28;
    private const int EDQUOT = 122;
    private const string Size = "size=8m";
    private static readonly NativeIpcKey s_semaphore = new("/semaphore", NativeIpcKeyType.PosixRealtime);
    private static readonly NativeIpcKey s_key = new("/there", NativeIpcKeyType.PosixRealtime);
    private static readonly NativeIpcKey s_other = new("/other", NativeIpcKeyType.PosixRealtime);
    private static readonly NativeIpcKey s_large = new("/large", NativeIpcKeyType.PosixRealtime);

    /// <summary>With <c>huge=always</c> a small segment takes a huge page as long as there is room, and gives back what
    /// is behind its end when there is none.</summary>
    [Theory]
    [InlineData("huge=always")]
    [InlineData("huge=within_size")]
    [InlineData("huge=advise")]
    [InlineData("noswap")]
    [InlineData("noswap,huge=always")]
    [NeedsRoot(Victims.WhyRoot)]
    public void Objects_are_made_used_filled_and_removed(string options)
        => Victims.Run(Mounted($"{Size},{options}"), $"semaphore-create {s_semaphore} 1",
            $"segment-create {s_other} 4096", $"segment-create {s_large} 3145728 allocation=Populate", "segment-lock",
            "segment-fill", "segment-verify", $"segment-create-or-open {s_key} 4194304", "segment-fill",
            $"segment-open {s_large}", "dispose").Did("created", "created 4096", "created 3145728", "locked", "filled",
            "3145728", "created 4194304", "filled", "opened 3145728", "disposed").LeftNothing();

    [Theory]
    [InlineData("huge=always", "Reserve")]
    [InlineData("huge=always", "Populate")]
    [InlineData("noswap", "Reserve")]
    [NeedsRoot(Victims.WhyRoot)]
    public void What_does_not_fit_is_out_of_resources_when_it_is_created(string options, string allocation)
    {
        VictimResult result = Victims.Run(Mounted($"{Size},{options}"), $"segment-create {s_key} 6291456",
            $"segment-create {s_other} 4194304 allocation={allocation}", "segment-fill", "dispose");
        result[1].AssertSays(NativeIpcError.OutOfResources, s_other, "posix_fallocate", ENOSPC);
        Assert.Equal(("filled", "disposed"), (result[2].Did, result[3].Did));
        result.LeftNothing();
    }

    [Fact]
    [NeedsRoot(Victims.WhyRoot)]
    public void Beyond_the_users_quota_is_out_of_resources_and_the_quota_is_named()
    {
        VictimResult result = Victims.Run(
            Mounted($"{Size},usrquota,usrquota_block_hardlimit=1m") with { User = Situation.NobodysId },
            $"segment-create {s_large} 4194304", $"segment-create {s_key} 262144", "segment-fill", "dispose");
        result[0].AssertSays(NativeIpcError.OutOfResources, s_large, "posix_fallocate", EDQUOT);
        Assert.Contains("usrquota_block_hardlimit", result[0].Message, StringComparison.Ordinal);
        Assert.Equal(("created 262144", "filled", "disposed"), (result[1].Did, result[2].Did, result[3].Did));
        result.LeftNothing();
    }

    /// <summary>With such a /dev/shm; skipped where the kernel has no such tmpfs.</summary>
    private static Situation Mounted(string options)
    {
        Victims.NeedNamespaces();
        string mount = $"mount -t tmpfs -o mode=1777,{options} none /dev/shm";
        ShellResult tried = Shell.Run("unshare", ["--mount", "--propagation", "private", "sh", "-c", mount], "/");
        Assert.SkipWhen(tried.ExitCode != 0, $"This kernel has no tmpfs with {options}.");
        return new() { MountFirst = mount, After = Situation.ListDevShm };
    }
}
