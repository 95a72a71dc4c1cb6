using System.Reflection;
using Xunit;
using Xunit.v3;

namespace NativeIpc.Testing;

/// <summary>
/// What a test needs of the machine: a trait to choose it by (<c>dotnet test --filter-not-trait Needs=root</c>), and
/// the skip with its reason where the machine lacks it. A class's constructor runs before that: one that needs the same
/// asks <see cref="Need"/>.
/// </summary>
public abstract class NeedAttribute(string what, string why) : BeforeAfterTestAttribute, ITraitAttribute
{
    internal const string Trait = "Needs";

    public IReadOnlyCollection<KeyValuePair<string, string>> GetTraits() => [new(Trait, what)];

    public override void Before(MethodInfo methodUnderTest, IXunitTest test)
        => Assert.SkipUnless(Need.IsMet(what), why);
}

/// <summary>Needs=Linux</summary>
[AttributeUsage(AttributeTargets.Assembly | AttributeTargets.Class | AttributeTargets.Method)]
public sealed class NeedsLinuxAttribute(string why) : NeedAttribute(Need.OfLinux, why);

/// <summary>Needs=Unix: Linux or macOS.</summary>
[AttributeUsage(AttributeTargets.Assembly | AttributeTargets.Class | AttributeTargets.Method)]
public sealed class NeedsUnixAttribute(string why) : NeedAttribute(Need.OfUnix, why);

/// <summary>Needs=Windows, or Wine.</summary>
[AttributeUsage(AttributeTargets.Assembly | AttributeTargets.Class | AttributeTargets.Method)]
public sealed class NeedsWindowsAttribute(string why) : NeedAttribute(Need.OfWindows, why);

/// <summary>Needs=root, on Unix.</summary>
[AttributeUsage(AttributeTargets.Assembly | AttributeTargets.Class | AttributeTargets.Method)]
public sealed class NeedsRootAttribute(string why) : NeedAttribute(Need.OfRoot, why);

/// <summary>Speed=slow: it takes more than a second or two on an idle machine.</summary>
[AttributeUsage(AttributeTargets.Assembly | AttributeTargets.Class | AttributeTargets.Method)]
public sealed class SlowAttribute : Attribute, ITraitAttribute
{
    public IReadOnlyCollection<KeyValuePair<string, string>> GetTraits() => [new("Speed", "slow")];
}

/// <summary>For constructors and helpers of tests that carry the attribute.</summary>
internal static class Need
{
    internal const string OfLinux = "Linux";
    internal const string OfUnix = "Unix";
    internal const string OfWindows = "Windows";
    internal const string OfRoot = "root";

    /// <summary>Skips the test unless it runs as root. With <c>NATIVEIPC_CHECK_TRAITS=1</c> a test without the trait
    /// fails, on every machine.</summary>
    internal static void Root(string why)
    {
        IReadOnlyCollection<string>? needs = TestContext.Current.Test?.Traits.GetValueOrDefault(NeedAttribute.Trait);
        bool checks = Environment.GetEnvironmentVariable("NATIVEIPC_CHECK_TRAITS") == "1";
        Assert.True(!checks || needs?.Contains(OfRoot) == true,
            "This test needs [NeedsRoot], so that it can be chosen by its trait.");
        Assert.SkipUnless(IsMet(OfRoot), why);
    }

    internal static bool IsMet(string what) => what switch
    {
        OfLinux => OperatingSystem.IsLinux(),
        OfUnix => !OperatingSystem.IsWindows(),
        OfWindows => OperatingSystem.IsWindows(),
        OfRoot => !OperatingSystem.IsWindows() && Environment.IsPrivilegedProcess,
        _ => throw new ArgumentOutOfRangeException(nameof(what), what, null),
    };
}
