using System.IO.MemoryMappedFiles;
using Microsoft.Win32.SafeHandles;

namespace NativeIpc.NamedObjects;

/// <content>Maps of files, which are .NET's.</content>
public sealed partial class NamedMemory
{
    /// <summary>Maps a file, by .NET's <see cref="MemoryMappedFile.CreateFromFile(string)"/>.</summary>
    /// <param name="path">The file.</param>
    /// <returns>The map.</returns>
    public static NamedMemory CreateFromFile(string path) => new(MemoryMappedFile.CreateFromFile(path));

    /// <summary>Maps a file, by .NET's <see cref="MemoryMappedFile.CreateFromFile(string, FileMode)"/>.</summary>
    /// <param name="path">The file.</param>
    /// <param name="mode">How it is opened.</param>
    /// <returns>The map.</returns>
    public static NamedMemory CreateFromFile(string path, FileMode mode)
        => new(MemoryMappedFile.CreateFromFile(path, mode));

    /// <summary>Maps a file, by .NET's <see cref="MemoryMappedFile.CreateFromFile(string, FileMode, string)"/>: a name
    /// is for Windows.</summary>
    /// <param name="path">The file.</param>
    /// <param name="mode">How it is opened.</param>
    /// <param name="mapName">The name of the map; null for none.</param>
    /// <returns>The map.</returns>
    /// <exception cref="PlatformNotSupportedException">A name, elsewhere than on Windows.</exception>
    public static NamedMemory CreateFromFile(string path, FileMode mode, string? mapName)
        => new(MemoryMappedFile.CreateFromFile(path, mode, mapName));

    /// <inheritdoc cref="CreateFromFile(string, FileMode, string)" path="/*[not(self::param)]"/>
    /// <param name="path">The file.</param>
    /// <param name="mode">How it is opened.</param>
    /// <param name="mapName">The name of the map; null for none.</param>
    /// <param name="capacity">Its size in bytes; 0 for the file's.</param>
    public static NamedMemory CreateFromFile(string path, FileMode mode, string? mapName, long capacity)
        => new(MemoryMappedFile.CreateFromFile(path, mode, mapName, capacity));

    /// <inheritdoc cref="CreateFromFile(string, FileMode, string)" path="/*[not(self::param)]"/>
    /// <param name="path">The file.</param>
    /// <param name="mode">How it is opened.</param>
    /// <param name="mapName">The name of the map; null for none.</param>
    /// <param name="capacity">Its size in bytes; 0 for the file's.</param>
    /// <param name="access">What views may do.</param>
    public static NamedMemory CreateFromFile(string path, FileMode mode, string? mapName, long capacity,
        MemoryMappedFileAccess access)
        => new(MemoryMappedFile.CreateFromFile(path, mode, mapName, capacity, access));

    /// <inheritdoc cref="CreateFromFile(string, FileMode, string)" path="/*[not(self::param)]"/>
    /// <param name="fileStream">The file.</param>
    /// <param name="mapName">The name of the map; null for none.</param>
    /// <param name="capacity">Its size in bytes; 0 for the file's.</param>
    /// <param name="access">What views may do.</param>
    /// <param name="inheritability">Whether children get the handle.</param>
    /// <param name="leaveOpen">Whether the file stays open when the map is disposed.</param>
    public static NamedMemory CreateFromFile(FileStream fileStream, string? mapName, long capacity,
        MemoryMappedFileAccess access, HandleInheritability inheritability, bool leaveOpen)
        => new(MemoryMappedFile.CreateFromFile(fileStream, mapName, capacity, access, inheritability, leaveOpen));

    /// <inheritdoc cref="CreateFromFile(string, FileMode, string)" path="/*[not(self::param)]"/>
    /// <param name="fileHandle">The file.</param>
    /// <param name="mapName">The name of the map; null for none.</param>
    /// <param name="capacity">Its size in bytes; 0 for the file's.</param>
    /// <param name="access">What views may do.</param>
    /// <param name="inheritability">Whether children get the handle.</param>
    /// <param name="leaveOpen">Whether the file stays open when the map is disposed.</param>
    public static NamedMemory CreateFromFile(SafeFileHandle fileHandle, string? mapName, long capacity,
        MemoryMappedFileAccess access, HandleInheritability inheritability, bool leaveOpen)
        => new(MemoryMappedFile.CreateFromFile(fileHandle, mapName, capacity, access, inheritability, leaveOpen));
}
