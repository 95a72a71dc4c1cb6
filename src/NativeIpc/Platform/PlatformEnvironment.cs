using System.Globalization;
using System.Security.Principal;
using NativeIpc.Interop.Unix;

namespace NativeIpc.Platform;

/// <summary>What this process runs on, asked once; and the folders, asked anew each time.</summary>
internal static class PlatformEnvironment
{
    /// <summary>The switch of <see cref="NativeIpcKey.LegacyDefaultType"/>.</summary>
    public const string LegacyDefaultIsPosixSwitch = "NativeIpc.LegacyDefaultIsPosix";

    /// <summary>The platform whose key rules apply.</summary>
    public static KeyPlatform Platform { get; } =
        OperatingSystem.IsWindows() ? KeyPlatform.Windows
        : Target.IsApple ? KeyPlatform.Apple
        : OperatingSystem.IsAndroid() ? KeyPlatform.Android
        : Libraries.IsGlibc ? KeyPlatform.Linux
        : KeyPlatform.LinuxMusl;

    /// <summary>
    /// Whether an Apple sandbox confines the process. On macOS the sign is the variable APP_SANDBOX_CONTAINER_ID,
    /// which the sandbox sets: widely relied on, undocumented, and inherited by or hidden from a process whose parent
    /// wants it so. Asking Security.framework for the entitlement, as Qt does, would be certain. iOS and its like
    /// confine every process.
    /// </summary>
    public static bool IsSandboxed { get; } = Platform == KeyPlatform.Apple
        && (!(OperatingSystem.IsMacOS() || OperatingSystem.IsMacCatalyst())
            || Environment.GetEnvironmentVariable("APP_SANDBOX_CONTAINER_ID") is { Length: > 0 });

    public static bool LegacyDefaultIsPosix
        => AppContext.TryGetSwitch(LegacyDefaultIsPosixSwitch, out bool isPosix) && isPosix;

    /// <summary>The environment of the rules of names. Its folders are looked up each time they are asked for, as Qt
    /// does: the variables and what they lead to may change while the process runs.</summary>
    public static KeyEnvironment Current { get; } = new(
        Platform,
        IsSandboxed,
        () => UserDirectories.OfThisProcess().RuntimeDirectory().Path,
        () => UserDirectories.OfThisProcess().TemporaryDirectory(),
        User,
        Session);

    private static string? User()
    {
        if (OperatingSystem.IsWindows())
        {
            using var user = WindowsIdentity.GetCurrent();
            return user.User?.Value; // null for an anonymous token only, which can make nothing
        }

        uint id = Libc.geteuid();
        return RealIds.Users.IsReal(id) ? id.ToString(CultureInfo.InvariantCulture) : null;
    }

    private static string? Session()
        => !OperatingSystem.IsWindows() && Libc.getsid(0) is > 0 and var id
            ? id.ToString(CultureInfo.InvariantCulture) : null;
}
