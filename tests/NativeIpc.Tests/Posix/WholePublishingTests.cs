using NativeIpc.Posix.Names;
using Xunit;

namespace NativeIpc.Tests.Posix;

/// <summary>When the better way of making an object is given up for the process.</summary>
public class WholePublishingTests
{
    [Fact]
    public void Refusals_in_a_row_turn_it_off()
    {
        var whole = new WholePublishing();
        Assert.SkipUnless(whole.IsOn, "Objects have no files here.");
        for (int i = 1; i < WholePublishing.MostRefusals; i++) whole.WasRefused();
        Assert.True(whole.IsOn);
        whole.WasRefused();
        Assert.False(whole.IsOn);
    }

    [Fact]
    public void Refusals_for_some_names_leave_it_on_for_those_for_which_it_is_allowed()
    {
        var whole = new WholePublishing();
        Assert.SkipUnless(whole.IsOn, "Objects have no files here.");
        for (int i = 0; i < 10 * WholePublishing.MostRefusals; i++)
        {
            whole.WasRefused();
            if (i % 3 == 0) whole.Worked();
        }

        Assert.True(whole.IsOn);
    }

    [Theory]
    [InlineData(1, true, 1)] // EPERM
    [InlineData(13, false, 1)] // EACCES
    [InlineData(2, true, 2)] // ENOENT: no /proc
    [InlineData(22, false, 2)] // EINVAL: no O_TMPFILE
    [InlineData(22, true, 0)]
    [InlineData(24, false, 0)] // EMFILE
    [InlineData(28, true, 0)] // ENOSPC
    public void A_failure_is_a_refusal_a_lack_or_a_failure_of_both_ways(int number, bool isLink, int expected)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "The numbers of Linux.");
        Assert.Equal((WholePublishing.Verdict)expected, WholePublishing.Of(number,
            isLink ? PublishingCall.Link : PublishingCall.Open));
    }
}
