using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using NativeIpc.Contracts;
using NativeIpc.Errors;
using NativeIpc.Interop.Windows;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.Windows;

/// <summary>Windows segments: sections that the paging file backs, CreateFileMappingW and OpenFileMappingW.</summary>
/// <remarks>
/// <para>A segment is born with its size and dies with its last handle, so there are no half-created ones and nothing
/// is ever left behind. It is made with PAGE_READWRITE and the default security of the process, as Qt does. Opening
/// asks for the least access that does the job: asking for all, as CreateFileMappingW does, fails for ordinary clients
/// of a service's object.</para>
/// </remarks>
internal sealed class WindowsSegments : ISharedMemoryBackend
{
    private const string Creating = "create the segment";
    private const string Opening = "open the segment";

    public bool Handles(NativeIpcKeyType type) => type == NativeIpcKeyType.Windows;

    public bool WorksHere => true;

    public Segment CreateNew(in NativeIpcKey key, long size, SharedMemoryOptions options)
    {
        var security = new WindowsSecurity(options.CurrentUserOnly, options.SecurityDescriptor);
        SafeMemoryMappedFileHandle mapping = Create(key, size, security, out int number);
        if (number == Win32Error.ERROR_SUCCESS)
            return Attach(Creating, key, mapping, SharedMemoryAccess.ReadWrite, options, createdNew: true);
        mapping.Dispose();

        // Denied, too, when the name is taken by a segment that this process may not have full access to.
        if (number == Win32Error.ERROR_ACCESS_DENIED && Exists(key)) number = Win32Error.ERROR_ALREADY_EXISTS;
        throw WindowsErrors.CreateSegment(Creating, key, number, size);
    }

    public Segment? Open(in NativeIpcKey key, SharedMemoryAccess access, SharedMemoryOptions options,
        in PeerBound bound, bool mustExist)
    {
        var security = new WindowsSecurity(options.CurrentUserOnly, options.SecurityDescriptor);
        security.Check();
        SafeMemoryMappedFileHandle mapping = Open(key, Rights(access) | security.Rights, out int number);
        if (number == Win32Error.ERROR_SUCCESS)
            return Attach(Opening, key, Checked(Opening, key, mapping, security), access, options, createdNew: false);
        mapping.Dispose();
        return number == Win32Error.ERROR_FILE_NOT_FOUND && !mustExist
            ? null : throw WindowsErrors.Open(Opening, key, "OpenFileMappingW", number);
    }

    public Segment CreateOrOpen(in NativeIpcKey key, long size, SharedMemoryOptions options)
    {
        SafeMemoryMappedFileHandle mapping = OpenOrCreate(Opening, key, size,
            new WindowsSecurity(options.CurrentUserOnly, options.SecurityDescriptor), out bool createdNew);
        WindowsSegment segment = Attach(createdNew ? Creating : Opening, key, mapping, SharedMemoryAccess.ReadWrite,
            options, createdNew);
        if (segment.Size >= size || options.AllowSmaller) return segment;
        long actual = segment.Size;
        segment.Dispose();
        throw Failure.TooSmall(key, actual, size);
    }

    public bool Remove(in NativeIpcKey key)
        => throw new PlatformNotSupportedException(
            $"Cannot remove the segment {Failure.Describe(key)}: Windows removes a segment, and its lock, with the "
                + $"last handle, and in no other way. Dispose it in every process that has it open.");

    /// <summary>Also what the record of a lock's holder is opened by.</summary>
    internal static SafeMemoryMappedFileHandle OpenOrCreate(string opening, in NativeIpcKey key, long size,
        WindowsSecurity security, out bool createdNew)
    {
        createdNew = false;
        security.Check();
        uint rights = Rights(SharedMemoryAccess.ReadWrite) | security.Rights;
        SafeMemoryMappedFileHandle mapping = Open(key, rights, out int number);
        if (number == Win32Error.ERROR_SUCCESS) return Checked(opening, key, mapping, security);
        mapping.Dispose();
        if (number != Win32Error.ERROR_FILE_NOT_FOUND)
            throw WindowsErrors.Open(opening, key, "OpenFileMappingW", number);

        // R1 Race: two create, or the segment appears after the open. Safe because: the system makes one and gives the
        // other a handle to it, with ERROR_ALREADY_EXISTS; or denies full access to it, and then it is opened once
        // more.
        mapping = Create(key, size, security, out number);
        createdNew = number == Win32Error.ERROR_SUCCESS;
        if (createdNew) return mapping;
        if (number == Win32Error.ERROR_ALREADY_EXISTS) return Checked(opening, key, mapping, security);
        mapping.Dispose();
        if (number != Win32Error.ERROR_ACCESS_DENIED) throw WindowsErrors.CreateSegment(Creating, key, number, size);

        mapping = Open(key, rights, out int openNumber);
        if (openNumber == Win32Error.ERROR_SUCCESS) return Checked(opening, key, mapping, security);
        mapping.Dispose();
        throw openNumber == Win32Error.ERROR_FILE_NOT_FOUND
            ? WindowsErrors.CreateSegment(Creating, key, number, size)
            : WindowsErrors.Open(opening, key, "OpenFileMappingW", openNumber);
    }

    /// <summary>The handle, if its object's owner is accepted. Takes it over.</summary>
    private static SafeMemoryMappedFileHandle Checked(string attempt, in NativeIpcKey key,
        SafeMemoryMappedFileHandle mapping, WindowsSecurity security)
    {
        try
        {
            security.CheckOwner(attempt, key, mapping);
            return mapping;
        }
        catch
        {
            mapping.Dispose();
            throw;
        }
    }

    /// <summary>A handle also with ERROR_ALREADY_EXISTS.</summary>
    private static SafeMemoryMappedFileHandle Create(in NativeIpcKey key, long size, WindowsSecurity security,
        out int number)
    {
        using SecurityAttributes attributes = security.Attributes();
        SafeMemoryMappedFileHandle mapping = Kernel32.CreateFileMappingW(Kernel32.INVALID_HANDLE_VALUE, attributes,
            Kernel32.PAGE_READWRITE, (uint)(size >> 32), (uint)size, key.NativeKey);
        number = Marshal.GetLastPInvokeError();

        // Only that number says something about a call that succeeded.
        if (!mapping.IsInvalid && number != Win32Error.ERROR_ALREADY_EXISTS) number = Win32Error.ERROR_SUCCESS;
        return mapping;
    }

    private static SafeMemoryMappedFileHandle Open(in NativeIpcKey key, uint rights, out int number)
    {
        SafeMemoryMappedFileHandle mapping = Kernel32.OpenFileMappingW(rights, 0, key.NativeKey);
        number = Marshal.GetLastPInvokeError();
        if (!mapping.IsInvalid) number = Win32Error.ERROR_SUCCESS;
        return mapping;
    }

    private static bool Exists(in NativeIpcKey key)
    {
        using SafeMemoryMappedFileHandle mapping = Open(key, Kernel32.FILE_MAP_READ, out int number);
        return number is Win32Error.ERROR_SUCCESS or Win32Error.ERROR_ACCESS_DENIED;
    }

    private static uint Rights(SharedMemoryAccess access) => access == SharedMemoryAccess.Read
        ? Kernel32.FILE_MAP_READ : Kernel32.FILE_MAP_READ | Kernel32.FILE_MAP_WRITE;

    /// <summary>Maps all of a section. Takes over the handle.</summary>
    private static unsafe WindowsSegment Attach(string attempt, in NativeIpcKey key, SafeMemoryMappedFileHandle mapping,
        SharedMemoryAccess access, SharedMemoryOptions options, bool createdNew)
    {
        nint address = 0;
        try
        {
            address = Kernel32.MapViewOfFile(mapping, Rights(access), 0, 0, 0);
            if (address == 0) throw WindowsErrors.Map(attempt, key, "MapViewOfFile", Marshal.GetLastPInvokeError());

            // The one documented way to the size of a section, as Qt takes it: that of the view, which is whole pages.
            if (Kernel32.VirtualQuery(address, out Kernel32.MEMORY_BASIC_INFORMATION region,
                (nuint)sizeof(Kernel32.MEMORY_BASIC_INFORMATION)) == 0)
                throw WindowsErrors.Map(attempt, key, "VirtualQuery", Marshal.GetLastPInvokeError());
            if (region.State != Kernel32.MEM_COMMIT)
            {
                throw Failure.Found(NativeIpcError.InvalidSize, attempt, key, "VirtualQuery",
                    "its creator has reserved pages (SEC_RESERVE) and committed none, so that touching them would "
                        + "kill the process",
                    "Let the creator commit them first, or make it without SEC_RESERVE.");
            }

            var size = (long)region.RegionSize;
            if (options.Allocation == SharedMemoryAllocation.Populate) Touch((byte*)address, size);
            return new WindowsSegment(key, address, size, access, createdNew, mapping, options);
        }
        catch
        {
            if (address != 0) _ = Kernel32.UnmapViewOfFile(address);
            mapping.Dispose();
            throw;
        }
    }

    // PrefetchVirtualMemory brings in what is on disk; pages that are zero until touched have nothing there. Reading
    // maps them and changes no byte.
    private static unsafe void Touch(byte* address, long size)
    {
        for (long offset = 0; offset < size; offset += Environment.SystemPageSize)
            _ = Volatile.Read(ref address[offset]);
    }
}
