using System.Text.RegularExpressions;
using NativeIpc.Keys;
using Xunit;

namespace NativeIpc.Tests.Keys;

/// <summary>The public door to the rules of every platform. The rules themselves are held by the vectors and by
/// NameRulesTests.</summary>
public class NativeIpcKeyRulesTests
{
    private static readonly NativeIpcKeyRules s_linux = new(KeyPlatform.Linux) { RuntimeDirectory = "/run/user/7",
        TemporaryDirectory = "/tmp" };

    [Theory]
    [InlineData(KeyPlatform.Linux, NativeIpcKeyType.PosixRealtime, IpcObjectKind.SharedMemory, "posix:/app")]
    [InlineData(KeyPlatform.Linux, NativeIpcKeyType.SystemV, IpcObjectKind.SharedMemory, "systemv:/run/user/7/app")]
    [InlineData(KeyPlatform.Apple, NativeIpcKeyType.PosixRealtime, IpcObjectKind.SystemSemaphore, "posix:/app")]
    [InlineData(KeyPlatform.Windows, NativeIpcKeyType.Windows, IpcObjectKind.SharedMemory, "windows:shm_app")]
    [InlineData(KeyPlatform.Windows, NativeIpcKeyType.Windows, IpcObjectKind.SystemSemaphore, "windows:sem_app")]
    [InlineData(KeyPlatform.Windows, NativeIpcKeyType.PosixRealtime, IpcObjectKind.SharedMemory, "posix:")]
    public void A_key_of_any_platform_is_made_on_any(KeyPlatform platform, NativeIpcKeyType type, IpcObjectKind kind,
        string text)
    {
        var rules = new NativeIpcKeyRules(platform) { RuntimeDirectory = "/run/user/7" };
        Assert.Equal(text, rules.PlatformSafeKey("app", type, kind, out bool wasCut).ToString());
        Assert.False(wasCut);
    }

    [Fact]
    public void A_cut_is_told()
    {
        string name = new('n', 40);
        Assert.Equal("/" + name[..29],
            new NativeIpcKeyRules(KeyPlatform.Apple).PlatformSafeKey(name, NativeIpcKeyType.PosixRealtime,
                IpcObjectKind.SharedMemory, out bool wasCut).NativeKey);
        Assert.True(wasCut);
    }

    [Fact]
    public void A_System_V_key_needs_the_folder_of_the_other_machine()
    {
        var rules = new NativeIpcKeyRules(KeyPlatform.Linux);
        InvalidOperationException runtime = Assert.Throws<InvalidOperationException>(
            () => rules.PlatformSafeKey("app", NativeIpcKeyType.SystemV, IpcObjectKind.SharedMemory, out _));
        Assert.Contains("RuntimeDirectory", runtime.Message, StringComparison.Ordinal);
        InvalidOperationException temporary = Assert.Throws<InvalidOperationException>(
            () => rules.LegacyNativeKey("app", NativeIpcKeyType.SystemV, IpcObjectKind.SharedMemory));
        Assert.Contains("TemporaryDirectory", temporary.Message, StringComparison.Ordinal);
        // An absolute path needs none
        Assert.Equal("/app", rules.PlatformSafeKey("/app", NativeIpcKeyType.SystemV, IpcObjectKind.SharedMemory,
            out _).NativeKey);
    }

    [Fact]
    public void The_lock_of_a_legacy_segment_is_the_semaphore_of_its_legacy_name()
    {
        NativeIpcKey segment = s_linux.LegacyNativeKey("app", NativeIpcKeyType.SystemV, IpcObjectKind.SharedMemory);
        NativeIpcKey semaphore = s_linux.LegacyNativeKey("app", NativeIpcKeyType.SystemV,
            IpcObjectKind.SystemSemaphore);
        Assert.StartsWith("/tmp/qipc_sharedmemory_app", segment.NativeKey, StringComparison.Ordinal);
        Assert.Equal(semaphore, s_linux.LockKey(segment));
        Assert.Equal("shm_app_sem", new NativeIpcKeyRules(KeyPlatform.Windows).LockKey(
            new NativeIpcKey("shm_app", NativeIpcKeyType.Windows)).NativeKey);
    }

    [Theory]
    [InlineData(KeyPlatform.Linux, "windows:x")]
    [InlineData(KeyPlatform.Windows, "posix:/x")]
    [InlineData(KeyPlatform.Windows, "systemv:/x")]
    [InlineData(KeyPlatform.Android, "systemv:/x")]
    public void A_type_that_a_platform_lacks_is_a_violation_there(KeyPlatform platform, string text)
        => Assert.Contains("type", new NativeIpcKeyRules(platform).FindViolation(NativeIpcKey.Parse(text),
            IpcObjectKind.SharedMemory), StringComparison.Ordinal);

    [Theory]
    [InlineData(KeyPlatform.Linux, IpcObjectKind.SharedMemory, "posix:/é", 2, 255)]
    [InlineData(KeyPlatform.Linux, IpcObjectKind.SystemSemaphore, "posix:/abc", 3, 251)]
    [InlineData(KeyPlatform.LinuxMusl, IpcObjectKind.SystemSemaphore, "posix:/abc", 3, 255)]
    [InlineData(KeyPlatform.Apple, IpcObjectKind.SystemSemaphore, "posix:/abc", 4, 30)]
    [InlineData(KeyPlatform.Apple, IpcObjectKind.SharedMemory, "systemv:/abc", 4, 1023)]
    [InlineData(KeyPlatform.Windows, IpcObjectKind.SharedMemory, "windows:Local\\shm_a", 11, 259)]
    public void A_length_is_measured_in_the_units_of_the_platform(KeyPlatform platform, IpcObjectKind kind, string text,
        int length, int maximum)
        => Assert.Equal((length, maximum),
            new NativeIpcKeyRules(platform).MeasureLength(NativeIpcKey.Parse(text), kind));

    [Theory]
    [InlineData(@"/\u00e9\ud83d", 7)] // cut in the middle of a pair: e and its accent, and a replacement of three bytes
    [InlineData(@"/\udc00\u00e9\ud800\u00e9", 13)]
    [InlineData(@"/\u00e9\ufffe", 7)] // no character, and yet text
    public void A_key_of_Apple_is_measured_whatever_its_text(string escaped, int length)
    {
        Assert.SkipUnless(NameText.CanDecompose, "This process runs without ICU, in which .NET decomposes nothing.");
        string nativeKey = Regex.Unescape(escaped); // metadata has no lone surrogates
        var rules = new NativeIpcKeyRules(KeyPlatform.Apple) { RuntimeDirectory = "/r" };
        foreach (NativeIpcKeyType type in new[] { NativeIpcKeyType.PosixRealtime, NativeIpcKeyType.SystemV })
        {
            Assert.Equal(length,
                rules.MeasureLength(new NativeIpcKey(nativeKey, type), IpcObjectKind.SharedMemory).Length);
            bool isWellFormed = !nativeKey.Any(char.IsSurrogate);
            Assert.Equal(isWellFormed,
                rules.FindViolation(new NativeIpcKey(nativeKey, type), IpcObjectKind.SharedMemory) is null);
        }
    }

    [Fact]
    public void What_its_own_cutting_splits_can_be_measured()
    {
        var rules = new NativeIpcKeyRules(KeyPlatform.Apple);
        NativeIpcKey key =
            rules.PlatformSafeKey(new string('n', 28) + "\ud83d\ude00", NativeIpcKeyType.PosixRealtime,
            IpcObjectKind.SharedMemory, out bool wasCut);
        Assert.True(wasCut);
        Assert.Equal((32, 31), rules.MeasureLength(key, IpcObjectKind.SharedMemory));
        Assert.NotNull(rules.FindViolation(key, IpcObjectKind.SharedMemory));
    }

    [Fact]
    public void What_is_one_longer_than_the_measure_allows_is_a_violation_and_what_just_fits_is_none()
    {
        foreach (KeyPlatform platform in Enum.GetValues<KeyPlatform>())
        {
            var rules = new NativeIpcKeyRules(platform);
            NativeIpcKey one = platform == KeyPlatform.Windows ? new NativeIpcKey("n", NativeIpcKeyType.Windows)
                : new NativeIpcKey("/n", NativeIpcKeyType.PosixRealtime);
            foreach (IpcObjectKind kind in Enum.GetValues<IpcObjectKind>())
            {
                (int length, int maximum) = rules.MeasureLength(one, kind);
                NativeIpcKey fits = one.WithNativeKey(one.NativeKey + new string('n', maximum - length));
                Assert.Null(rules.FindViolation(fits, kind));
                Assert.NotNull(rules.FindViolation(fits.WithNativeKey(fits.NativeKey + "n"), kind));
            }
        }
    }

    [Fact]
    public void The_current_rules_are_those_of_the_objects()
    {
        NativeIpcKeyRules rules = NativeIpcKeyRules.Current;
        Assert.Equal(NativeIpcKey.DefaultType, rules.DefaultType);
        Assert.Equal(NativeIpcKey.LegacyDefaultType, rules.LegacyDefaultType);
        Assert.Equal(SharedMemory.PlatformSafeKey("app"),
            rules.PlatformSafeKey("app", rules.DefaultType, IpcObjectKind.SharedMemory, out _));
        Assert.Equal(SystemSemaphore.LegacyNativeKey("app"),
            rules.LegacyNativeKey("app", rules.LegacyDefaultType, IpcObjectKind.SystemSemaphore));
    }
}
