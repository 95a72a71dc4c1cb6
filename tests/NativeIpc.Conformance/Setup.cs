using System.Runtime.CompilerServices;
using NativeIpc.Conformance;
using NativeIpc.Interop.Unix;
using Xunit;

[assembly: AssemblyFixture(typeof(Leftovers))]

namespace NativeIpc.Conformance;

internal static class Setup
{
#pragma warning disable CA2255 // The switch is read once by the library, so it is set before any test can touch it.
    [ModuleInitializer]
    internal static void ChooseCalls()
    {
        if (Environment.GetEnvironmentVariable("NATIVEIPC_PLAIN_POSIX") == "1")
            AppContext.SetSwitch("NativeIpc.PlainPosixCalls", true);
        if (Environment.GetEnvironmentVariable("NATIVEIPC_PORTABLE_WAITS") == "1")
            AppContext.SetSwitch("NativeIpc.PortableWaits", true);
        if (Environment.GetEnvironmentVariable("NATIVEIPC_NO_IO_URING") == "1")
            AppContext.SetSwitch("NativeIpc.NoIoUring", true);
    }
#pragma warning restore CA2255
}

/// <summary>The last check of the run: no name of this run is left in the system.</summary>
public sealed class Leftovers : IDisposable
{
    public void Dispose()
    {
        PeerProcess.EndIdle();
        List<string> left = [];
        if (Directory.Exists("/dev/shm"))
            left.AddRange(Directory.EnumerateFileSystemEntries("/dev/shm", $"*{TestNames.Prefix}*"));
        left.AddRange(Directory.EnumerateFileSystemEntries(TestNames.Folder));
        if (OperatingSystem.IsLinux())
        {
            left.AddRange(Table("shm").Where(row => IsOurs(Column(row, 4)))
                .Select(row => $"System V segment {Column(row, 1)}"));
            left.AddRange(Table("sem").Where(row => IsOurs(LastUser(Column(row, 1))))
                .Select(row => $"System V semaphore {Column(row, 1)}"));
        }

        Directory.Delete(TestNames.Folder, recursive: true);
        Assert.True(left.Count == 0, $"Left in the system after the tests: {string.Join(", ", left)}");
    }

    private static string[] Table(string kind)
        => File.Exists($"/proc/sysvipc/{kind}") ? File.ReadAllLines($"/proc/sysvipc/{kind}")[1..] : [];

    private static int Column(string row, int column)
        => int.Parse(row.Split(' ', StringSplitOptions.RemoveEmptyEntries)[column],
            System.Globalization.CultureInfo.InvariantCulture);

    private static int LastUser(int semaphore) => Libc.semctl(semaphore, 0, Flags.GETPID);

    private static bool IsOurs(int processId)
        => processId == Environment.ProcessId || PeerProcess.WasStarted(processId);
}
