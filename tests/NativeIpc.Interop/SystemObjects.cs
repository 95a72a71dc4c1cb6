using System.Globalization;
using System.Runtime.InteropServices;

namespace NativeIpc.Foreign;

/// <summary>What the system holds, seen without the library: files in /dev/shm, the tables of /proc/sysvipc, key
/// files.</summary>
internal static partial class SystemObjects
{
    private const int RemoveId = 0;
    private const int LastProcess = 11; // GETPID
    private const int Value = 12; // GETVAL
    private const int Waiters = 14; // GETNCNT

    internal static string SegmentFile(in NativeIpcKey key) => "/dev/shm/" + key.NativeKey.TrimStart('/');

    internal static string SemaphoreFile(in NativeIpcKey key) => "/dev/shm/sem." + key.NativeKey.TrimStart('/');

    /// <summary>The key of a segment's lock: the semaphore under the legacy key, if it has one, else under the
    /// segment's own key.</summary>
    internal static NativeIpcKey LockKey(in NativeIpcKey key)
        => key.LegacyKey.Length == 0 ? key : SystemSemaphore.LegacyNativeKey(key.LegacyKey, key.Type);

    internal static bool SegmentExists(in NativeIpcKey key)
        => key.Type.IsSystemV ? File.Exists(key.NativeKey) && Segments().Any(ByNumber(Ftok(key)))
            : File.Exists(SegmentFile(key));

    internal static bool SemaphoreExists(in NativeIpcKey key)
        => key.Type.IsSystemV ? File.Exists(key.NativeKey) && Semaphores().Any(ByNumber(Ftok(key)))
            : File.Exists(SemaphoreFile(key));

    internal static bool SegmentExists(int number) => Segments().Any(ByNumber(number));

    internal static bool SemaphoreExists(int number) => Semaphores().Any(ByNumber(number));

    /// <summary>The count of a System V semaphore.</summary>
    internal static int ValueOf(in NativeIpcKey key) => Semctl(Semget(Ftok(key), 0, 0), 0, Value);

    /// <summary>How many wait for a semaphore now, whoever they are: in the word of glibc's <c>sem_t</c>, or as the
    /// kernel counts (GETNCNT).</summary>
    internal static int WaitersOf(in NativeIpcKey key)
        => key.Type.IsSystemV ? Semctl(Semget(Ftok(key), 0, 0), 0, Waiters)
            : BitConverter.ToInt32(File.ReadAllBytes(SemaphoreFile(key)), 4) & 0x7FFFFF;

    /// <summary>ftok(3) of the key file; -1 without one.</summary>
    internal static int Ftok(in NativeIpcKey key) => FtokNative(key.NativeKey, (int)key.Type);

    /// <summary>Removes the System V objects under a number, if it was this run that made or used them: numbers may be
    /// another's by now.</summary>
    internal static void Remove(int number)
    {
        foreach (Row row in Segments().Where(ByNumber(number)).Where(row => IsOurs(row.Process)))
            _ = Shmctl(row.Id, RemoveId, 0);
        foreach (Row row in Semaphores().Where(ByNumber(number)).Where(row => IsOurs(Semctl(row.Id, 0, LastProcess))))
            _ = Semctl(row.Id, 0, RemoveId);
    }

    /// <summary>Every System V object that is there.</summary>
    internal static IEnumerable<string> All() => Segments().Select(row => Describe("segment", row))
        .Concat(Semaphores().Select(row => Describe("semaphore", row)));

    /// <summary>Every System V object that a process of this run made, or used last.</summary>
    internal static IEnumerable<string> OfThisRun()
        => Segments().Where(row => IsOurs(row.Process)).Select(row => Describe("segment", row))
            .Concat(Semaphores().Where(row => IsOurs(Semctl(row.Id, 0, LastProcess)))
                .Select(row => Describe("semaphore", row)));

    private static string Describe(string kind, Row row) => $"System V {kind} {row.Id} with key {row.Number}";

    private static Func<Row, bool> ByNumber(int number) => row => row.Number == number && number != -1;

    private static bool IsOurs(int processId)
        => processId == Environment.ProcessId || ForeignPeer.WasStarted(processId);

    // key shmid perms size cpid ...; key semid perms nsems uid ...
    private static IEnumerable<Row> Segments()
        => Table("shm").Select(columns => new Row(Int(columns[0]), Int(columns[1]), Int(columns[4])));

    private static IEnumerable<Row> Semaphores()
        => Table("sem").Select(columns => new Row(Int(columns[0]), Int(columns[1]), 0));

    private static IEnumerable<string[]> Table(string kind)
        => File.ReadAllLines($"/proc/sysvipc/{kind}").Skip(1)
            .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries));

    private static int Int(string column) => unchecked((int)long.Parse(column, CultureInfo.InvariantCulture));

    private sealed record Row(int Number, int Id, int Process);

    [LibraryImport("libc", EntryPoint = "ftok", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int FtokNative(string path, int project);

    [LibraryImport("libc", EntryPoint = "semget")]
    private static partial int Semget(int key, int count, int flags);

    // Without the fourth argument, which these commands do not take.
    [LibraryImport("libc", EntryPoint = "semctl")]
    private static partial int Semctl(int id, int number, int command);

    [LibraryImport("libc", EntryPoint = "shmctl")]
    private static partial int Shmctl(int id, int command, nint status);
}
