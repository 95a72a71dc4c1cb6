using NativeIpc.Keys;
using NativeIpc.Platform;
using Xunit;

namespace NativeIpc.Tests.Platform;

public class PlatformEnvironmentTests
{
    [Fact]
    public void The_platform_is_the_one_of_this_machine()
    {
        KeyPlatform platform = PlatformEnvironment.Platform;
        Assert.Equal(OperatingSystem.IsWindows(), platform == KeyPlatform.Windows);
        Assert.Equal(OperatingSystem.IsMacOS(), platform == KeyPlatform.Apple);
        Assert.Equal(OperatingSystem.IsLinux(), platform is KeyPlatform.Linux or KeyPlatform.LinuxMusl);
        Assert.Equal(platform, PlatformEnvironment.Current.Platform);
        Assert.Equal(PlatformEnvironment.IsSandboxed, PlatformEnvironment.Current.IsSandboxed);
    }

    [Fact]
    [NeedsUnix("Windows has no getpwuid.")]
    public void Root_has_a_login_name_and_a_user_without_an_entry_has_none()
    {
        Assert.Equal("root", UserDirectories.LoginName(0));
        Assert.Equal("", UserDirectories.LoginName(3_999_999_999));
    }

    [Fact]
    public void The_folders_of_this_process_can_always_be_asked_for()
    {
        string temporary = PlatformEnvironment.Current.TemporaryDirectory;
        if (!OperatingSystem.IsWindows()) Assert.True(temporary.Length == 0 || temporary[0] == '/');
        string runtime = PlatformEnvironment.Current.RuntimeDirectory;
        Assert.True(runtime.Length == 0 || runtime[0] == '/');
    }

    [Fact]
    public void Default_types_are_those_of_the_platform()
    {
        Assert.Equal(NameRules.DefaultType(PlatformEnvironment.Platform), NativeIpcKey.DefaultType);
        Assert.Equal(NativeIpcKeyType.Windows, NameRules.DefaultType(KeyPlatform.Windows));
        Assert.All([KeyPlatform.Linux, KeyPlatform.LinuxMusl, KeyPlatform.Android, KeyPlatform.Apple],
            platform => Assert.Equal(NativeIpcKeyType.PosixRealtime, NameRules.DefaultType(platform)));
    }

    [Theory]
    [InlineData(KeyPlatform.Linux, false, false, NativeIpcKeyType.SystemV)]
    [InlineData(KeyPlatform.LinuxMusl, false, false, NativeIpcKeyType.SystemV)]
    [InlineData(KeyPlatform.Linux, false, true, NativeIpcKeyType.PosixRealtime)]
    [InlineData(KeyPlatform.Android, false, false, NativeIpcKeyType.PosixRealtime)]
    [InlineData(KeyPlatform.Apple, false, false, NativeIpcKeyType.SystemV)]
    [InlineData(KeyPlatform.Apple, true, false, NativeIpcKeyType.PosixRealtime)]
    [InlineData(KeyPlatform.Apple, false, true, NativeIpcKeyType.PosixRealtime)]
    [InlineData(KeyPlatform.Windows, false, true, NativeIpcKeyType.Windows)]
    internal void The_legacy_default_follows_platform_sandbox_and_switch(KeyPlatform platform, bool sandboxed,
        bool preferPosix, NativeIpcKeyType expected)
        => Assert.Equal(expected, NameRules.LegacyDefaultType(platform, sandboxed, preferPosix));

    [Fact]
    public void The_switch_sets_the_legacy_default_of_the_process()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows() || OperatingSystem.IsAndroid(),
            "The switch has an effect where System V is the legacy default.");
        NativeIpcKeyType before = NativeIpcKey.LegacyDefaultType;
        AppContext.SetSwitch(PlatformEnvironment.LegacyDefaultIsPosixSwitch, true);
        Assert.Equal(NativeIpcKeyType.PosixRealtime, NativeIpcKey.LegacyDefaultType);
        AppContext.SetSwitch(PlatformEnvironment.LegacyDefaultIsPosixSwitch, false);
        Assert.Equal(before, NativeIpcKey.LegacyDefaultType);
    }
}
