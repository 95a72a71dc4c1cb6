using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using System.Security.Principal;
using Microsoft.Win32.SafeHandles;
using NativeIpc.Interop.Windows;
using NativeIpc.Keys;
using NativeIpc.Platform;
using NativeIpc.Windows;

namespace NativeIpc.Inspection.Windows;

/// <summary>Looks at single objects: opens them by name with the least rights that tell something. Used by one
/// thread.</summary>
/// <param name="locks">The names that locks of segments have.</param>
/// <param name="countsHandles">Whether to say how many handles there are.</param>
internal sealed unsafe class WindowsLook(HashSet<string> locks, bool countsHandles)
{
    // Asking for the name of an account may go over the network, and most objects belong to few.
    private readonly Dictionary<string, string> _accounts = new(StringComparer.Ordinal);

    public static NativeIpcKey KeyOf(string name) => new(name, NativeIpcKeyType.Windows);

    /// <summary>The names that a segment's lock may have: also that of the legacy semaphore.</summary>
    public static IEnumerable<string> LocksOf(string segment)
    {
        yield return NameRules.LockKey(KeyOf(segment), PlatformEnvironment.Current).NativeKey;
        if (NameRules.IsLegacyName(segment, IpcObjectKind.SharedMemory, out _))
            yield return NameRules.LegacySibling(segment, IpcObjectKind.SharedMemory);
    }

    /// <summary>What there is to say of an object; null when there is none of this kind by now.</summary>
    public IpcObjectInfo? Look(string name, IpcObjectKind kind)
    {
        List<string> unreadable = [];
        long? size = null;
        int? value = null;
        bool isSegment = kind == IpcObjectKind.SharedMemory;
        bool isEvent = kind == IpcObjectKind.SystemEvent;
        Ntdll.EVENT_BASIC_INFORMATION? state = null;
        using SafeHandle handle = isSegment ? OpenSegment(name, out int number)
            : isEvent ? OpenEvent(name, out number) : OpenSemaphore(name, out number);
        if (number is Win32Error.ERROR_FILE_NOT_FOUND or Win32Error.ERROR_INVALID_HANDLE) return null;
        bool isOpen = number == Win32Error.ERROR_SUCCESS;
        if (number == Win32Error.ERROR_ACCESS_DENIED)
            unreadable.Add("Its access control list does not let this user look at it.");
        else if (!isOpen)
            unreadable.Add($"It cannot be opened: \"{Marshal.GetPInvokeErrorMessage(number)}\" (error {number}).");
        else if (handle is SafeMemoryMappedFileHandle section) size = SizeOf(section, unreadable);
        else if (isEvent) state = StateOf((SafeWaitHandle)handle, unreadable);
        else value = CountOf((SafeWaitHandle)handle, unreadable);

        IpcObjectTraits traits = NameRules.IsLegacyName(name, kind, out string original)
            ? IpcObjectTraits.LegacyName : IpcObjectTraits.None;
        if (kind == IpcObjectKind.SystemSemaphore && locks.Contains(name)) traits |= IpcObjectTraits.LockOfSegment;
        NativeIpcKey key = new(name, NativeIpcKeyType.Windows, original.Length > 0 ? original : null);
        return new IpcObjectInfo
        {
            Kind = kind,
            Type = NativeIpcKeyType.Windows,
            // Native programs may use names that Win32 does not open
            Key = UsableKey.FindViolationHere(key, kind) is null ? key : default,
            NativeName = name,
            Size = size,
            Value = value,
            ResetMode = state is not { } told ? null
                : told.EventType == Ntdll.NotificationEvent ? EventResetMode.ManualReset : EventResetMode.AutoReset,
            IsSet = state is { } now ? now.EventState != 0 : null,
            OwnerName = isOpen && OperatingSystem.IsWindows() ? OwnerOf(name, handle) : null,
            AttachmentCount = isOpen && countsHandles ? HandlesOf(handle) : null,
            Traits = traits,
            Unreadable = unreadable,
            ObjectIdentity = $"windows:{kind}:{name}",
        };
    }

    /// <summary>Whether there is a semaphore that this user may not use as <see cref="SystemSemaphore"/> and Qt
    /// do.</summary>
    public static bool IsShut(string name)
    {
        using SafeWaitHandle handle = Kernel32.OpenSemaphoreW(
            Kernel32.SEMAPHORE_MODIFY_STATE | Kernel32.SYNCHRONIZE, 0, name);
        return handle.IsInvalid && Marshal.GetLastPInvokeError() == Win32Error.ERROR_ACCESS_DENIED;
    }

    /// <summary>Reads bytes of a segment; how many, fewer at its end and before pages that are only reserved.</summary>
    public static int Read(string name, long offset, Span<byte> destination)
    {
        const string attempt = "read the segment";
        using SafeMemoryMappedFileHandle section = Kernel32.OpenFileMappingW(Kernel32.FILE_MAP_READ, 0, name);
        int number = Marshal.GetLastPInvokeError();
        if (section.IsInvalid) throw WindowsErrors.Open(attempt, KeyOf(name), "OpenFileMappingW", number);
        nint address = Kernel32.MapViewOfFile(section, Kernel32.FILE_MAP_READ, 0, 0, 0);
        if (address == 0) throw WindowsErrors.Map(attempt, KeyOf(name), "MapViewOfFile", Marshal.GetLastPInvokeError());
        try
        {
            if (offset >= ViewSize(address)) return 0;
            int done = 0;
            while (done < destination.Length)
            {
                nint at = address + (nint)offset + done;
                if (!Region(at, address, out Kernel32.MEMORY_BASIC_INFORMATION region)
                    || region.State != Kernel32.MEM_COMMIT)
                    break;
                int length = (int)Math.Min(destination.Length - done,
                    region.BaseAddress + (nint)region.RegionSize - at);
                new ReadOnlySpan<byte>((void*)at, length).CopyTo(destination[done..]);
                done += length;
            }

            return done;
        }
        finally
        {
            _ = Kernel32.UnmapViewOfFile(address);
        }
    }

    // With the right to ask for the owner, if that is granted.
    private static SafeMemoryMappedFileHandle OpenSegment(string name, out int number)
    {
        SafeMemoryMappedFileHandle handle =
            Kernel32.OpenFileMappingW(Kernel32.FILE_MAP_READ | Advapi32.READ_CONTROL, 0, name);
        number = handle.IsInvalid ? Marshal.GetLastPInvokeError() : Win32Error.ERROR_SUCCESS;
        if (number != Win32Error.ERROR_ACCESS_DENIED) return handle;
        handle.Dispose();
        handle = Kernel32.OpenFileMappingW(Kernel32.FILE_MAP_READ, 0, name);
        number = handle.IsInvalid ? Marshal.GetLastPInvokeError() : Win32Error.ERROR_SUCCESS;
        return handle;
    }

    // Also without the right to ask for the count, which those do not have whom only waiting and releasing was granted.
    private static SafeWaitHandle OpenSemaphore(string name, out int number)
    {
        SafeWaitHandle? handle = null;
        number = Win32Error.ERROR_ACCESS_DENIED;
        foreach (uint rights in (ReadOnlySpan<uint>)[Kernel32.SEMAPHORE_QUERY_STATE | Advapi32.READ_CONTROL,
            Kernel32.SEMAPHORE_QUERY_STATE, Kernel32.SYNCHRONIZE])
        {
            handle?.Dispose();
            handle = Kernel32.OpenSemaphoreW(rights, 0, name);
            number = handle.IsInvalid ? Marshal.GetLastPInvokeError() : Win32Error.ERROR_SUCCESS;
            if (number != Win32Error.ERROR_ACCESS_DENIED) break;
        }

        return handle!;
    }

    // As of a semaphore.
    private static SafeWaitHandle OpenEvent(string name, out int number)
    {
        SafeWaitHandle? handle = null;
        number = Win32Error.ERROR_ACCESS_DENIED;
        foreach (uint rights in (ReadOnlySpan<uint>)[Kernel32.EVENT_QUERY_STATE | Advapi32.READ_CONTROL,
            Kernel32.EVENT_QUERY_STATE, Kernel32.SYNCHRONIZE])
        {
            handle?.Dispose();
            handle = Kernel32.OpenEventW(rights, 0, name);
            number = handle.IsInvalid ? Marshal.GetLastPInvokeError() : Win32Error.ERROR_SUCCESS;
            if (number != Win32Error.ERROR_ACCESS_DENIED) break;
        }

        return handle!;
    }

    private static Ntdll.EVENT_BASIC_INFORMATION? StateOf(SafeWaitHandle handle, List<string> unreadable)
    {
        int status = Ntdll.NtQueryEvent(handle, Ntdll.EventBasicInformation,
            out Ntdll.EVENT_BASIC_INFORMATION information, (uint)sizeof(Ntdll.EVENT_BASIC_INFORMATION), 0);
        if (status >= 0) return information;
        unreadable.Add(status == Ntdll.STATUS_ACCESS_DENIED
            ? "Its access control list does not let this user read its state."
            : $"Its state cannot be read (NTSTATUS 0x{status:x8}).");
        return null;
    }

    /// <summary>That of a view, which is whole pages, as <see cref="SharedMemory.Size"/> is.</summary>
    private static long? SizeOf(SafeMemoryMappedFileHandle section, List<string> unreadable)
    {
        nint address = Kernel32.MapViewOfFile(section, Kernel32.FILE_MAP_READ, 0, 0, 0);
        if (address == 0)
        {
            int number = Marshal.GetLastPInvokeError();
            unreadable.Add($"Its size is that of a view, and it cannot be mapped: "
                + $"\"{Marshal.GetPInvokeErrorMessage(number)}\" (error {number}).");
            return null;
        }

        long size = ViewSize(address);
        _ = Kernel32.UnmapViewOfFile(address);
        return size;
    }

    /// <summary>The bytes of a view, also of one whose pages are partly reserved only.</summary>
    private static long ViewSize(nint address)
    {
        long size = 0;
        while (Region(address + (nint)size, address, out Kernel32.MEMORY_BASIC_INFORMATION region))
            size += (long)region.RegionSize;
        return size;
    }

    /// <summary>The pages alike from an address on; false behind the end of the view.</summary>
    private static bool Region(nint at, nint view, out Kernel32.MEMORY_BASIC_INFORMATION region)
        => Kernel32.VirtualQuery(at, out region, (nuint)sizeof(Kernel32.MEMORY_BASIC_INFORMATION)) != 0
            && region.AllocationBase == view;

    private static int? CountOf(SafeWaitHandle semaphore, List<string> unreadable)
    {
        int status = Ntdll.NtQuerySemaphore(semaphore, Ntdll.SemaphoreBasicInformation,
            out Ntdll.SEMAPHORE_BASIC_INFORMATION information, (uint)sizeof(Ntdll.SEMAPHORE_BASIC_INFORMATION), 0);
        if (status >= 0) return information.CurrentCount;
        unreadable.Add(status == Ntdll.STATUS_ACCESS_DENIED
            ? "Its access control list does not let this user read the count."
            : $"The count cannot be read (NTSTATUS 0x{status:x8}).");
        return null;
    }

    /// <summary>How many handles there are without the one that asks.</summary>
    private static int? HandlesOf(SafeHandle handle)
        => Ntdll.NtQueryObject(handle, Ntdll.ObjectBasicInformation,
            out Ntdll.PUBLIC_OBJECT_BASIC_INFORMATION information,
            (uint)sizeof(Ntdll.PUBLIC_OBJECT_BASIC_INFORMATION), 0) >= 0
            ? (int)information.HandleCount - 1 : null;

    [SupportedOSPlatform("windows")]
    private string? OwnerOf(string name, SafeHandle handle)
    {
        SecurityIdentifier? owner;
        try
        {
            owner = WindowsSecurity.OwnerOf("inspect the object", KeyOf(name), handle);
        }
        catch (NativeIpcException)
        {
            return null; // the handle was given without the right to ask
        }

        if (owner is null) return null;
        if (_accounts.TryGetValue(owner.Value, out string? account)) return account;
        try
        {
            account = owner.Translate(typeof(NTAccount)).Value;
        }
        catch (SystemException failure)
            when (failure is IdentityNotMappedException or System.ComponentModel.Win32Exception)
        {
            account = owner.Value; // an account that is gone, or whose domain does not answer
        }

        return _accounts[owner.Value] = account;
    }
}
