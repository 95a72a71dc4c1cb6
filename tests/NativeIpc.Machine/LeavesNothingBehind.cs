using System.Globalization;
using NativeIpc.Machine;
using Xunit;

[assembly: AssemblyFixture(typeof(LeavesNothingBehind))]
[assembly: System.Runtime.Versioning.SupportedOSPlatform("linux")] // each test class skips elsewhere

namespace NativeIpc.Machine;

/// <summary>Fails the run if one of its objects or files is left in the system at its end.</summary>
public sealed class LeavesNothingBehind : IDisposable
{
    private readonly HashSet<string> _before = [.. SystemVObjects()];

    /// <inheritdoc/>
    public void Dispose()
    {
        string[] left =
        [
            .. Directory.EnumerateFileSystemEntries("/dev/shm")
                .Where(path => path.Contains(TestRun.Prefix, StringComparison.Ordinal)),
            .. SystemVObjects().Where(line => !_before.Contains(line)),
            .. Directory.EnumerateFileSystemEntries(TestRun.Folder, "*", SearchOption.AllDirectories),
        ];
        Victims.Dispose();
        Directory.Delete(TestRun.Folder, recursive: true);
        Assert.True(left.Length == 0, $"This run left behind:\n{string.Join('\n', left)}");
    }

    /// <summary>The System V objects whose keys have this run's project id, each as its kind and id.</summary>
    private static IEnumerable<string> SystemVObjects()
    {
        foreach (string kind in new[] { "shm", "sem" })
        {
            foreach (string line in File.ReadLines($"/proc/sysvipc/{kind}").Skip(1))
            {
                string[] fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
                int key = int.Parse(fields[0], CultureInfo.InvariantCulture);
                if ((key >> 24 & 0xFF) == (int)TestRun.SystemV) yield return $"System V {kind} {fields[1]}";
            }
        }
    }
}
