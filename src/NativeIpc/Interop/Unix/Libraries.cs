using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

// No probe in the application's folder: these are the system's libraries.
[assembly: DefaultDllImportSearchPaths(DllImportSearchPath.System32)]

namespace NativeIpc.Interop.Unix;

/// <summary>
/// The library names of all declarations. They are those of glibc, which before 2.34 keeps <c>sem_*</c> in
/// libpthread.so.0 and <c>shm_*</c> in librt.so.1, and since then still has both names (.NET 10 runs on glibc 2.27 and
/// later). musl takes each of them for its own. So on Linux the runtime needs no resolver, which would be asked for
/// each function that is called; elsewhere one stands behind the names.
/// </summary>
internal static class Libraries
{
    internal const string Libc = "libc.so.6";
    internal const string LibcSemaphores = "libpthread.so.0";
    internal const string LibcSharedMemory = "librt.so.1";

    private static string Elsewhere => OperatingSystem.IsAndroid() ? "libc.so" : "libc.dylib";

    // A module initializer in a library: the resolver must stand before the first P/Invoke of any type, and costs the
    // hot paths nothing.
#pragma warning disable CA2255
    [ModuleInitializer]
    internal static void Register()
    {
        if (!OperatingSystem.IsWindows() && !OperatingSystem.IsLinux()) RegisterResolver();
    }
#pragma warning restore CA2255

    private static void RegisterResolver()
        => NativeLibrary.SetDllImportResolver(typeof(Libraries).Assembly, static (name, _, _)
            => name is Libc or LibcSemaphores or LibcSharedMemory ? OpenLibc() : 0);

    /// <summary>The C library, which this process has. Loaded as dlopen(3) does: with an assembly, the runtime probes
    /// further names, and asks for attributes, for which a native program has most of reflection.</summary>
    private static nint OpenLibc() => NativeLibrary.Load(OperatingSystem.IsLinux() ? Libc : Elsewhere);

    /// <summary>Whether the C library is glibc; false on musl, bionic and macOS.</summary>
    internal static bool IsGlibc { get; } = OperatingSystem.IsLinux()
        && NativeLibrary.TryGetExport(OpenLibc(), "gnu_get_libc_version", out _);

    /// <summary>The address of a function of the C library that is there for certain.</summary>
    internal static nint Function(string name)
        => NativeLibrary.GetExport(OpenLibc(), name);

    /// <summary>Whether <see cref="Libc"/> itself has <c>sem_*</c>, on Linux: glibc since 2.34.</summary>
    internal static bool LibcHasSemaphores => NativeLibrary.TryGetExport(OpenLibc(), "sem_init", out _);

    /// <summary>Whether the C library has a function.</summary>
    internal static bool HasSemaphoreFunction(string name)
        => (OperatingSystem.IsLinux() && NativeLibrary.TryLoad(LibcSemaphores, out nint library)
            && NativeLibrary.TryGetExport(library, name, out _))
            || NativeLibrary.TryGetExport(OpenLibc(), name, out _);
}
