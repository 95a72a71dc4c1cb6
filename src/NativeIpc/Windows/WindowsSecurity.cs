using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using System.Security.AccessControl;
using System.Security.Principal;
using NativeIpc.Errors;
using NativeIpc.Interop.Windows;

namespace NativeIpc.Windows;

/// <summary>Who may use a new object, and whose existing one is accepted: what the options say, for the object and all
/// that is made beside it.</summary>
/// <param name="CurrentUserOnly">New ones for this user alone; existing ones only if this user owns them.</param>
/// <param name="Descriptor">The text form of a security descriptor; null for that of
/// <paramref name="CurrentUserOnly"/>, or the default of the process.</param>
internal readonly record struct WindowsSecurity(bool CurrentUserOnly, string? Descriptor)
{
    /// <summary>What opening asks for beyond what using takes.</summary>
    public uint Rights => CurrentUserOnly ? Advapi32.READ_CONTROL : 0;

    /// <summary>What the functions that make objects take. Dispose it after the call.</summary>
    /// <exception cref="ArgumentException">The text is no security descriptor.</exception>
    public SecurityAttributes Attributes()
    {
        // The owner is named too: an administrator's objects belong to the group of all administrators otherwise.
        string? text = CurrentUserOnly && OperatingSystem.IsWindows()
            ? $"O:{CurrentUser()}D:P(A;;GA;;;{CurrentUser()})" : Descriptor;
        if (text is null) return new SecurityAttributes();
        if (Advapi32.ConvertStringSecurityDescriptorToSecurityDescriptorW(text, Advapi32.SDDL_REVISION_1,
            out nint descriptor, 0) != 0)
            return new SecurityAttributes(descriptor);
        int number = Marshal.GetLastPInvokeError();
        throw new ArgumentException(
            $"SecurityDescriptor is \"{text}\", which Windows does not take as a security descriptor "
                + $"(ConvertStringSecurityDescriptorToSecurityDescriptorW says "
                + $"\"{Marshal.GetPInvokeErrorMessage(number)}\", error {number}). An example: "
                + $"D:P(A;;GA;;;OW)(A;;GRGWGX;;;AU).", "options");
    }

    /// <summary>Refuses a text that is no security descriptor, also where nothing is made.</summary>
    /// <exception cref="ArgumentException">It is none.</exception>
    public void Check()
    {
        if (Descriptor is not null) Attributes().Dispose();
    }

    /// <summary>Refuses an object of somebody else, if the options say so. It was opened with
    /// <see cref="Rights"/>.</summary>
    public void CheckOwner(string attempt, in NativeIpcKey key, SafeHandle handle)
    {
        if (!CurrentUserOnly || !OperatingSystem.IsWindows()) return;
        SecurityIdentifier? owner = OwnerOf(attempt, key, handle);
        if (owner is not null && CurrentUser().Equals(owner)) return;
        throw Failure.Found(NativeIpcError.PermissionDenied, attempt, key, "GetKernelObjectSecurity",
            $"it belongs to {(owner is null ? "nobody" : $"another user, {owner.Value}")}, and CurrentUserOnly was "
                + $"asked for",
            "Use another name, find out who has made it, or do without CurrentUserOnly if that user is trusted.");
    }

    [SupportedOSPlatform("windows")]
    internal static unsafe SecurityIdentifier? OwnerOf(string attempt, in NativeIpcKey key, SafeHandle handle)
    {
        byte[] bytes = new byte[256];
        while (true)
        {
            fixed (byte* buffer = bytes)
            {
                if (Advapi32.GetKernelObjectSecurity(handle, Advapi32.OWNER_SECURITY_INFORMATION, (nint)buffer,
                    (uint)bytes.Length, out uint needed) != 0)
                    return new RawSecurityDescriptor(bytes, 0).Owner;
                int number = Marshal.GetLastPInvokeError();
                if (number != Win32Error.ERROR_INSUFFICIENT_BUFFER || needed <= bytes.Length)
                    throw WindowsErrors.Security(attempt, key, number);
                bytes = new byte[needed];
            }
        }
    }

    [SupportedOSPlatform("windows")]
    private static SecurityIdentifier CurrentUser()
    {
        using var user = WindowsIdentity.GetCurrent();
        return user.User!; // null for an anonymous token only, which can make nothing
    }
}
