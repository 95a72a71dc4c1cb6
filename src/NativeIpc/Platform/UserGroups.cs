using System.Globalization;
using System.Runtime.InteropServices;
using NativeIpc.Interop.Unix;

namespace NativeIpc.Platform;

/// <summary>Finds the group that an option names.</summary>
internal static class UserGroups
{
    // struct group: two pointers (name, password), then the number; the same on Linux and Apple.
    private const int OffsetOfNumber = 16;

    private static readonly Lock s_groupEntries = new();

    /// <summary>The number of a group, given by name or number. A name of digits only is a number.</summary>
    /// <exception cref="ArgumentException">There is no such group, or the system could not tell.</exception>
    internal static unsafe uint Resolve(string group)
    {
        // 2^32-1 is no group: to the system calls it means "leave it".
        if (uint.TryParse(group, NumberStyles.None, CultureInfo.InvariantCulture, out uint number)
            && number != uint.MaxValue)
            return number;
        if (OperatingSystem.IsWindows() || group.Length == 0 || group.Contains('\0')) throw Unknown(group, "");
        lock (s_groupEntries) // getgrnam answers in a buffer of its own
        {
            byte* entry = Libc.getgrnam(group);
            if (entry != null) return *(uint*)(entry + OffsetOfNumber);

            // A name that is missing leaves 0, or one of several numbers that mean the same (getgrnam(3)).
            int error = Marshal.GetLastPInvokeError();
            throw Unknown(group, error == 0
                ? "" : $" (getgrnam says \"{Marshal.GetPInvokeErrorMessage(error)}\", error {error})");
        }
    }

    /// <summary>The name of a group; empty when it has none.</summary>
    internal static unsafe string Name(uint group)
    {
        lock (s_groupEntries) // getgrgid answers in a buffer of its own
        {
            byte** entry = Libc.getgrgid(group);
            return entry == null ? "" : Marshal.PtrToStringUTF8((nint)(*entry)) ?? "";
        }
    }

    private static ArgumentException Unknown(string group, string detail)
        => new($"There is no group '{group}' on this system{detail}. Give the name of a group, or its number.",
            nameof(group));
}
