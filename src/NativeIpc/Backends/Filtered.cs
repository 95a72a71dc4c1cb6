using NativeIpc.Errors;

namespace NativeIpc.Backends;

/// <summary>Calls that are refused as such: by a kernel that has none, or by a filter.</summary>
internal static class Filtered
{
    /// <summary>Whether a number says so. No call gives ENOSYS by itself, and statx(2) not EPERM.</summary>
    public static bool Is(string call, int number)
        => number == Interop.Errno.ENOSYS || (number == Interop.Errno.EPERM && call == "statx");

    public static NativeIpcException Failed(string attempt, in NativeIpcKey key, string call, int number)
        => Failure.Of(NativeIpcError.PermissionDenied, attempt, key, call, number,
            "This kernel has no such call, or a filter of this process refuses it (seccomp: a container's profile, " +
            $"SystemCallFilter= of systemd): allow {call} there.");
}
