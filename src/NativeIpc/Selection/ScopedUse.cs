using NativeIpc.Errors;
using NativeIpc.Keys;

namespace NativeIpc.Selection;

/// <summary>Whether this process may use a key of a user's scope, and how its owner is verified then.</summary>
internal static class ScopedUse
{
    /// <summary>Whether the key is of the scope of this process's user, so that the owner of what is there is verified
    /// whatever the options say. Without <paramref name="allowsOthers"/> another user's is refused.</summary>
    internal static bool IsOwn(string attempt, in NativeIpcKey key, bool allowsOthers)
    {
        if (!ScopeRules.TryGetUserHere(key, out string? user, out string? own)) return false;
        if (user == own) return true;
        if (allowsOthers) return false;
        throw Failure.Found(NativeIpcError.PermissionDenied, attempt, key, "scope check",
            $"its name is of the scope of user {user}, and this is "
                + (own is null ? "nobody that this user namespace maps" : $"user {own}"),
            OperatingSystem.IsWindows() ? "Use a key of this user's scope."
                : "Use a key of this user's scope, or set AllowOtherOwners where users share objects.");
    }
}
