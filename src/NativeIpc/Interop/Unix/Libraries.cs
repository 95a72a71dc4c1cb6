using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace NativeIpc.Interop.Unix;

/// <summary>
/// The logical library names of all declarations, and the one resolver behind them. <c>libc</c> has every function
/// on musl, on macOS and on glibc 2.34 or later; before that, glibc keeps <c>sem_*</c> in libpthread.so.0 and
/// <c>shm_*</c> in librt.so.1 (.NET 10 runs on glibc 2.27 and later). This resolver can go when .NET's floor
/// reaches glibc 2.34.
/// </summary>
internal static class Libraries
{
    internal const string Libc = "libc";
    internal const string LibcSemaphores = "libc-sem";
    internal const string LibcSharedMemory = "libc-shm";

    // A module initializer in a library: the resolver must stand before the first P/Invoke of any type, and costs the
    // hot paths nothing.
#pragma warning disable CA2255
    [ModuleInitializer]
    internal static void Register()
    {
        if (!OperatingSystem.IsWindows()) NativeLibrary.SetDllImportResolver(typeof(Libraries).Assembly, Resolve);
    }
#pragma warning restore CA2255

    private static nint Resolve(string libraryName, Assembly assembly, DllImportSearchPath? searchPath)
        => libraryName switch
    {
        LibcSemaphores => LoadWith("sem_open", "libpthread.so.0", assembly),
        LibcSharedMemory => LoadWith("shm_open", "librt.so.1", assembly),
        Libc => OpenLibc(assembly),
        _ => 0,
    };

    /// <summary>The C library, which this process has. By the name that glibc has on Linux, and that musl takes for
    /// its own: without it, the runtime's probing asks for fifty files first.</summary>
    private static nint OpenLibc(Assembly assembly)
        => OperatingSystem.IsLinux() && NativeLibrary.TryLoad("libc.so.6", out nint libc)
            ? libc
            // System32: no probe in the application's folder
            : NativeLibrary.Load(Libc, assembly, DllImportSearchPath.System32);

    private static nint LoadWith(string symbol, string olderHome, Assembly assembly)
    {
        nint libc = OpenLibc(assembly);
        if (NativeLibrary.TryGetExport(libc, symbol, out _)) return libc;
        return NativeLibrary.TryLoad(olderHome, assembly, DllImportSearchPath.System32, out nint older)
            ? older : libc;
    }

    /// <summary>Whether the C library is glibc; false on musl, bionic and macOS.</summary>
    internal static bool IsGlibc { get; } = OperatingSystem.IsLinux()
        && NativeLibrary.TryGetExport(OpenLibc(typeof(Libraries).Assembly), "gnu_get_libc_version", out _);

    /// <summary>The address of a function of the C library that is there for certain.</summary>
    internal static nint Function(string name)
        => NativeLibrary.GetExport(OpenLibc(typeof(Libraries).Assembly), name);

    /// <summary>Whether the C library has a function.</summary>
    internal static bool HasSemaphoreFunction(string name)
        => NativeLibrary.TryGetExport(LoadWith("sem_open", "libpthread.so.0", typeof(Libraries).Assembly),
            name, out _);
}
