using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace NativeIpc.Peer;

/// <summary>What this process runs on, as the rows of docs/platforms.md name it: kernel, C library, runtime and
/// processor, separated by tabs.</summary>
internal static partial class SystemLine
{
    internal static string Read()
        => $"{Kernel()}\t{Library()}\t{Runtime()}\t{Processor()}";

    private static string Processor()
        => $"{RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant()}, "
            + $"{Environment.SystemPageSize / 1024} KiB pages";

    private static string Runtime()
        => RuntimeFeature.IsDynamicCodeSupported
            ? RuntimeInformation.FrameworkDescription : $"{RuntimeInformation.FrameworkDescription}, native AOT";

    private static unsafe string Kernel()
    {
        if (!OperatingSystem.IsWindows()) return $"Linux {File.ReadAllText("/proc/sys/kernel/osrelease").Trim()}";
        if (!NativeLibrary.TryGetExport(NativeLibrary.Load("ntdll.dll"), "wine_get_host_version", out nint function))
            return Environment.OSVersion.VersionString;
        nint system, release;
        ((delegate* unmanaged[Cdecl]<nint*, nint*, void>)function)(&system, &release);
        return $"{Marshal.PtrToStringUTF8(system)} {Marshal.PtrToStringUTF8(release)}";
    }

    private static unsafe string Library()
    {
        if (OperatingSystem.IsWindows())
        {
            return NativeLibrary.TryGetExport(NativeLibrary.Load("ntdll.dll"), "wine_get_version", out nint wine)
                ? $"Wine {Marshal.PtrToStringUTF8(((delegate* unmanaged[Cdecl]<nint>)wine)())}" : "Windows";
        }

        if (NativeLibrary.TryLoad("libc.so.6", out nint libc)
            && NativeLibrary.TryGetExport(libc, "gnu_get_libc_version", out nint version))
            return $"glibc {Marshal.PtrToStringUTF8(((delegate* unmanaged[Cdecl]<nint>)version)())}";
        string? loader = File.ReadLines("/proc/self/maps").Select(line => line[(line.LastIndexOf(' ') + 1)..])
            .FirstOrDefault(path => path.Contains("/ld-musl-", StringComparison.Ordinal)
                || path.Contains("/libc.so", StringComparison.Ordinal));
        return loader is null ? "unknown" : $"musl {MuslVersion(loader)}";
    }

    /// <summary>musl has no call for its version: its loader says it on standard error, when it is given nothing to
    /// load.</summary>
    private static string MuslVersion(string loader)
    {
        var start = new ProcessStartInfo(loader) { RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        string said = process.StandardError.ReadToEnd();
        process.WaitForExit();
        return said.Split('\n').Select(line => line.Trim())
            .FirstOrDefault(line => line.StartsWith("Version ", StringComparison.Ordinal))
            ?["Version ".Length..] ?? "of an unknown version";
    }
}
