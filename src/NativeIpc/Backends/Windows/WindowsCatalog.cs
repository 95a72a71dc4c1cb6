using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using System.Security.Principal;
using Microsoft.Win32.SafeHandles;
using NativeIpc.Errors;
using NativeIpc.Keys;
using NativeIpc.Platform;
using static NativeIpc.Interop;

namespace NativeIpc.Backends.Windows;

/// <summary>The named objects of Windows: those of this session, and those of all sessions (<c>Global\</c>).</summary>
/// <remarks>
/// Interleavings. (1) A name goes between reading the directory and opening it, or is another kind of object by then: left out. (2) An object is open for some microseconds while it is looked at. If its last user lets go
/// in this moment, it lives on for as long, and a maker of the same name finds it: inherent, as every look needs a handle.
/// </remarks>
internal sealed unsafe class WindowsCatalog : IObjectCatalog
{
    public bool Handles(NativeIpcKeyType type) => type == NativeIpcKeyType.Windows;

    public bool IsOfThisSystem => OperatingSystem.IsWindows();

    public string? WhyNotListed() => OperatingSystem.IsWindows() ? null : "Windows objects exist on Windows only.";

    public void AddTo(Census census)
    {
        (HashSet<string> segments, HashSet<string> semaphores) = WindowsNames.Read(out string? failure);
        if (failure is not null) census.Note(failure);
        HashSet<string> locks = new(segments.SelectMany(LocksOf), StringComparer.Ordinal);
        if (census.Only is { } only)
        {
            string wanted = only.NativeKey.StartsWith(@"Local\", StringComparison.Ordinal) ? only.NativeKey[6..] : only.NativeKey;
            Add(census, wanted, census.Options.Kind ?? IpcObjectKind.SharedMemory, locks);
            return;
        }

        if (census.Options.IncludeAttachments) census.Note("Windows does not say which processes have an object open: its users are counted in handles.");

        // The records of our own, docs/windows.md, are no segments of anybody's.
        HashSet<string> records = new(semaphores.Concat(locks).Select(name => HolderTable.KeyOf(KeyOf(name)).NativeKey), StringComparer.Ordinal);
        foreach (string name in segments.Where(name => !records.Contains(name))) Add(census, name, IpcObjectKind.SharedMemory, locks);
        foreach (string name in semaphores) Add(census, name, IpcObjectKind.SystemSemaphore, locks);
    }

    public bool Remove(IpcObjectInfo found, bool onlyUnused)
        => throw new PlatformNotSupportedException("Windows removes an object with its last handle; there is nothing to remove.");

    public int Read(IpcObjectInfo found, long offset, Span<byte> destination)
    {
        const string attempt = "read the segment";
        using SafeMemoryMappedFileHandle section = Kernel32.OpenFileMappingW(Kernel32.FILE_MAP_READ, 0, found.NativeName);
        int number = Marshal.GetLastPInvokeError();
        if (section.IsInvalid) throw WindowsErrors.Open(attempt, found.NamingKey, "OpenFileMappingW", number);
        nint address = Kernel32.MapViewOfFile(section, Kernel32.FILE_MAP_READ, 0, 0, 0);
        if (address == 0) throw WindowsErrors.Map(attempt, found.NamingKey, "MapViewOfFile", Marshal.GetLastPInvokeError());
        try
        {
            int done = 0;
            while (done < destination.Length)
            {
                // Pages that were reserved only must not be touched.
                nint at = address + (nint)offset + done;
                if (!Region(at, address, out Kernel32.MEMORY_BASIC_INFORMATION region) || region.State != Kernel32.MEM_COMMIT) break;
                int length = (int)Math.Min(destination.Length - done, region.BaseAddress + (nint)region.RegionSize - at);
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

    public void Diagnose(Diagnosis diagnosis)
    {
    }

    public IEnumerable<IpcLimit> Limits() => [];

    private static NativeIpcKey KeyOf(string name) => new(name, NativeIpcKeyType.Windows);

    /// <summary>The names that a segment's lock may have: also that of the legacy semaphore.</summary>
    private static IEnumerable<string> LocksOf(string segment)
    {
        yield return NameRules.LockKey(KeyOf(segment), PlatformEnvironment.Current).NativeKey;
        if (NameRules.IsLegacyName(segment, IpcObjectKind.SharedMemory, out _)) yield return NameRules.LegacySibling(segment, IpcObjectKind.SharedMemory);
    }

    private static void Add(Census census, string name, IpcObjectKind kind, HashSet<string> locks)
    {
        if (!census.Options.Wants(kind)) return;
        List<string> unreadable = [];
        long? size = null;
        int? value = null;
        bool isSegment = kind == IpcObjectKind.SharedMemory;
        using SafeHandle handle = isSegment ? OpenSegment(name, out int number) : OpenSemaphore(name, out number);
        if (number is Win32Error.ERROR_FILE_NOT_FOUND or Win32Error.ERROR_INVALID_HANDLE) return;
        if (number == Win32Error.ERROR_ACCESS_DENIED) unreadable.Add("Its access control list does not let this user look at it.");
        else if (number != Win32Error.ERROR_SUCCESS) unreadable.Add($"It cannot be opened: \"{Marshal.GetPInvokeErrorMessage(number)}\" (error {number}).");
        else if (handle is SafeMemoryMappedFileHandle section) size = SizeOf(section, unreadable);
        else value = CountOf((SafeWaitHandle)handle, unreadable);

        IpcObjectTraits traits = NameRules.IsLegacyName(name, kind, out string original) ? IpcObjectTraits.LegacyName : IpcObjectTraits.None;
        if (!isSegment && locks.Contains(name)) traits |= IpcObjectTraits.LockOfSegment;
        census.Add(new IpcObjectInfo
        {
            Kind = kind,
            Type = NativeIpcKeyType.Windows,
            Key = new NativeIpcKey(name, NativeIpcKeyType.Windows, original.Length > 0 ? original : null),
            NativeName = name,
            Size = size,
            Value = value,
            OwnerName = number == Win32Error.ERROR_SUCCESS && OperatingSystem.IsWindows() ? OwnerOf(name, handle) : null,
            AttachmentCount = number == Win32Error.ERROR_SUCCESS && census.Options.IncludeAttachments ? HandlesOf(handle) : null,
            Traits = traits,
            Unreadable = unreadable,
            ObjectIdentity = $"windows:{kind}:{name}",
        });
    }

    // With the right to ask for the owner, if that is granted.
    private static SafeMemoryMappedFileHandle OpenSegment(string name, out int number)
    {
        SafeMemoryMappedFileHandle handle = Kernel32.OpenFileMappingW(Kernel32.FILE_MAP_READ | Advapi32.READ_CONTROL, 0, name);
        number = handle.IsInvalid ? Marshal.GetLastPInvokeError() : Win32Error.ERROR_SUCCESS;
        if (number != Win32Error.ERROR_ACCESS_DENIED) return handle;
        handle.Dispose();
        handle = Kernel32.OpenFileMappingW(Kernel32.FILE_MAP_READ, 0, name);
        number = handle.IsInvalid ? Marshal.GetLastPInvokeError() : Win32Error.ERROR_SUCCESS;
        return handle;
    }

    private static SafeWaitHandle OpenSemaphore(string name, out int number)
    {
        SafeWaitHandle? handle = null;
        number = Win32Error.ERROR_ACCESS_DENIED;
        foreach (uint rights in (ReadOnlySpan<uint>)[Kernel32.SEMAPHORE_QUERY_STATE | Advapi32.READ_CONTROL, Kernel32.SEMAPHORE_QUERY_STATE, Kernel32.SYNCHRONIZE])
        {
            handle?.Dispose();
            handle = Kernel32.OpenSemaphoreW(rights, 0, name);
            number = handle.IsInvalid ? Marshal.GetLastPInvokeError() : Win32Error.ERROR_SUCCESS;
            if (number != Win32Error.ERROR_ACCESS_DENIED) break;
        }

        return handle!;
    }

    /// <summary>That of a view, which is whole pages, as <see cref="SharedMemory.Size"/> is.</summary>
    private static long? SizeOf(SafeMemoryMappedFileHandle section, List<string> unreadable)
    {
        nint address = Kernel32.MapViewOfFile(section, Kernel32.FILE_MAP_READ, 0, 0, 0);
        if (address == 0)
        {
            int number = Marshal.GetLastPInvokeError();
            unreadable.Add($"Its size is that of a view, and it cannot be mapped: \"{Marshal.GetPInvokeErrorMessage(number)}\" (error {number}).");
            return null;
        }

        long size = 0;
        while (Region(address + (nint)size, address, out Kernel32.MEMORY_BASIC_INFORMATION region)) size += (long)region.RegionSize; // one each of pages that are only reserved
        _ = Kernel32.UnmapViewOfFile(address);
        return size;
    }

    /// <summary>The pages alike from an address on; false behind the end of the view.</summary>
    private static bool Region(nint at, nint view, out Kernel32.MEMORY_BASIC_INFORMATION region)
        => Kernel32.VirtualQuery(at, out region, (nuint)sizeof(Kernel32.MEMORY_BASIC_INFORMATION)) != 0 && region.AllocationBase == view;

    private static int? CountOf(SafeWaitHandle semaphore, List<string> unreadable)
    {
        int status = Ntdll.NtQuerySemaphore(semaphore, Ntdll.SemaphoreBasicInformation, out Ntdll.SEMAPHORE_BASIC_INFORMATION information, (uint)sizeof(Ntdll.SEMAPHORE_BASIC_INFORMATION), 0);
        if (status >= 0) return information.CurrentCount;
        unreadable.Add($"The count cannot be read (NTSTATUS 0x{status:x8}).");
        return null;
    }

    /// <summary>How many handles there are without the one that asks.</summary>
    private static int? HandlesOf(SafeHandle handle)
        => Ntdll.NtQueryObject(handle, Ntdll.ObjectBasicInformation, out Ntdll.PUBLIC_OBJECT_BASIC_INFORMATION information, (uint)sizeof(Ntdll.PUBLIC_OBJECT_BASIC_INFORMATION), 0) >= 0
            ? (int)information.HandleCount - 1 : null;

    [SupportedOSPlatform("windows")]
    private static string? OwnerOf(string name, SafeHandle handle)
    {
        SecurityIdentifier? owner = null;
        try
        {
            owner = WindowsSecurity.OwnerOf("inspect the object", KeyOf(name), handle);
            return owner?.Translate(typeof(NTAccount)).Value;
        }
        catch (NativeIpcException)
        {
            return null; // the handle was given without the right to ask
        }
        catch (IdentityNotMappedException)
        {
            return owner!.Value;
        }
    }
}
