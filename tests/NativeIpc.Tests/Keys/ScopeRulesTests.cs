using NativeIpc.Keys;
using NativeIpc.Platform;
using Xunit;

namespace NativeIpc.Tests.Keys;

/// <summary>Names with a scope, on every platform: the table of <see cref="NameScope"/>.</summary>
public class ScopeRulesTests
{
    private const string Sid = "S-1-5-21-1-2-3-1001";

    [Theory]
    [InlineData(KeyPlatform.Linux, "posix", NameScope.Machine, "/app")]
    [InlineData(KeyPlatform.Linux, "posix", NameScope.User, "/~1000.app")]
    [InlineData(KeyPlatform.Linux, "posix", NameScope.Session, "/~s4711.app")]
    [InlineData(KeyPlatform.LinuxMusl, "posix", NameScope.User, "/~1000.app")]
    [InlineData(KeyPlatform.Apple, "posix", NameScope.User, "/~1000.app")]
    [InlineData(KeyPlatform.Linux, "systemv", NameScope.Machine, "/tmp/~m.app")]
    [InlineData(KeyPlatform.Linux, "systemv", NameScope.User, "/run/user/1000/~1000.app")]
    [InlineData(KeyPlatform.Linux, "systemv", NameScope.Session, "/tmp/~s4711.app")]
    [InlineData(KeyPlatform.Windows, "windows", NameScope.Machine, @"Global\shm_app")]
    [InlineData(KeyPlatform.Windows, "windows", NameScope.User, @"Global\shm_~" + Sid + ".app")]
    [InlineData(KeyPlatform.Windows, "windows", NameScope.Session, @"Local\shm_app")]
    public void A_name_has_a_key_in_each_scope(KeyPlatform platform, string type, NameScope scope, string nativeKey)
    {
        NativeIpcKeyType keyType = NativeIpcKey.Parse(type + ":x").Type;
        NativeIpcKey key = ScopeRules.Key("app", scope, keyType, IpcObjectKind.SharedMemory, Machine(platform));
        Assert.Equal(new NativeIpcKey(nativeKey, keyType), key);
        Assert.Equal(key, NativeIpcKey.Parse(key.ToString())); // so that it travels
        Assert.Equal(scope == NameScope.User, ScopeRules.TryGetUser(key, platform, out string? user));
        Assert.Equal(scope != NameScope.User ? null : platform == KeyPlatform.Windows ? Sid : "1000", user);
        if (scope != NameScope.Machine || keyType != NativeIpcKeyType.PosixRealtime) return;
        Assert.Equal(key, NameRules.PlatformSafeKey("app", keyType, IpcObjectKind.SharedMemory, Machine(platform),
            out _));
    }

    [Theory]
    [InlineData("")]
    [InlineData(".")]
    [InlineData("..")]
    [InlineData("a/b")]
    [InlineData("/a")]
    [InlineData(@"a\b")]
    [InlineData("a\0b")]
    [InlineData("~a")]
    public void A_name_that_cannot_have_a_scope_is_refused_whatever_the_type(string name)
    {
        foreach (NameScope scope in Enum.GetValues<NameScope>())
        {
            foreach ((KeyPlatform platform, NativeIpcKeyType type) in new[]
            {
                (KeyPlatform.Linux, NativeIpcKeyType.PosixRealtime), (KeyPlatform.Linux, NativeIpcKeyType.SystemV),
                (KeyPlatform.Windows, NativeIpcKeyType.Windows),
            })
            {
                ArgumentException failure = Assert.Throws<ArgumentException>(
                    () => ScopeRules.Key(name, scope, type, IpcObjectKind.SystemSemaphore, Machine(platform)));
                Assert.Contains("cannot have a scope", failure.Message, StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public void A_name_that_is_too_long_or_of_a_type_of_another_platform_is_refused()
    {
        string name = new('x', 252);
        Refused("at most 251", name, NativeIpcKeyType.PosixRealtime, KeyPlatform.Linux);
        Refused("would be cut", name[..30], NativeIpcKeyType.PosixRealtime, KeyPlatform.Apple);
        Refused("NativeIpcKeyRules", "app", NativeIpcKeyType.Windows, KeyPlatform.Linux);
        Refused("NativeIpcKeyRules", "app", NativeIpcKeyType.PosixRealtime, KeyPlatform.Windows);

        static void Refused(string says, string name, NativeIpcKeyType type, KeyPlatform platform)
            => Assert.Contains(says, Assert.Throws<ArgumentException>(() => ScopeRules.Key(name, NameScope.Machine,
                type, IpcObjectKind.SystemSemaphore, Machine(platform))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Who_has_no_user_or_session_here_has_no_such_scope()
    {
        var nobody = new KeyEnvironment(KeyPlatform.Linux, false, () => "", () => "/tmp", () => null, () => null);
        foreach (NameScope scope in new[] { NameScope.User, NameScope.Session })
        {
            Assert.Throws<InvalidOperationException>(() => ScopeRules.Key("app", scope, NativeIpcKeyType.PosixRealtime,
                IpcObjectKind.SharedMemory, nobody));
        }

        Assert.Contains("XDG_RUNTIME_DIR", Assert.Throws<InvalidOperationException>(() => ScopeRules.Key("app",
            NameScope.User, NativeIpcKeyType.SystemV, IpcObjectKind.SharedMemory, nobody)).Message,
            StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => SharedMemory.PlatformSafeKey("app", (NameScope)3));
        Assert.Throws<ArgumentNullException>(() => SharedMemory.PlatformSafeKey(null!, NameScope.User));
    }

    [Theory]
    [InlineData("posix:/~1000.app", KeyPlatform.Linux, "1000")]
    [InlineData("posix:~1000.app", KeyPlatform.Linux, "1000")]
    [InlineData("posix:/%2F~1000.app", KeyPlatform.Linux, "1000")]
    [InlineData("systemv-7:/a/b/~0.x.y", KeyPlatform.Linux, "0")]
    [InlineData(@"windows:Global\sem_~S-1-5-18.app", KeyPlatform.Windows, "S-1-5-18")]
    [InlineData(@"windows:Global\event_~S-1-5-18.app", KeyPlatform.Windows, "S-1-5-18")]
    [InlineData("posix:/~s1000.app", KeyPlatform.Linux, null)]
    [InlineData("posix:/~.app", KeyPlatform.Linux, null)]
    [InlineData("posix:/~1000", KeyPlatform.Linux, null)]
    [InlineData("posix:/a~1000.app", KeyPlatform.Linux, null)]
    [InlineData("systemv:/~1000.a/b", KeyPlatform.Linux, null)]
    [InlineData("systemv:/tmp/~m.app", KeyPlatform.Linux, null)]
    [InlineData("windows:shm_~S-1-5-18.app", KeyPlatform.Windows, null)]
    [InlineData(@"windows:Global\shm_app~S-1-5-18.app", KeyPlatform.Windows, null)]
    [InlineData(@"windows:Global\shm_~S-1-5-18.app", KeyPlatform.Linux, null)]
    public void Whose_a_key_is_is_read_from_its_name(string text, KeyPlatform platform, string? expected)
    {
        Assert.Equal(expected is not null, ScopeRules.TryGetUser(NativeIpcKey.Parse(text), platform, out string? user));
        Assert.Equal(expected, user);
    }

    [Fact]
    public void A_key_of_another_users_scope_is_refused_before_anything_is_done()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "A number of a user, which is Unix.");
        var key = new NativeIpcKey("/~4294967294.app", NativeIpcKeyType.PosixRealtime);
        foreach (Action use in new Action[]
        {
            () => SharedMemory.CreateOrOpen(key, 1), () => SharedMemory.OpenExisting(key),
            () => SystemSemaphore.CreateOrReset(key, 1), () => SystemSemaphore.TryOpenExisting(key, out _),
            () => SystemEvent.CreateOrOpen(key, EventResetMode.AutoReset), () => SystemEvent.OpenExisting(key),
        })
        {
            NativeIpcException failure = Assert.Throws<NativeIpcException>(use);
            Assert.Equal(NativeIpcError.PermissionDenied, failure.Error);
            Assert.Contains("user 4294967294", failure.Message, StringComparison.Ordinal);
            Assert.Contains("AllowOtherOwners", failure.Message, StringComparison.Ordinal);
        }

        Assert.False(SharedMemory.TryOpenExisting(key, out _, options: new() { AllowOtherOwners = true }));
    }

    [Fact]
    public void A_key_of_this_users_scope_works()
    {
        string name = $"scope.{Environment.ProcessId}";
        List<NameScope> scopes = [.. Enum.GetValues<NameScope>()];
        if (!OperatingSystem.IsWindows() && PlatformEnvironment.Current.Session is null)
        {
            // A CI runner may start this in a PID namespace of its own and not in a session of its own.
            Assert.Contains("setsid", Assert.Throws<InvalidOperationException>(
                () => SharedMemory.PlatformSafeKey(name, NameScope.Session)).Message, StringComparison.Ordinal);
            scopes.Remove(NameScope.Session);
        }

        NativeIpcKey[] keys = [.. scopes.Select(scope => SharedMemory.PlatformSafeKey(name, scope))];
        Assert.Equal(scopes.Count, keys.Distinct().Count());
        if (OperatingSystem.IsWindows()) return; // Global\ takes a right
        foreach (NativeIpcKey key in keys)
        {
            using SharedMemory segment = SharedMemory.CreateNew(key, 8);
            using SharedMemory again = SharedMemory.OpenExisting(NativeIpcKey.Parse(key.ToString()),
                options: new() { AllowOtherOwners = true });
            again.Span[0] = 7;
            Assert.Equal(7, segment.Span[0]);
        }
    }

    private static KeyEnvironment Machine(KeyPlatform platform)
        => new(platform, false, () => "/run/user/1000", () => "/tmp",
            () => platform == KeyPlatform.Windows ? Sid : "1000",
            () => platform == KeyPlatform.Windows ? null : "4711");
}
