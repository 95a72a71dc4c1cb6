using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;

namespace NativeIpc.Faults;

/// <summary>Where the objects of this run are, so that a leftover can be told from what other programs have.</summary>
internal static partial class Place
{
    private const int IPC_RMID = 0;

    public static string Prefix { get; } = $"nifault-{Environment.ProcessId}-";

    /// <summary>This run's own.</summary>
    public static string Folder { get; } = Directory.CreateTempSubdirectory(Prefix).FullName;

    public static string KeyFiles { get; } = Directory.CreateDirectory(Path.Combine(Folder, "keys")).FullName;

    /// <summary>The project id of all System V keys of this run.</summary>
    public static NativeIpcKeyType SystemV { get; } = (NativeIpcKeyType)0x66;

    public static NativeIpcKey Key(bool isPosix, string name = "object")
        => isPosix ? new($"/{Prefix}{name}", NativeIpcKeyType.PosixRealtime)
            : new(Path.Combine(KeyFiles, name), SystemV);

    /// <summary>The file in /dev/shm of a POSIX segment.</summary>
    public static string SegmentFile(NativeIpcKey key) => "/dev/shm" + key.NativeKey;

    /// <summary>The file in /dev/shm of a POSIX semaphore.</summary>
    public static string SemaphoreFile(NativeIpcKey key) => "/dev/shm/sem." + key.NativeKey[1..];

    /// <summary>Whether a path is one that glibc's sem_open(3) chooses for a moment.</summary>
    public static bool IsTemporaryOfLibc(string path) => TemporaryOfLibc().IsMatch(path);

    [GeneratedRegex("^/dev/shm/sem\\.[A-Za-z0-9]{6}$")]
    private static partial Regex TemporaryOfLibc();

    /// <summary>Removes what a failure has left, so that the next case begins afresh.</summary>
    public static void Clear(IReadOnlySet<string> named)
    {
        foreach (string one in named)
        {
            string[] words = one.Split(' ');
            if (words is ["System", "V", "shm", var segment])
                _ = shmctl(int.Parse(segment, CultureInfo.InvariantCulture), IPC_RMID, 0);
            else if (words is ["System", "V", "sem", var set])
                _ = semctl(int.Parse(set, CultureInfo.InvariantCulture), 0, IPC_RMID);
            else if (Directory.Exists(one)) Directory.Delete(one, recursive: true);
            else File.Delete(one);
        }
    }

    [LibraryImport("libc")]
    private static partial int shmctl(int id, int command, nint buffer);

    [LibraryImport("libc")]
    private static partial int semctl(int id, int number, int command);
}
