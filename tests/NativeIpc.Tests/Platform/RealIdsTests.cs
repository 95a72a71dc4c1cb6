using NativeIpc.Interop.Unix;
using NativeIpc.Platform;
using Xunit;

namespace NativeIpc.Tests.Platform;

public class RealIdsTests
{
    private const string All = "         0          0 4294967295\n";

    [Theory]
    [InlineData(All, "65534\n", null)]
    [InlineData("0 0 1000\n1000 100000 4294966295\n", "65534\n", null)] // all, in two ranges
    [InlineData("         0       1000          1\n", "65534\n", 65534u)] // unshare -U -r
    [InlineData("0 100000 65536\n", "65534\n", 65534u)] // a container with users of its own, its own nobody among them
    [InlineData("", "65534\n", 65534u)] // unshare -U
    [InlineData("", "99\n", 99u)]
    [InlineData("", null, 65534u)]
    [InlineData(null, "65534\n", 65534u)] // nobody knows what is mapped
    [InlineData(null, null, 65534u)]
    [InlineData("0 0 1\n", "0\n", 0u)]
    [InlineData("nonsense", "nonsense", 65534u)]
    public void The_overflow_id_is_nobodys_unless_all_ids_are_mapped(string? map, string? overflow, uint? nobody)
    {
        RealIds ids = RealIds.Of(map, overflow);
        foreach (uint id in new uint[] { 0, 1, 99, 1000, 65534, 100000 })
        {
            Assert.Equal(id != nobody, ids.IsReal(id));
            Assert.Equal(id != nobody, ids.AreSame(id, id));
            Assert.Equal(id != nobody ? id : null, ids.Known(id));
            Assert.False(ids.AreSame(id, id + 1));
            Assert.Equal(id == nobody, ids.Describe(id).Contains("nobody", StringComparison.Ordinal));
        }
    }

    [Fact]
    [NeedsLinux("Windows has no numbers of users.")]
    public void A_user_is_this_process_s_by_its_number()
    {
        uint self = Libc.geteuid();
        Assert.Equal(RealIds.Users.IsReal(self), RealIds.IsThisUser(self));
        Assert.True(RealIds.MayBeThisUser(self));
        Assert.False(RealIds.IsThisUser(self + 1));
        Assert.False(RealIds.IsTrusted(self + 1));
    }
}
