using System.Globalization;
using Xunit;

[assembly: AssemblyFixture(typeof(NativeIpc.Foreign.Leftovers))]

namespace NativeIpc.Foreign;

/// <summary>Keys that no other process uses, and the removal of everything under them after the test, whatever has
/// become of it.</summary>
internal sealed class InteropKeys : IDisposable
{
    private static int s_counter;

    private readonly List<NativeIpcKey> _keys = [];
    private readonly HashSet<int> _numbers = [];
    private readonly List<string> _paths = [];

    /// <summary>What every name of this process contains.</summary>
    internal static string Prefix { get; } = string.Create(CultureInfo.InvariantCulture,
        $"nii{Environment.ProcessId}.");

    /// <summary>The folder of this process's key files.</summary>
    internal static string Folder { get; } =
        Directory.CreateDirectory(Path.Combine(Path.GetTempPath(), Prefix + "keys")).FullName;

    internal static string NextName()
        => Prefix + Interlocked.Increment(ref s_counter).ToString(CultureInfo.InvariantCulture);

    internal NativeIpcKey Segment(string backEnd, string? name = null)
        => Make(backEnd, name ?? NextName(), SharedMemory.LegacyNativeKey);

    internal NativeIpcKey Semaphore(string backEnd, string? name = null)
        => Make(backEnd, name ?? NextName(), SystemSemaphore.LegacyNativeKey);

    /// <summary>This process is on musl, as no peer but one is.</summary>
    internal static bool IsMusl { get; } = NativeIpcKeyRules.Current.Platform == KeyPlatform.LinuxMusl;

    /// <summary>Our key for a semaphore that peers on glibc know by this one: on musl, where a semaphore's file has no
    /// prefix, a POSIX one is named by its file.</summary>
    internal static NativeIpcKey Ours(in NativeIpcKey semaphore)
        => IsMusl && semaphore.Type == NativeIpcKeyType.PosixRealtime
            ? new NativeIpcKey("/sem." + semaphore.NativeKey.TrimStart('/'), semaphore.Type) : semaphore;

    /// <summary>Removes what is under a key of the test's own making, too.</summary>
    internal NativeIpcKey Track(in NativeIpcKey key)
    {
        _keys.Add(key);
        NativeIpcKey lockKey = SystemObjects.LockKey(key);
        if (lockKey.NativeKey != key.NativeKey) _keys.Add(lockKey);
        return key;
    }

    /// <summary>Makes files that get the inode numbers of key files that a peer has just removed, so that a file made
    /// anew is another one.</summary>
    internal void TakeFreedNumbers()
    {
        for (int i = 0; i < 8; i++)
        {
            string path = Path.Combine(Folder, NextName());
            File.WriteAllText(path, "");
            _paths.Add(path);
        }
    }

    /// <summary>Notes the numbers that the key files stand for now, so that objects can be found when a peer has
    /// removed the files.</summary>
    internal void Note()
    {
        foreach (NativeIpcKey key in _keys)
        {
            if (key.Type.IsSystemV && SystemObjects.Ftok(key) is var number && number != -1) _numbers.Add(number);
        }
    }

    public void Dispose()
    {
        Note();
        foreach (int number in _numbers) SystemObjects.Remove(number);
        foreach (string path in _paths) File.Delete(path);
        foreach (NativeIpcKey key in _keys)
        {
            if (key.Type.IsSystemV)
            {
                File.Delete(key.NativeKey);
            }
            else
            {
                File.Delete(SystemObjects.SegmentFile(key));
                // Longer, it cannot have one
                if (key.NativeKey.Length <= 252) File.Delete(SystemObjects.SemaphoreFile(key));
            }
        }
    }

    private NativeIpcKey Make(string backEnd, string name, Func<string, NativeIpcKeyType, NativeIpcKey> legacy)
        => Track(backEnd switch
    {
        BackEnd.Posix => new NativeIpcKey("/" + name, NativeIpcKeyType.PosixRealtime),
        BackEnd.SystemV => new NativeIpcKey(Path.Combine(Folder, name), NativeIpcKeyType.SystemV),
        _ => legacy(name, NativeIpcKeyType.SystemV),
    });
}

/// <summary>Around the run: prints what the peers are, then the matrix, and fails if anything of this run is left in
/// the system.</summary>
public sealed class Leftovers : IDisposable
{
    // What processes with the same numbers have left before.
    private readonly HashSet<string> _before = OperatingSystem.IsLinux() ? [.. SystemObjects.All()] : [];

    public Leftovers()
    {
        foreach (PeerKind kind in PeerKind.All)
            Console.WriteLine($"Peer {kind.Title}: {PeerIndex.Describe(kind.Name)}");
    }

    public void Dispose()
    {
        Matrix.Print();
        if (!OperatingSystem.IsLinux()) return;
        List<string> left =
        [
            .. Directory.EnumerateFileSystemEntries("/dev/shm", $"*{InteropKeys.Prefix}*"),
            .. Directory.EnumerateFileSystemEntries(InteropKeys.Folder),
            .. SystemObjects.OfThisRun().Except(_before),
        ];
        Directory.Delete(InteropKeys.Folder, recursive: true);
        Assert.True(left.Count == 0, $"Left in the system after the tests: {string.Join(", ", left)}");
    }
}
