namespace NativeIpc.Machine;

/// <summary>The names of this run: everything it makes has them, so that a leftover can be told from what others made
/// meanwhile.</summary>
internal static class TestRun
{
    private static int s_lastNumber;

    internal static string Prefix { get; } = $"nimach-{Environment.ProcessId}-";

    /// <summary>Key files live here; anybody may make some, as in /tmp.</summary>
    internal static string Folder { get; } = MakeFolder();

    /// <summary>The type of all System V keys of this run: neither Qt's project id nor one that other tests use, so
    /// that its objects can be found by their keys.</summary>
    internal static NativeIpcKeyType SystemV { get; } = (NativeIpcKeyType)(0x20 + (Environment.ProcessId % 0x30));

    internal static NativeIpcKeyType TypeOf(Backend backend)
        => backend == Backend.Posix ? NativeIpcKeyType.PosixRealtime : SystemV;

    /// <summary>A name that no other test has.</summary>
    internal static string NewName() => $"{Prefix}{Interlocked.Increment(ref s_lastNumber)}";

    /// <summary>A key that no other test has.</summary>
    internal static NativeIpcKey NewKey(Backend backend)
        => new(backend == Backend.Posix ? $"/{NewName()}" : Path.Combine(Folder, NewName()), TypeOf(backend));

    /// <summary>A key that leads to a file.</summary>
    internal static NativeIpcKey KeyOf(string path) => new(path, SystemV);

    internal static string SegmentFile(NativeIpcKey key) => "/dev/shm" + key.NativeKey;

    internal static string SemaphoreFile(NativeIpcKey key) => "/dev/shm/sem." + key.NativeKey[1..];

    internal static string EventFile(NativeIpcKey key) => "/dev/shm/nativeipc-event." + key.NativeKey[1..];

    private static string MakeFolder()
    {
        string folder = Directory.CreateTempSubdirectory(Prefix).FullName;
        const UnixFileMode everything = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
            | UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute
            | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;
        File.SetUnixFileMode(folder, everything | UnixFileMode.StickyBit);
        return folder;
    }
}

/// <summary>The back ends of Unix.</summary>
public enum Backend
{
    /// <summary>shm_open and sem_open.</summary>
    Posix,

    /// <summary>shmget and semget.</summary>
    SystemV,
}
