using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using NativeIpc.Contracts;
using NativeIpc.Errors;
using NativeIpc.Interop.Windows;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.Windows;

/// <summary>Windows events: CreateEventW and OpenEventW, under the plain native key.</summary>
/// <remarks>An event dies with its last handle, so none is ever left behind by a crash. Rights and interleavings are
/// those of <see cref="WindowsSegments"/>.</remarks>
internal sealed class WindowsEvents : IEventBackend
{
    private const string Creating = "create the event";
    private const string Opening = "open the event";
    private const uint Use = Kernel32.EVENT_MODIFY_STATE | Kernel32.EVENT_QUERY_STATE | Kernel32.SYNCHRONIZE;

    public bool Handles(NativeIpcKeyType type) => type == NativeIpcKeyType.Windows;

    public bool WorksHere => true;

    public (string Finding, string Remedy) WhyNotHere => throw new System.Diagnostics.UnreachableException();

    public EventObject CreateNew(in NativeIpcKey key, EventResetMode mode, bool isSet, SystemEventOptions options)
    {
        SafeWaitHandle handle = Create(key, mode, isSet, Security(options), out int number);
        if (number == Win32Error.ERROR_SUCCESS) return new WindowsEvent(key, handle, mode, createdNew: true);
        handle.Dispose();

        // Denied, too, when the name is taken by an event that this process may not have full access to.
        if (number == Win32Error.ERROR_ACCESS_DENIED && Exists(key)) number = Win32Error.ERROR_ALREADY_EXISTS;
        throw WindowsErrors.CreateEvent(Creating, key, number);
    }

    public EventObject? Open(in NativeIpcKey key, SystemEventOptions options, in PeerBound bound, bool mustExist)
    {
        WindowsSecurity security = Security(options);
        security.Check();
        SafeWaitHandle handle = Open(key, security.Rights, out int number);
        if (number == Win32Error.ERROR_SUCCESS) return Found(Opening, key, handle, security);
        handle.Dispose();
        return number == Win32Error.ERROR_FILE_NOT_FOUND && !mustExist
            ? null : throw WindowsErrors.Open(Opening, key, "OpenEventW", number);
    }

    public EventObject CreateOrOpen(in NativeIpcKey key, EventResetMode mode, bool isSet, SystemEventOptions options)
        => OpenOrCreate(key, mode, isSet, options);

    public EventObject CreateOrReset(in NativeIpcKey key, EventResetMode mode, bool isSet, SystemEventOptions options)
    {
        WindowsEvent opened = OpenOrCreate(key, mode, isSet, options);
        if (opened.CreatedNew) return opened;
        if (isSet) opened.Set();
        else opened.Reset();
        return opened;
    }

    public bool Remove(in NativeIpcKey key)
        => throw new PlatformNotSupportedException(
            $"Cannot remove the event {Failure.Describe(key)}: Windows removes an event with the last handle, and in "
                + $"no other way. Dispose it in every process that has it open.");

    private static WindowsSecurity Security(SystemEventOptions options)
        => new(options.CurrentUserOnly, options.SecurityDescriptor);

    private static WindowsEvent OpenOrCreate(in NativeIpcKey key, EventResetMode mode, bool isSet,
        SystemEventOptions options)
    {
        WindowsSecurity security = Security(options);
        security.Check();
        SafeWaitHandle handle = Open(key, security.Rights, out int number);
        if (number == Win32Error.ERROR_SUCCESS)
            return EventObject.OfMode(Found(Creating, key, handle, security), Creating, mode);
        handle.Dispose();
        if (number != Win32Error.ERROR_FILE_NOT_FOUND) throw WindowsErrors.Open(Creating, key, "OpenEventW", number);

        handle = Create(key, mode, isSet, security, out number);
        if (number == Win32Error.ERROR_SUCCESS) return new WindowsEvent(key, handle, mode, createdNew: true);
        if (number == Win32Error.ERROR_ALREADY_EXISTS)
            return EventObject.OfMode(Found(Creating, key, handle, security), Creating, mode);
        handle.Dispose();
        if (number != Win32Error.ERROR_ACCESS_DENIED) throw WindowsErrors.CreateEvent(Creating, key, number);

        handle = Open(key, security.Rights, out int openNumber);
        if (openNumber == Win32Error.ERROR_SUCCESS)
            return EventObject.OfMode(Found(Creating, key, handle, security), Creating, mode);
        handle.Dispose();
        throw openNumber == Win32Error.ERROR_FILE_NOT_FOUND
            ? WindowsErrors.CreateEvent(Creating, key, number)
            : WindowsErrors.Open(Creating, key, "OpenEventW", openNumber);
    }

    /// <summary>The object around the handle of an event that was there, if its owner is accepted. Takes it
    /// over.</summary>
    private static WindowsEvent Found(string attempt, in NativeIpcKey key, SafeWaitHandle handle,
        WindowsSecurity security)
    {
        try
        {
            security.CheckOwner(attempt, key, handle);
            Ntdll.EVENT_BASIC_INFORMATION told = WindowsEvent.Ask(attempt, key, handle);
            return new WindowsEvent(key, handle, told.EventType == Ntdll.NotificationEvent
                ? EventResetMode.ManualReset : EventResetMode.AutoReset, createdNew: false);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>A handle also with ERROR_ALREADY_EXISTS.</summary>
    private static SafeWaitHandle Create(in NativeIpcKey key, EventResetMode mode, bool isSet, WindowsSecurity security,
        out int number)
    {
        using SecurityAttributes attributes = security.Attributes();
        SafeWaitHandle handle = Kernel32.CreateEventW(attributes, mode == EventResetMode.ManualReset ? 1 : 0,
            isSet ? 1 : 0, key.NativeKey);
        number = Marshal.GetLastPInvokeError();

        // Only that number says something about a call that succeeded.
        if (!handle.IsInvalid && number != Win32Error.ERROR_ALREADY_EXISTS) number = Win32Error.ERROR_SUCCESS;
        return handle;
    }

    private static SafeWaitHandle Open(in NativeIpcKey key, uint moreRights, out int number)
    {
        SafeWaitHandle handle = Kernel32.OpenEventW(Use | moreRights, 0, key.NativeKey);
        number = Marshal.GetLastPInvokeError();
        if (!handle.IsInvalid) number = Win32Error.ERROR_SUCCESS;
        return handle;
    }

    private static bool Exists(in NativeIpcKey key)
    {
        using SafeWaitHandle handle = Open(key, 0, out int number);
        return number is Win32Error.ERROR_SUCCESS or Win32Error.ERROR_ACCESS_DENIED;
    }
}
