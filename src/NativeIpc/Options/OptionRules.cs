using System.Runtime.CompilerServices;

namespace NativeIpc.Options;

/// <summary>Values that have no meaning are refused before anything is done with them.</summary>
[System.Diagnostics.CodeAnalysis.SuppressMessage("Usage", "CA2208",
    Justification = "The parameter is that of the public method.")]
internal static class OptionRules
{
    // What the public method calls the parameter that holds the value.
    private const string Options = "options";

    private const UnixFileMode ReadWrite = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead
        | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;

    public static void CheckMode(UnixFileMode mode)
    {
        if ((mode & ~ReadWrite) != 0)
            throw new ArgumentException(
                $"The mode {Convert.ToString((int)mode, 8)} (octal) has more than read and write bits; IPC objects "
                    + $"have no others.", Options);
        if ((mode & (UnixFileMode.UserRead | UnixFileMode.UserWrite))
            != (UnixFileMode.UserRead | UnixFileMode.UserWrite))
            throw new ArgumentException(
                $"The mode {Convert.ToString((int)mode, 8)} (octal) would lock its owner out; it must let the owner "
                    + $"read and write.", Options);
    }

    public static void CheckDefined<T>(T value, T last)
        where T : unmanaged, Enum
    {
        // The values count from 0; Enum.IsDefined would cost more than some of the system calls that follow.
        if (Unsafe.BitCast<T, uint>(value) > Unsafe.BitCast<T, uint>(last))
            throw new ArgumentException($"{value} is no value of {typeof(T).Name}.", Options);
    }

    public static void CheckBound(TimeSpan bound)
    {
        if (bound < TimeSpan.Zero && bound != Timeout.InfiniteTimeSpan)
            throw new ArgumentException($"PeerTimeout is {bound}; it must be zero or more, or infinite.", Options);
    }

    public static void CheckAccess(bool currentUserOnly, string? securityDescriptor, UnixFileMode mode, string? group,
        bool allowOtherOwners)
    {
        const UnixFileMode owner = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        if (currentUserOnly
            && (securityDescriptor is not null || group is not null || allowOtherOwners || (mode & ~owner) != 0))
            throw new ArgumentException(
                "CurrentUserOnly contradicts SecurityDescriptor, Group, AllowOtherOwners and a Mode for others: use "
                    + "either.", Options);
        if (securityDescriptor is not null && !OperatingSystem.IsWindows())
            throw new PlatformNotSupportedException(
                "SecurityDescriptor is for Windows; here Mode and Group say who may use the object.");
    }
}
