using System.Globalization;
using NativeIpc.Interop.Unix;

namespace NativeIpc.Platform;

/// <summary>
/// Which numbers of users, or of groups, are somebody's. In a user namespace that does not map all ids, every id that
/// is not mapped shows
/// as one and the same number (the overflow id, <c>user_namespaces(7)</c>): that number is nobody's, and never the same
/// as another one.
/// </summary>
/// <remarks>The map is read once: it is written once, and a process with several threads cannot change its namespace. A
/// map that is
/// written after it was read leaves the overflow id nobody's, which is safe. Immutable; safe for any number of
/// threads.</remarks>
internal sealed class RealIds
{
    private const long All = uint.MaxValue; // 2^32-1 ids: the last number means "none"
    private const uint UsualOverflow = 65534;

    /// <summary>What to do about an object whose owner is nobody.</summary>
    public const string Remedy =
        "Map its owner's id into this user namespace (newuidmap; podman run --uidmap), use another name, or set "
            + "AllowOtherOwners where users share objects.";

    private static RealIds? s_users;

    private readonly uint? _nobody;

    private RealIds(uint? nobody) => _nobody = nobody;

    /// <summary>The users of this process's namespace.</summary>
    public static RealIds Users => s_users ?? Read(ref s_users, "/proc/self/uid_map", "/proc/sys/kernel/overflowuid");

    /// <summary>The groups of this process's namespace.</summary>
    public static RealIds Groups => field ?? Read(ref field, "/proc/self/gid_map", "/proc/sys/kernel/overflowgid");

    /// <summary>What follows from the system's own words.</summary>
    /// <param name="map">The text of <c>uid_map</c>; null when it cannot be read, and so nobody knows what is
    /// mapped.</param>
    /// <param name="overflow">The text of <c>overflowuid</c>; null when it cannot be read.</param>
    public static RealIds Of(string? map, string? overflow)
        => new(map is not null && Mapped(map) == All ? null
            : TryParse(overflow?.Trim() ?? "", out long number) && number <= uint.MaxValue
                ? (uint)number : UsualOverflow);

    /// <summary>Whether a number is that of one user, and not of all who are not mapped.</summary>
    public bool IsReal(uint id) => id != _nobody;

    /// <summary>Whether two numbers are certainly those of the same user.</summary>
    public bool AreSame(uint one, uint other) => one == other && one != _nobody;

    /// <summary>The number, if it is somebody's.</summary>
    public long? Known(uint id) => IsReal(id) ? id : null;

    /// <summary>The number, as a message shows it behind "user" or "group".</summary>
    public string Describe(uint id)
        => IsReal(id) ? id.ToString(CultureInfo.InvariantCulture)
            : string.Create(CultureInfo.InvariantCulture,
                $"{id} (which stands for all that this user namespace does not map, so it is nobody's)");

    /// <summary>Whether a user is certainly this process's.</summary>
    public static bool IsThisUser(uint user) => Users.AreSame(user, Libc.geteuid());

    /// <summary>Whether a user is certainly this process's, or root: whose objects are trusted.</summary>
    public static bool IsTrusted(uint user) => (user == 0 && Users.IsReal(0)) || IsThisUser(user);

    /// <summary>Whether a user may be this process's, so that the kernel has to decide.</summary>
    public static bool MayBeThisUser(uint user) => user == Libc.geteuid();

    /// <summary>How many ids are mapped; the kernel takes no ranges that overlap.</summary>
    /// <remarks>By hand: what .NET has to find lines and to parse numbers is a large part of a first lock.</remarks>
    private static long Mapped(string map)
    {
        long mapped = 0, number = 0, last = 0;
        int numbers = 0;
        bool isInside = false;
        for (int i = 0; i <= map.Length; i++)
        {
            char read = i < map.Length ? map[i] : '\n';
            if (char.IsAsciiDigit(read))
            {
                number = number > All ? number : (number * 10) + (read - '0');
                isInside = true;
                continue;
            }

            if (isInside) (last, number, numbers) = (number, 0, numbers + 1);
            isInside = false;
            if (read != '\n') continue;

            // Each line: first id inside, first id outside, how many.
            if (numbers == 3) mapped += last;
            numbers = 0;
        }

        return mapped;
    }

    private static bool TryParse(string digits, out long number)
    {
        number = 0;
        foreach (char digit in digits)
        {
            if (digit is < '0' or > '9' || number > All) return false;
            number = (number * 10) + (digit - '0');
        }

        return digits.Length > 0;
    }

    private static RealIds Read(ref RealIds? kept, string mapFile, string overflowFile)
    {
        if (!OperatingSystem.IsLinux()) return kept = new RealIds(null);
        string? map = Libc.TextOf(mapFile, out int error);
        // a kernel without user namespaces
        if (error == Errno.ENOENT && Libc.TextOf("/proc/self/stat", out _) is not null) return kept =
            new RealIds(null);
        if (map is not null && Mapped(map) == All) return kept = new RealIds(null);
        RealIds read = Of(map, Libc.TextOf(overflowFile, out _));
        // those pass
        return error is Errno.EMFILE or Errno.ENFILE or Errno.ENOMEM ? read : kept = read;
    }
}
