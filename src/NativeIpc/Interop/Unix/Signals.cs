using System.Runtime.InteropServices;

namespace NativeIpc.Interop.Unix;

internal static partial class Libc
{
    [LibraryImport(Libraries.Libc, EntryPoint = "sigaction", SetLastError = true)]
    private static unsafe partial int sigaction_query(int signal, void* action, void* old);

    [LibraryImport(Libraries.Libc)]
    private static partial nuint getauxval(nuint type);

    /// <summary>The handler of a signal: 0 the system's default, 1 none since it is ignored, otherwise the address
    /// of a function; -1 when that cannot be asked.</summary>
    /// <remarks>struct sigaction begins with the handler in glibc, in musl and on macOS, and has 152 bytes at
    /// most.</remarks>
    internal static unsafe nint SignalHandler(int signal)
    {
        const int words = 64;
        nint* old = stackalloc nint[words];
        new Span<nint>(old, words).Clear();
        return sigaction_query(signal, null, old) == 0 ? *old : -1;
    }

    /// <summary>The path of the file that an address of code is from, and where that begins in memory; null and 0
    /// when that is not known.</summary>
    internal static unsafe (string? File, nint Start) PlaceOf(nint address)
    {
        // Before glibc 2.34 it is not in libc, but in a library of its own that .NET's hosts have loaded.
        if (!NativeLibrary.TryGetExport(NativeLibrary.GetMainProgramHandle(), "dladdr", out nint dladdr)
            && !(NativeLibrary.TryLoad("libdl.so.2", out nint library)
                && NativeLibrary.TryGetExport(library, "dladdr", out dladdr)))
            return default;
        // Dl_info: the file's name, where it begins, the symbol's name, where it begins
        nint* found = stackalloc nint[4];
        return ((delegate* unmanaged<nint, nint*, int>)dladdr)(address, found) == 0
            ? default : (Marshal.PtrToStringUTF8(found[0]), found[1]);
    }

    /// <summary>Whether an address of code is from the program's own file, by whatever name that was
    /// started.</summary>
    internal static bool IsOfProgram(nint address)
    {
        (string? file, nint start) = PlaceOf(address);
        const int entry = 9; // AT_ENTRY: where the program's code is entered
        return start != 0 && (OperatingSystem.IsLinux()
            ? PlaceOf((nint)getauxval(entry)).Start == start : file == Environment.ProcessPath);
    }
}
