using NativeIpc.Keys;
using Xunit;

namespace NativeIpc.Tests.Keys;

public class UsableKeyTests
{
    [Theory]
    [InlineData("", "empty")]
    [InlineData("/a\0b", "NUL")]
    [InlineData("/a/b", "slash inside")]
    [InlineData("a/b", "slash inside")]
    [InlineData("/foo/", "slash inside")]
    [InlineData("/", "nothing after")]
    [InlineData("//", "nothing after")]
    [InlineData("/.", "names a folder")]
    [InlineData("//..", "names a folder")]
    public void A_POSIX_key_that_cannot_work_is_refused_with_the_rule(string nativeKey, string rule)
    {
        var key = new NativeIpcKey(nativeKey, NativeIpcKeyType.PosixRealtime);
        foreach (IpcObjectKind kind in Enum.GetValues<IpcObjectKind>())
        {
            Assert.Contains(rule, UsableKey.FindViolation(key, kind, KeyPlatform.Linux), StringComparison.Ordinal);
            Assert.Contains(rule, UsableKey.FindViolation(key, kind, KeyPlatform.LinuxMusl), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(IpcObjectKind.SharedMemory)]
    [InlineData(IpcObjectKind.SystemSemaphore)]
    public void A_System_V_key_whose_file_would_be_an_events_is_refused_where_there_are_such(IpcObjectKind kind)
    {
        foreach (NativeIpcKeyType type in (NativeIpcKeyType[])[NativeIpcKeyType.SystemV,
            NativeIpcKeyType.FromProjectId(7)])
        {
            NativeIpcKey key = new("/tmp/a.nativeipc-event", type);
            Assert.Contains("meet one", UsableKey.FindViolation(key, kind, KeyPlatform.Linux),
                StringComparison.Ordinal);
            Assert.Contains("meet one", UsableKey.FindViolation(key, kind, KeyPlatform.LinuxMusl),
                StringComparison.Ordinal);
            Assert.Null(UsableKey.FindViolation(key, kind, KeyPlatform.Apple));
            Assert.Null(UsableKey.FindViolation(key, IpcObjectKind.SystemEvent, KeyPlatform.Linux));
            Assert.Null(UsableKey.FindViolation(new("/tmp/a.nativeipc-events", type), kind, KeyPlatform.Linux));

            // Poco's NamedEvent has such key files.
            Assert.Null(UsableKey.FindViolation(new("/tmp/a.event", type), kind, KeyPlatform.Linux));
            Assert.Null(UsableKey.FindViolation(new("/tmp/a.nativeipc-event/b", type), kind, KeyPlatform.Linux));
        }
    }

    [Fact]
    public void A_lone_surrogate_is_refused_on_every_platform() // not as a theory: attributes are UTF-8
    {
        foreach (KeyPlatform platform in Enum.GetValues<KeyPlatform>())
        {
            NativeIpcKeyType type = NameRules.DefaultType(platform);
            Assert.Contains("lone surrogate at position 2",
                UsableKey.FindViolation(new NativeIpcKey("/a\ud800", type), IpcObjectKind.SharedMemory, platform),
                StringComparison.Ordinal);
            Assert.Contains("lone surrogate at position 1",
                UsableKey.FindViolation(new NativeIpcKey("/\udc00a", type), IpcObjectKind.SharedMemory, platform),
                StringComparison.Ordinal);
            Assert.Contains("lone surrogate at position 3",
                UsableKey.FindViolation(new NativeIpcKey("/\U0001F600\ud800\ud800", type), IpcObjectKind.SharedMemory,
                    platform), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("a")]
    [InlineData("/a")]
    [InlineData("///a")]
    [InlineData("/a b:\n*")]
    [InlineData("/...")]
    [InlineData("/\U0001F600")]
    public void A_POSIX_key_that_works_is_accepted(string nativeKey)
        => Assert.Null(UsableKey.FindViolation(new NativeIpcKey(nativeKey, NativeIpcKeyType.PosixRealtime),
            IpcObjectKind.SystemSemaphore, KeyPlatform.Linux));

    [Theory]
    [InlineData(KeyPlatform.Linux, IpcObjectKind.SharedMemory, 255)]
    [InlineData(KeyPlatform.Linux, IpcObjectKind.SystemSemaphore, 251)]
    [InlineData(KeyPlatform.LinuxMusl, IpcObjectKind.SharedMemory, 255)]
    [InlineData(KeyPlatform.LinuxMusl, IpcObjectKind.SystemSemaphore, 255)]
    internal void A_POSIX_name_has_so_many_bytes_after_its_slashes(KeyPlatform platform, IpcObjectKind kind, int limit)
    {
        Assert.Null(Find("//" + new string('x', limit)));
        Assert.Contains("at most", Find("/" + new string('x', limit + 1)), StringComparison.Ordinal);
        Assert.Null(Find("/" + new string('x', limit - 2) + "\u00e9"));
        Assert.Contains($"has {limit + 1} bytes", Find("/" + new string('x', limit - 1) + "\u00e9"),
            StringComparison.Ordinal);

        string? Find(string nativeKey)
            => UsableKey.FindViolation(new NativeIpcKey(nativeKey, NativeIpcKeyType.PosixRealtime), kind, platform);
    }

    [Theory]
    [InlineData(IpcObjectKind.SharedMemory, 31)]
    [InlineData(IpcObjectKind.SystemSemaphore, 30)]
    internal void An_Apple_name_has_so_many_bytes_with_its_slash_and_no_rule_for_slashes(IpcObjectKind kind, int limit)
    {
        Assert.Null(Find("/" + new string('x', limit - 1)));
        Assert.Contains("at most", Find("/" + new string('x', limit)), StringComparison.Ordinal);
        Assert.Null(Find("group.a/b/c"));
        Assert.Null(Find("/"));

        string? Find(string nativeKey)
            => UsableKey.FindViolation(new NativeIpcKey(nativeKey, NativeIpcKeyType.PosixRealtime), kind,
                KeyPlatform.Apple);
    }

    [Fact]
    public void Apple_counts_the_bytes_of_the_decomposed_name()
    {
        Assert.SkipUnless(NameText.CanDecompose, "This process runs without ICU, in which .NET decomposes nothing.");
        Assert.Equal("/e\u0301", NameText.ForSystem("/\u00e9", KeyPlatform.Apple));
        Assert.Null(Find("/" + new string('\u00e9', 10)));
        Assert.Contains("has 34 bytes", Find("/" + new string('\u00e9', 11)), StringComparison.Ordinal);

        static string? Find(string nativeKey)
            => UsableKey.FindViolation(new NativeIpcKey(nativeKey, NativeIpcKeyType.PosixRealtime),
                IpcObjectKind.SharedMemory, KeyPlatform.Apple);
    }

    [Fact]
    public void Apple_refuses_other_names_than_ASCII_where_NET_cannot_decompose()
    {
        var key = new NativeIpcKey("/\u00e9", NativeIpcKeyType.PosixRealtime);
        Assert.Contains("InvariantGlobalization",
            UsableKey.FindViolation(key, IpcObjectKind.SharedMemory, KeyPlatform.Apple, NameForm.Refused),
            StringComparison.Ordinal);
        Assert.Contains("InvariantGlobalization",
            UsableKey.FindViolation(key.WithType(NativeIpcKeyType.SystemV), IpcObjectKind.SharedMemory,
                KeyPlatform.Apple, NameForm.Refused), StringComparison.Ordinal);
    }

    [Fact]
    public void Only_Apple_decomposes()
        => Assert.All([KeyPlatform.Linux, KeyPlatform.LinuxMusl, KeyPlatform.Android, KeyPlatform.Windows],
        platform => Assert.Equal("/\u00e9", NameText.ForSystem("/\u00e9", platform)));

    [Fact]
    public void A_System_V_path_has_components_of_255_bytes_and_4095_in_all()
    {
        string component = "/" + new string('x', 255);
        Assert.Null(Find("/tmp/key"));
        Assert.Null(Find("relative/key"));
        Assert.Null(Find("/"));
        Assert.Null(Find(component));
        Assert.Contains("component of 256 bytes", Find("/tmp" + component + "x/y"), StringComparison.Ordinal);
        string longest = string.Concat(Enumerable.Repeat(component, 15)) + "/" + new string('x', 254);
        Assert.Null(Find(longest));
        Assert.Contains("has 4096 bytes", Find(longest + "x"), StringComparison.Ordinal);

        static string? Find(string nativeKey)
            => UsableKey.FindViolation(new NativeIpcKey(nativeKey, (NativeIpcKeyType)7), IpcObjectKind.SharedMemory,
                KeyPlatform.Linux);
    }

    [Theory]
    [InlineData("a", null)]
    [InlineData(@"Local\a", null)]
    [InlineData(@"Global\a/b", null)]
    [InlineData(@"a\b", "backslash")]
    [InlineData(@"\a", "backslash")]
    [InlineData(@"Global\a\b", "backslash")]
    [InlineData(@"local\a", "backslash")]
    [InlineData(@"Local\", "nothing after")]
    [InlineData(@"Global\", "nothing after")]
    [InlineData("", "empty")]
    [InlineData("a\0", "NUL")]
    public void A_Windows_name_has_a_backslash_only_after_its_name_space(string nativeKey, string? rule)
    {
        string? violation = UsableKey.FindViolation(new NativeIpcKey(nativeKey, NativeIpcKeyType.Windows),
            IpcObjectKind.SharedMemory, KeyPlatform.Windows);
        if (rule is null) Assert.Null(violation);
        else Assert.Contains(rule, violation, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", 259, true)]
    [InlineData("", 260, false)]
    [InlineData(@"Global\", 252, true)]
    [InlineData(@"Global\", 253, false)]
    public void A_Windows_name_has_at_most_259_units(string prefix, int length, bool usable)
    {
        var key = new NativeIpcKey(prefix + new string('x', length), NativeIpcKeyType.Windows);
        Assert.Equal(usable, UsableKey.FindViolation(key, IpcObjectKind.SharedMemory, KeyPlatform.Windows) is null);
    }

    [Fact]
    public void Types_that_the_platform_lacks_are_left_to_the_back_ends()
    {
        Assert.Null(UsableKey.FindViolation(new NativeIpcKey(@"a\b", NativeIpcKeyType.Windows),
            IpcObjectKind.SharedMemory, KeyPlatform.Linux));
        Assert.Null(UsableKey.FindViolation(new NativeIpcKey("/a/b", NativeIpcKeyType.PosixRealtime),
            IpcObjectKind.SharedMemory, KeyPlatform.Windows));
        Assert.Null(UsableKey.FindViolation(new NativeIpcKey("/a/b", (NativeIpcKeyType)0x102),
            IpcObjectKind.SharedMemory, KeyPlatform.Linux));
    }

    [Fact]
    public void A_foreign_name_can_be_passed_as_it_is()
    {
        Assert.Equal("/\u00e9", NameText.ForSystem("/\u00e9", KeyPlatform.Apple, NameForm.AsItIs));
        Assert.Null(UsableKey.FindViolation(new NativeIpcKey("/\u00e9", NativeIpcKeyType.PosixRealtime),
            IpcObjectKind.SharedMemory, KeyPlatform.Apple, NameForm.AsItIs));
    }
}
