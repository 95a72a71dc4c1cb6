using NativeIpc.Linux;
using Xunit;

namespace NativeIpc.Tests.Linux;

/// <summary>Which new system calls a kernel may be asked for, by its release.</summary>
public class KernelCallTests
{
    [Theory]
    [InlineData("2.6.78", false, false, false)] // personality(2)
    [InlineData("4.4.0", false, false, false)] // gVisor
    [InlineData("4.18.0", false, false, false)]
    [InlineData("5.2.21", false, false, false)]
    [InlineData("5.3.0", true, false, false)]
    [InlineData("5.15.167", true, false, false)]
    [InlineData("5.16", true, true, false)]
    [InlineData("6.6.87", true, true, false)]
    [InlineData("6.7.0", true, true, true)]
    [InlineData("7.0", true, true, true)]
    public void A_kernel_is_asked_for_what_its_release_has(string release, bool pidfdOpen, bool futexWaitv,
        bool futexRing)
        => Assert.Equal(new KernelCalls(pidfdOpen, futexWaitv, futexRing), KernelCalls.Of(Version.Parse(release)));
}
