using Xunit;

namespace NativeIpc.Tests.Keys;

/// <summary>What PlatformSafeKey makes as Qt does although no call accepts it, and who says so: the message of the
/// call, and the strict variant.</summary>
public class StrictKeyTests
{
    public static TheoryData<string> Names() => ["a/b", ".", "..", new string('x', 300), ""];

    [Theory]
    [MemberData(nameof(Names))]
    public void A_call_that_refuses_such_a_key_names_the_strict_variant(string name)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "The rules of POSIX names.");
        foreach (Action use in new Action[]
        {
            () => SharedMemory.CreateNew(SharedMemory.PlatformSafeKey(name), 1),
            () => SystemSemaphore.CreateNew(SystemSemaphore.PlatformSafeKey(name), 1),
            () => SystemEvent.CreateNew(SystemEvent.PlatformSafeKey(name), EventResetMode.AutoReset),
        })
        {
            NativeIpcException failure = Assert.Throws<NativeIpcException>(use);
            Assert.Equal(NativeIpcError.KeyError, failure.Error);
            Assert.Contains("PlatformSafeKeyUncut refuses a name", failure.Message,
                StringComparison.Ordinal);
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void The_strict_variant_refuses_it_with_the_rule(string name)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "The rules of POSIX names.");
        foreach (Func<string, NativeIpcKeyType, NativeIpcKey> make in new Func<string, NativeIpcKeyType, NativeIpcKey>[]
        {
            SharedMemory.PlatformSafeKeyUncut, SystemSemaphore.PlatformSafeKeyUncut, SystemEvent.PlatformSafeKeyUncut,
        })
        {
            ArgumentException failure = Assert.Throws<ArgumentException>(() => make(name,
                NativeIpcKeyType.PosixRealtime));
            Assert.Contains($"'{name}'", failure.Message, StringComparison.Ordinal);
            Assert.Contains(name is "." or ".." ? "names a folder" : name == "a/b" ? "slash inside"
                : name.Length == 0 ? "empty" : "Use a shorter name", failure.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_type_of_another_system_gives_an_empty_key_and_the_call_names_the_rules_of_all()
    {
        NativeIpcKeyType other = OperatingSystem.IsWindows() ? NativeIpcKeyType.PosixRealtime
            : NativeIpcKeyType.Windows;
        NativeIpcKey key = SharedMemory.PlatformSafeKey("app", other);
        Assert.Equal("", key.NativeKey);
        Assert.Equal(key, SharedMemory.PlatformSafeKeyUncut("app", other));
        Assert.Contains("NativeIpcKeyRules", Assert.Throws<NativeIpcException>(() => SharedMemory.OpenExisting(
            SharedMemory.PlatformSafeKey(""))).Message, StringComparison.Ordinal);
    }
}
