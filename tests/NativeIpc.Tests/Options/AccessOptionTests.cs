using Xunit;

namespace NativeIpc.Tests.Options;

/// <summary>Options that say who may use an object never do less than they say.</summary>
public class AccessOptionTests
{
    private static readonly NativeIpcKey s_key =
        SharedMemory.PlatformSafeKey($"access-options-{Environment.ProcessId}");

    [Fact]
    [NeedsUnix("Windows has them.")]
    public void A_security_descriptor_is_refused_where_there_are_none()
    {
        Assert.Contains("Mode",
            Assert.Throws<PlatformNotSupportedException>(
                () => SharedMemory.CreateNew(s_key, 1, new() { SecurityDescriptor = "D:" })).Message,
            StringComparison.Ordinal);
        Assert.Throws<PlatformNotSupportedException>(
            () => SystemSemaphore.CreateOrOpen(s_key, 1, new() { SecurityDescriptor = "D:" }));
    }

    [Fact]
    public void Current_user_only_contradicts_everything_that_lets_others_in()
    {
        const UnixFileMode Wide = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead;
        SharedMemoryOptions[] segments =
        [
            new() { CurrentUserOnly = true, Mode = Wide }, new() { CurrentUserOnly = true, Group = "users" },
            new() { CurrentUserOnly = true, AllowOtherOwners = true }, new() { CurrentUserOnly = true,
                SecurityDescriptor = "D:" },
        ];
        Assert.All(segments, options =>
            Assert.Throws<ArgumentException>(() => SharedMemory.CreateNew(s_key, 1, options)));
        Assert.Throws<ArgumentException>(
            () => SystemSemaphore.CreateNew(s_key, 1, new() { CurrentUserOnly = true, Mode = Wide }));
    }

    [Fact]
    public void Current_user_only_is_what_the_default_is_on_Unix()
    {
        using SharedMemory segment = SharedMemory.CreateNew(s_key, 1, new() { CurrentUserOnly = true });
        Assert.True(segment.CreatedNew);
    }
}
