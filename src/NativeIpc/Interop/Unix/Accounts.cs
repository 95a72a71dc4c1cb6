using System.Runtime.InteropServices;

namespace NativeIpc.Interop.Unix;

// getuid(2), getpwuid(3), getgrgid(3).

internal static partial class Libc
{
    [LibraryImport(Libraries.Libc)]
    internal static partial uint geteuid();

    [LibraryImport(Libraries.Libc)]
    internal static partial uint getegid();

    /// <summary>getpwuid(3) is not thread-safe: the caller serializes. The name is the first field of struct passwd
    /// on every system.</summary>
    [LibraryImport(Libraries.Libc, SetLastError = true)]
    internal static unsafe partial byte** getpwuid(uint uid);

    /// <summary>getgrnam(3) is not thread-safe: the caller serializes. Gives a struct group.</summary>
    [LibraryImport(Libraries.Libc, StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    internal static unsafe partial byte* getgrnam(string name);

    /// <summary>getgrgid(3) is not thread-safe: the caller serializes. The name is the first field of struct group
    /// on every system.</summary>
    [LibraryImport(Libraries.Libc, SetLastError = true)]
    internal static unsafe partial byte** getgrgid(uint gid);
}
