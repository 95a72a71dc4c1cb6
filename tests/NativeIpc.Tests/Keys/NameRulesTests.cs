using NativeIpc.Keys;
using NativeIpc.Platform;
using Xunit;

namespace NativeIpc.Tests.Keys;

/// <summary>The rules of Apple and Windows, on whatever machine this is. Those of Linux are in the vectors.</summary>
public class NameRulesTests
{
    private const string MyAppHash = "94e7d341f71ff6f43253f1c5e813057b22f91cda";

    private static readonly KeyEnvironment s_linux = Environment(KeyPlatform.Linux);
    private static readonly KeyEnvironment s_apple = Environment(KeyPlatform.Apple);
    private static readonly KeyEnvironment s_sandboxed = Environment(KeyPlatform.Apple, isSandboxed: true);
    private static readonly KeyEnvironment s_windows = Environment(KeyPlatform.Windows);

    [Theory]
    [InlineData("myapp", "/myapp", false)]
    [InlineData("/a/b", "//a/b", false)]
    [InlineData("12345678901234567890123456789", "/12345678901234567890123456789", false)]
    [InlineData("123456789012345678901234567890", "/12345678901234567890123456789", true)]
    [InlineData("", "", false)]
    public void Apple_takes_29_units_after_the_slash(string name, string nativeKey, bool isCut)
    {
        foreach (IpcObjectKind kind in Enum.GetValues<IpcObjectKind>())
        {
            NativeIpcKey key = NameRules.PlatformSafeKey(name, NativeIpcKeyType.PosixRealtime, kind, s_apple,
                out bool wasCut);
            Assert.Equal(nativeKey, key.NativeKey);
            Assert.Equal(isCut, wasCut);
        }
    }

    [Theory]
    [InlineData("group.com.example/segment-with-a-name-past-29", "group.com.example/segment-with-a-name-past-29")]
    [InlineData("group/a/b", "group/a/b")]
    [InlineData("myapp", "/myapp")]
    [InlineData("/myapp", "//myapp")]
    [InlineData("group/", "/group/")]
    public void A_sandboxed_Apple_process_keeps_group_and_name(string name, string nativeKey)
    {
        NativeIpcKey key = NameRules.PlatformSafeKey(name, NativeIpcKeyType.PosixRealtime, IpcObjectKind.SharedMemory,
            s_sandboxed, out bool wasCut);
        Assert.Equal(nativeKey, key.NativeKey);
        Assert.False(wasCut);
    }

    [Fact]
    public void A_cut_may_split_a_surrogate_pair_and_is_refused_when_used()
    {
        string name = new string('x', 28) + "\U0001F600";
        NativeIpcKey key = NameRules.PlatformSafeKey(name, NativeIpcKeyType.PosixRealtime, IpcObjectKind.SharedMemory,
            s_apple, out bool wasCut);
        Assert.True(wasCut);
        Assert.True(char.IsHighSurrogate(key.NativeKey[^1]));
        Assert.Contains("lone surrogate", UsableKey.FindViolation(key, IpcObjectKind.SharedMemory, KeyPlatform.Apple),
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("myapp", "shm_myapp", "sem_myapp")]
    [InlineData(@"Local\myapp", @"Local\shm_myapp", @"Local\sem_myapp")]
    [InlineData(@"Global\myapp", @"Global\shm_myapp", @"Global\sem_myapp")]
    [InlineData(@"local\myapp", @"shm_local\myapp", @"sem_local\myapp")]
    [InlineData(@"Global\", @"Global\shm_", @"Global\sem_")]
    [InlineData("", "", "")]
    public void Windows_puts_the_kind_after_the_name_space(string name, string segment, string semaphore)
    {
        Assert.Equal(segment, NameRules.PlatformSafeKey(name, NativeIpcKeyType.Windows, IpcObjectKind.SharedMemory,
            s_windows, out _).NativeKey);
        Assert.Equal(semaphore, NameRules.PlatformSafeKey(name, NativeIpcKeyType.Windows, IpcObjectKind.SystemSemaphore,
            s_windows, out _).NativeKey);
    }

    [Theory]
    [InlineData("", 256, false)]
    [InlineData("", 257, true)]
    [InlineData(@"Global\", 249, false)]
    [InlineData(@"Global\", 250, true)]
    public void Windows_cuts_at_260_units(string prefix, int length, bool isCut)
    {
        string name = prefix + new string('n', length);
        NativeIpcKey key = NameRules.PlatformSafeKey(name, NativeIpcKeyType.Windows, IpcObjectKind.SharedMemory,
            s_windows, out bool wasCut);
        Assert.Equal(isCut, wasCut);
        Assert.Equal(260, key.NativeKey.Length);
        Assert.StartsWith(prefix + "shm_n", key.NativeKey, StringComparison.Ordinal);
    }

    [Fact]
    public void A_type_foreign_to_the_platform_has_empty_native_keys()
    {
        AssertEmpty(NativeIpcKeyType.Windows, s_linux);
        AssertEmpty(NativeIpcKeyType.Windows, s_apple);
        AssertEmpty(NativeIpcKeyType.PosixRealtime, s_windows);
        AssertEmpty(NativeIpcKeyType.SystemV, s_windows);
        AssertEmpty((NativeIpcKeyType)0x102, s_windows);

        static void AssertEmpty(NativeIpcKeyType type, KeyEnvironment environment)
        {
            Assert.Equal(new NativeIpcKey("", type),
                NameRules.PlatformSafeKey("myapp", type, IpcObjectKind.SharedMemory, environment, out bool wasCut));
            Assert.False(wasCut);
            Assert.Equal(new NativeIpcKey("", type),
                NameRules.LegacyNativeKey("myapp", type, IpcObjectKind.SharedMemory, environment));
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0x102)]
    public void A_type_without_rules_of_its_own_is_named_like_System_V(int type)
        => Assert.Equal("/runtime/myapp",
            NameRules.PlatformSafeKey("myapp", (NativeIpcKeyType)type, IpcObjectKind.SharedMemory, s_linux,
                out _).NativeKey);

    [Theory]
    [InlineData(IpcObjectKind.SharedMemory)]
    [InlineData(IpcObjectKind.SystemSemaphore)]
    internal void A_legacy_key_on_Apple_is_the_start_of_the_hash(IpcObjectKind kind)
    {
        NativeIpcKey key = NameRules.LegacyNativeKey("myapp", NativeIpcKeyType.PosixRealtime, kind, s_apple);
        Assert.Equal("/" + MyAppHash[..29], key.NativeKey);
        Assert.Equal("myapp", key.LegacyKey);
        Assert.Null(UsableKey.FindViolation(key, kind, KeyPlatform.Apple));
        Assert.Equal("group/myapp", NameRules.LegacyNativeKey("group/myapp", NativeIpcKeyType.PosixRealtime, kind,
            s_sandboxed).NativeKey);
    }

    [Fact]
    public void A_legacy_key_on_Windows_has_no_folder()
    {
        NativeIpcKey key = NameRules.LegacyNativeKey("myapp", NativeIpcKeyType.Windows,
            IpcObjectKind.SystemSemaphore, s_windows);
        Assert.Equal("qipc_systemsem_myapp" + MyAppHash, key.NativeKey);
        Assert.Equal("windows:qipc_systemsem_myapp" + MyAppHash + "?legacyKey=myapp", key.ToString());
    }

    [Theory]
    [InlineData("posix:/a", "posix:/a")]
    [InlineData("systemv-7:/tmp/a", "systemv-7:/tmp/a")]
    [InlineData("systemv:/tmp/a?legacyKey=", "systemv:/tmp/a")]
    [InlineData("posix:/anything?legacyKey=myapp", "posix:/qipc_systemsem_myapp" + MyAppHash + "?legacyKey=myapp")]
    [InlineData("systemv:/anything?legacyKey=myapp",
        "systemv:/temporary/qipc_systemsem_myapp" + MyAppHash + "?legacyKey=myapp")]
    public void The_lock_of_a_segment_has_its_native_key_or_the_legacy_key_of_a_semaphore(string segment,
        string expected)
        => Assert.Equal(NativeIpcKey.Parse(expected), NameRules.LockKey(NativeIpcKey.Parse(segment), s_linux));

    [Theory]
    [InlineData("posix:/a", "posix:/sem.a")]
    [InlineData("posix:a", "posix:/sem.a")]
    [InlineData("posix:/anything?legacyKey=myapp", "posix:/sem.qipc_systemsem_myapp" + MyAppHash)]
    [InlineData("systemv:/tmp/a", "systemv:/tmp/a")]
    public void The_lock_with_musl_is_the_file_that_glibc_has(string segment, string expected)
        => Assert.Equal(NativeIpcKey.Parse(expected),
            NameRules.LockKey(NativeIpcKey.Parse(segment), Environment(KeyPlatform.LinuxMusl)));

    [Theory]
    [InlineData(1)]
    [InlineData(255)]
    [InlineData(256)]
    [InlineData(260)]
    public void The_lock_on_Windows_has_a_suffix_and_still_fits(int length)
    {
        string segment = new('n', length);
        NativeIpcKey key = NameRules.LockKey(new NativeIpcKey(segment, NativeIpcKeyType.Windows), s_windows);
        Assert.Equal(segment[..Math.Min(length, 255)] + "_sem", key.NativeKey);
        Assert.Null(UsableKey.FindViolation(key, IpcObjectKind.SystemSemaphore, KeyPlatform.Windows));

        NativeIpcKey legacy = NameRules.LockKey(
            NameRules.LegacyNativeKey("myapp", NativeIpcKeyType.Windows, IpcObjectKind.SharedMemory,
                s_windows), s_windows);
        Assert.Equal("qipc_systemsem_myapp" + MyAppHash, legacy.NativeKey);
    }

    [Fact]
    public void A_key_of_a_legacy_name_keeps_its_type_and_a_safe_key_does_not()
    {
        NativeIpcKey legacy = NameRules.LegacyNativeKey("a", NativeIpcKeyType.PosixRealtime,
            IpcObjectKind.SharedMemory, s_linux);
        Assert.Equal(legacy, legacy.WithType(NativeIpcKeyType.SystemV));
        NativeIpcKey safe = NameRules.PlatformSafeKey("a", NativeIpcKeyType.PosixRealtime, IpcObjectKind.SharedMemory,
            s_linux, out _);
        Assert.Equal(new NativeIpcKey("/a", NativeIpcKeyType.SystemV), safe.WithType(NativeIpcKeyType.SystemV));
    }

    [Fact]
    public void Lone_surrogates_hash_as_question_marks()
        => Assert.Equal(
            NameRules.LegacyNativeKey("a?b", NativeIpcKeyType.PosixRealtime, IpcObjectKind.SharedMemory,
                s_linux).NativeKey,
            NameRules.LegacyNativeKey("a\ud800b", NativeIpcKeyType.PosixRealtime, IpcObjectKind.SharedMemory,
                s_linux).NativeKey);

    [Fact]
    public void The_message_about_a_cut_says_what_the_name_would_become()
    {
        NativeIpcKey key = NameRules.PlatformSafeKey(new string('x', 30), NativeIpcKeyType.PosixRealtime,
            IpcObjectKind.SharedMemory, s_apple, out _);
        Assert.Contains($"cut to '/{new string('x', 29)}'", NameRules.DescribeCut(new string('x', 30), key),
            StringComparison.Ordinal);
        key = NameRules.PlatformSafeKey(new string('x', 300), NativeIpcKeyType.Windows, IpcObjectKind.SharedMemory,
            s_windows, out _);
        Assert.Contains("cut to 'shm_xxx", NameRules.DescribeCut(new string('x', 300), key), StringComparison.Ordinal);
    }

    [Fact]
    public void Names_are_required()
    {
        Assert.Throws<ArgumentNullException>(
            () => NameRules.PlatformSafeKey(null!, NativeIpcKeyType.PosixRealtime, IpcObjectKind.SharedMemory,
                s_linux, out _));
        Assert.Throws<ArgumentNullException>(
            () => NameRules.LegacyNativeKey(null!, NativeIpcKeyType.PosixRealtime,
                IpcObjectKind.SharedMemory, s_linux));
    }

    private static KeyEnvironment Environment(KeyPlatform platform, bool isSandboxed = false)
        => new(platform, isSandboxed, () => "/runtime", () => "/temporary");
}
