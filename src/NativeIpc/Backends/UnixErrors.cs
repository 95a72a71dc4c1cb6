using NativeIpc.Errors;
using static NativeIpc.Interop;

namespace NativeIpc.Backends;

/// <summary>The arm that every table of Unix ends with.</summary>
internal static class UnixErrors
{
    /// <summary>A call failed with a number that has no meaning of its own there: the number is kept, and nothing is
    /// guessed but this: what forbids a call that needs no right is a
    /// sandbox, and what does not know it is an old kernel or one too.</summary>
    /// <param name="attempt">What was tried, to follow "Cannot".</param>
    /// <param name="key">The key of the object.</param>
    /// <param name="call">The system call.</param>
    /// <param name="number">The system's error number.</param>
    public static NativeIpcException Unexplained(string attempt, in NativeIpcKey key, string call, int number)
        => number == Errno.EPERM || number == Errno.ENOSYS
            ? Failure.Of(NativeIpcError.PermissionDenied, attempt, key, call, number,
                $"A sandbox (seccomp) refuses {call} to this process, or the kernel lacks it: allow it there.")
            : Failure.Of(NativeIpcError.Unknown, attempt, key, call, number,
                $"See {call} in the manual for error {number}.");
}
