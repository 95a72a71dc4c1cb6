using System.IO.MemoryMappedFiles;
using Microsoft.Win32.SafeHandles;

namespace NativeIpc.NamedObjects;

/// <summary>A named map of Windows, there and on Linux: the members of .NET's <see cref="MemoryMappedFile"/>.</summary>
/// <remarks>
/// <para>On Windows, for a file and without a name, it is .NET's own. With a name on Linux it is a
/// <see cref="SharedMemory"/> that is removed with its last handle or view, also when the last processes were killed.
/// Its size is the one that was asked for; Windows rounds up to pages.</para>
/// <para>Not offered on Linux, and a <see cref="PlatformNotSupportedException"/>: a name for the map of a file, views
/// that are copied on write or executed, <see cref="HandleInheritability.Inheritable"/>, and
/// <see cref="SafeMemoryMappedFileHandle"/>.</para>
/// <para>Thread safety: every member may be called from any thread at any time.</para>
/// </remarks>
public sealed partial class NamedMemory : IDisposable
{
    private readonly MemoryMappedFile? _plain;
    private readonly MemoryMappedFileAccess _access;
    private MappedSegment? _segment;

    private NamedMemory(MemoryMappedFile plain) => _plain = plain;

    private NamedMemory(MappedSegment segment, MemoryMappedFileAccess access)
    {
        _segment = segment;
        _access = access;
    }

    /// <summary>The handle of the system's object, on Windows, of a file, or without a name.</summary>
    /// <exception cref="PlatformNotSupportedException">It is a named map on Linux.</exception>
    public SafeMemoryMappedFileHandle SafeMemoryMappedFileHandle
        => _plain?.SafeMemoryMappedFileHandle ?? throw NotOffered(nameof(SafeMemoryMappedFileHandle));

    /// <summary>Makes a map that nobody has; its bytes are 0. To read and write.</summary>
    /// <param name="mapName">The name, by custom with <c>Global\</c> or <c>Local\</c> before it; null for
    /// none.</param>
    /// <param name="capacity">The size in bytes, 1 or more.</param>
    /// <returns>The map.</returns>
    /// <exception cref="ArgumentException">The name is empty.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="capacity"/> is less than 1.</exception>
    /// <exception cref="IOException">There is one; or the system refuses it for a reason that the message names.
    /// </exception>
    /// <exception cref="UnauthorizedAccessException">It belongs to another user, who does not let this one in.
    /// </exception>
    /// <exception cref="PlatformNotSupportedException">Neither Linux nor Windows.</exception>
    public static NamedMemory CreateNew(string? mapName, long capacity)
        => CreateNew(mapName, capacity, MemoryMappedFileAccess.ReadWrite);

    /// <inheritdoc cref="CreateNew(string, long)" path="/*[not(self::param)]"/>
    /// <param name="mapName">The name; null for none.</param>
    /// <param name="capacity">The size in bytes, 1 or more.</param>
    /// <param name="access">What views of this instance may do; not Write alone.</param>
    public static NamedMemory CreateNew(string? mapName, long capacity, MemoryMappedFileAccess access)
        => CreateNew(mapName, capacity, access, MemoryMappedFileOptions.None, HandleInheritability.None);

    /// <inheritdoc cref="CreateNew(string, long)" path="/*[not(self::param)]"/>
    /// <param name="mapName">The name; null for none.</param>
    /// <param name="capacity">The size in bytes, 1 or more.</param>
    /// <param name="access">What views of this instance may do; not Write alone.</param>
    /// <param name="options">Whether memory is taken when a page is used first, and not now.</param>
    /// <param name="inheritability">Whether children get the handle. On Linux: None.</param>
    public static NamedMemory CreateNew(string? mapName, long capacity, MemoryMappedFileAccess access,
        MemoryMappedFileOptions options, HandleInheritability inheritability)
    {
        if (OperatingSystem.IsWindows() || string.IsNullOrEmpty(mapName))
            return new(MemoryMappedFile.CreateNew(mapName, capacity, access, options, inheritability));
        CheckNew(capacity, access, options, inheritability);
        ObjectName named = ObjectName.Of(ObjectKind.Memory, mapName, null);
        try
        {
            Leftovers.RemoveSegment(named);
            return new(new MappedSegment(SharedMemory.CreateNew(named.Key, capacity, OptionsFor(named, options))),
                access);
        }
        catch (NativeIpcException failure)
        {
            throw Failures.OfMemory(failure);
        }
    }

    /// <summary>Makes a map, or opens the one that has the name: then the capacity has no effect. To read and
    /// write.</summary>
    /// <param name="mapName">The name, by custom with <c>Global\</c> or <c>Local\</c> before it.</param>
    /// <param name="capacity">The size in bytes of a new one, 1 or more.</param>
    /// <returns>The map.</returns>
    /// <exception cref="ArgumentNullException">The name is null.</exception>
    /// <exception cref="ArgumentException">The name is empty.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="capacity"/> is less than 1.</exception>
    /// <exception cref="UnauthorizedAccessException">It belongs to another user, who does not let this one in.
    /// </exception>
    /// <exception cref="IOException">The system refuses it for a reason that the message names.</exception>
    /// <exception cref="PlatformNotSupportedException">Neither Linux nor Windows.</exception>
    public static NamedMemory CreateOrOpen(string mapName, long capacity)
        => CreateOrOpen(mapName, capacity, MemoryMappedFileAccess.ReadWrite);

    /// <inheritdoc cref="CreateOrOpen(string, long)" path="/*[not(self::param)]"/>
    /// <param name="mapName">The name.</param>
    /// <param name="capacity">The size in bytes of a new one, 1 or more.</param>
    /// <param name="access">What views of this instance may do. With Write alone it opens, and where there is none it
    /// is an <see cref="ArgumentException"/>.</param>
    public static NamedMemory CreateOrOpen(string mapName, long capacity, MemoryMappedFileAccess access)
        => CreateOrOpen(mapName, capacity, access, MemoryMappedFileOptions.None, HandleInheritability.None);

    /// <inheritdoc cref="CreateOrOpen(string, long, MemoryMappedFileAccess)" path="/*[not(self::param)]"/>
    /// <param name="mapName">The name.</param>
    /// <param name="capacity">The size in bytes of a new one, 1 or more.</param>
    /// <param name="access">What views of this instance may do. With Write alone it opens, and where there is none it
    /// is an <see cref="ArgumentException"/>.</param>
    /// <param name="options">Whether memory is taken when a page is used first, and not now.</param>
    /// <param name="inheritability">Whether children get the handle. On Linux: None.</param>
    public static NamedMemory CreateOrOpen(string mapName, long capacity, MemoryMappedFileAccess access,
        MemoryMappedFileOptions options, HandleInheritability inheritability)
    {
        ArgumentException.ThrowIfNullOrEmpty(mapName);
        if (OperatingSystem.IsWindows())
            return new(MemoryMappedFile.CreateOrOpen(mapName, capacity, access, options, inheritability));
        if (access == MemoryMappedFileAccess.Write) return OpenToWrite(mapName);
        CheckNew(capacity, access, options, inheritability);
        ObjectName named = ObjectName.Of(ObjectKind.Memory, mapName, null);
        try
        {
            Leftovers.RemoveSegment(named);
            return new(new MappedSegment(SharedMemory.CreateOrOpen(named.Key, capacity, OptionsFor(named, options))),
                access);
        }
        catch (NativeIpcException failure)
        {
            throw Failures.OfMemory(failure);
        }
    }

    /// <summary>Opens a map that a process has open, to read and write.</summary>
    /// <param name="mapName">The name.</param>
    /// <returns>The map.</returns>
    /// <exception cref="ArgumentNullException">The name is null.</exception>
    /// <exception cref="ArgumentException">The name is empty.</exception>
    /// <exception cref="FileNotFoundException">There is none.</exception>
    /// <exception cref="UnauthorizedAccessException">It belongs to another user, who does not let this one in.
    /// </exception>
    /// <exception cref="IOException">The system refuses it for a reason that the message names.</exception>
    /// <exception cref="PlatformNotSupportedException">Neither Linux nor Windows.</exception>
    public static NamedMemory OpenExisting(string mapName)
        => OpenExisting(mapName, MemoryMappedFileRights.ReadWrite, HandleInheritability.None);

    /// <inheritdoc cref="OpenExisting(string)" path="/*[not(self::param)]"/>
    /// <param name="mapName">The name.</param>
    /// <param name="desiredAccessRights">What views of this instance may do.</param>
    public static NamedMemory OpenExisting(string mapName, MemoryMappedFileRights desiredAccessRights)
        => OpenExisting(mapName, desiredAccessRights, HandleInheritability.None);

    /// <inheritdoc cref="OpenExisting(string)" path="/*[not(self::param)]"/>
    /// <param name="mapName">The name.</param>
    /// <param name="desiredAccessRights">What views of this instance may do.</param>
    /// <param name="inheritability">Whether children get the handle. On Linux: None.</param>
    public static NamedMemory OpenExisting(string mapName, MemoryMappedFileRights desiredAccessRights,
        HandleInheritability inheritability)
    {
        ArgumentException.ThrowIfNullOrEmpty(mapName);
        if (OperatingSystem.IsWindows())
            return new(MemoryMappedFile.OpenExisting(mapName, desiredAccessRights, inheritability));
        const MemoryMappedFileRights known =
            MemoryMappedFileRights.FullControl | MemoryMappedFileRights.AccessSystemSecurity;
        if ((desiredAccessRights & ~known) != 0)
            throw new ArgumentOutOfRangeException(nameof(desiredAccessRights), desiredAccessRights,
                "There is no such right.");
        CheckInheritability(inheritability);
        bool reads = (desiredAccessRights & (MemoryMappedFileRights.Read | MemoryMappedFileRights.CopyOnWrite)) != 0;
        bool writes = (desiredAccessRights & MemoryMappedFileRights.Write) != 0;
        MemoryMappedFileAccess allowed = !writes ? MemoryMappedFileAccess.Read
            : reads ? MemoryMappedFileAccess.ReadWrite : MemoryMappedFileAccess.Write;
        ObjectName named = ObjectName.Of(ObjectKind.Memory, mapName, null);
        try
        {
            Leftovers.RemoveSegment(named);
            SharedMemoryAccess access = writes ? SharedMemoryAccess.ReadWrite : SharedMemoryAccess.Read;
            SharedMemoryOptions options = OptionsFor(named, MemoryMappedFileOptions.None);
            return SharedMemory.TryOpenExisting(named.Key, out SharedMemory? opened, access, options)
                ? new(new MappedSegment(opened), allowed)
                : throw new FileNotFoundException(
                    $"No map of the name '{mapName}' exists: no living process has it open.");
        }
        catch (NativeIpcException failure)
        {
            throw Failures.OfMemory(failure);
        }
    }

    /// <summary>A view of all bytes with random access, to read and write.</summary>
    /// <returns>The view; it keeps the map's memory until it is disposed.</returns>
    /// <exception cref="UnauthorizedAccessException">The map was opened for less.</exception>
    /// <exception cref="ObjectDisposedException">The map was disposed.</exception>
    public NamedMemoryViewAccessor CreateViewAccessor()
        => CreateViewAccessor(0, 0, MemoryMappedFileAccess.ReadWrite);

    /// <summary>A view with random access, to read and write.</summary>
    /// <param name="offset">Where it begins, in bytes.</param>
    /// <param name="size">Its size in bytes; 0 for all that is behind <paramref name="offset"/>.</param>
    /// <returns>The view; it keeps the map's memory until it is disposed.</returns>
    /// <exception cref="ArgumentOutOfRangeException">One of the two is negative.</exception>
    /// <exception cref="UnauthorizedAccessException">The map was opened for less, or is smaller.</exception>
    /// <exception cref="ObjectDisposedException">The map was disposed.</exception>
    public NamedMemoryViewAccessor CreateViewAccessor(long offset, long size)
        => CreateViewAccessor(offset, size, MemoryMappedFileAccess.ReadWrite);

    /// <inheritdoc cref="CreateViewAccessor(long, long)" path="/*[not(self::param)]"/>
    /// <param name="offset">Where it begins, in bytes.</param>
    /// <param name="size">Its size in bytes; 0 for all that is behind <paramref name="offset"/>.</param>
    /// <param name="access">What it may do.</param>
    /// <exception cref="PlatformNotSupportedException">A view that is copied on write or executed, on
    /// Linux.</exception>
    public NamedMemoryViewAccessor CreateViewAccessor(long offset, long size, MemoryMappedFileAccess access)
    {
        if (_plain is not null) return new(_plain.CreateViewAccessor(offset, size, access), FileAccessOf(access));
        SegmentView view = View(offset, ref size, access);
        return new(view, size, FileAccessOf(access));
    }

    /// <summary>A view of all bytes as a stream, to read and write.</summary>
    /// <returns>The view; it keeps the map's memory until it is disposed.</returns>
    /// <exception cref="UnauthorizedAccessException">The map was opened for less.</exception>
    /// <exception cref="ObjectDisposedException">The map was disposed.</exception>
    public NamedMemoryViewStream CreateViewStream() => CreateViewStream(0, 0, MemoryMappedFileAccess.ReadWrite);

    /// <summary>A view as a stream, to read and write.</summary>
    /// <param name="offset">Where it begins, in bytes.</param>
    /// <param name="size">Its size in bytes; 0 for all that is behind <paramref name="offset"/>.</param>
    /// <returns>The view; it keeps the map's memory until it is disposed.</returns>
    /// <exception cref="ArgumentOutOfRangeException">One of the two is negative.</exception>
    /// <exception cref="UnauthorizedAccessException">The map was opened for less, or is smaller.</exception>
    /// <exception cref="ObjectDisposedException">The map was disposed.</exception>
    public NamedMemoryViewStream CreateViewStream(long offset, long size)
        => CreateViewStream(offset, size, MemoryMappedFileAccess.ReadWrite);

    /// <inheritdoc cref="CreateViewStream(long, long)" path="/*[not(self::param)]"/>
    /// <param name="offset">Where it begins, in bytes.</param>
    /// <param name="size">Its size in bytes; 0 for all that is behind <paramref name="offset"/>.</param>
    /// <param name="access">What it may do.</param>
    /// <exception cref="PlatformNotSupportedException">A view that is copied on write or executed, on
    /// Linux.</exception>
    public NamedMemoryViewStream CreateViewStream(long offset, long size, MemoryMappedFileAccess access)
    {
        if (_plain is not null) return new(_plain.CreateViewStream(offset, size, access), FileAccessOf(access));
        SegmentView view = View(offset, ref size, access);
        return new(view, size, FileAccessOf(access));
    }

    /// <summary>Lets go of the map. Its views stay; the last of them, and of other processes, ends it.</summary>
    public void Dispose()
    {
        Interlocked.Exchange(ref _segment, null)?.EndUse();
        _plain?.Dispose();
    }

    private static NamedMemory OpenToWrite(string mapName)
    {
        try
        {
            return OpenExisting(mapName, MemoryMappedFileRights.Write);
        }
        catch (FileNotFoundException)
        {
            throw NotForWriting("access");
        }
    }

    private static ArgumentException NotForWriting(string parameter)
        => new("A new map is for reading, too: nobody could read it.", parameter);

    private SegmentView View(long offset, ref long size, MemoryMappedFileAccess access)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(size);
        CheckAccess(access);
        MappedSegment? segment = Volatile.Read(ref _segment);
        ObjectDisposedException.ThrowIf(segment is null || !segment.TryUse(), this);
        try
        {
            if (!Allows(access))
                throw new UnauthorizedAccessException($"The map was opened for {_access}, and not for {access}.");
            if (size == 0) size = segment.Size - offset;
            if (size <= 0 || offset > segment.Size - size)
                throw new UnauthorizedAccessException(
                    $"The map has {segment.Size} bytes: fewer than a view from {offset} on asks for.");
            return new SegmentView(segment, offset, size);
        }
        catch
        {
            segment.EndUse();
            throw;
        }
    }

    private bool Allows(MemoryMappedFileAccess access) => _access switch
    {
        MemoryMappedFileAccess.ReadWrite => true,
        MemoryMappedFileAccess.Write => access == MemoryMappedFileAccess.Write,
        _ => access == MemoryMappedFileAccess.Read,
    };

    private static void CheckAccess(MemoryMappedFileAccess access)
    {
        if (!Enum.IsDefined(access))
            throw new ArgumentOutOfRangeException(nameof(access), access, "There is no such access.");
        if (access is MemoryMappedFileAccess.CopyOnWrite or MemoryMappedFileAccess.ReadExecute
            or MemoryMappedFileAccess.ReadWriteExecute)
            throw new PlatformNotSupportedException(
                $"A named map on Linux has no views for {access}: read, write, or both.");
    }

    private static void CheckNew(long capacity, MemoryMappedFileAccess access, MemoryMappedFileOptions options,
        HandleInheritability inheritability)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(capacity, 1);
        if (access == MemoryMappedFileAccess.Write)
            throw NotForWriting(nameof(access));
        CheckAccess(access);
        if ((options & ~MemoryMappedFileOptions.DelayAllocatePages) != 0)
            throw new ArgumentOutOfRangeException(nameof(options), options, "There is no such option.");
        CheckInheritability(inheritability);
    }

    private static void CheckInheritability(HandleInheritability inheritability)
    {
        if (inheritability is not (HandleInheritability.None or HandleInheritability.Inheritable))
            throw new ArgumentOutOfRangeException(nameof(inheritability), inheritability, "There is no such value.");
        if (inheritability == HandleInheritability.Inheritable)
            throw new PlatformNotSupportedException(
                "A named map on Linux is not inherited by children: they open it by its name.");
    }

    private static SharedMemoryOptions OptionsFor(in ObjectName name, MemoryMappedFileOptions options)
    {
        var chosen = new SharedMemoryOptions
        {
            Removal = RemovalPolicy.LastOneOut,
            Mode = name.Mode,
            UseLock = false,
            AllowSmaller = true,
            Allocation = options.HasFlag(MemoryMappedFileOptions.DelayAllocatePages)
                ? SharedMemoryAllocation.Sparse : SharedMemoryAllocation.Reserve,
        };
        if (!OperatingSystem.IsWindows()) chosen.AllowOtherOwners = name.IsOfMachine;
        return chosen;
    }

    private static FileAccess FileAccessOf(MemoryMappedFileAccess access) => access switch
    {
        MemoryMappedFileAccess.Read or MemoryMappedFileAccess.ReadExecute => FileAccess.Read,
        MemoryMappedFileAccess.Write => FileAccess.Write,
        _ => FileAccess.ReadWrite,
    };

    private static PlatformNotSupportedException NotOffered(string member)
        => new($"NamedMemory.{member} is not offered for a named map on Linux: the map is none of .NET's. Use its "
            + "views.");
}
