using System.Globalization;
using NativeIpc.Interop.Unix;
using Xunit;

namespace NativeIpc.Machine;

/// <summary>Modes are what was asked for, whatever the umask.</summary>
[NeedsLinux("Looks at the files of glibc on Linux.")]
public class ModeTests
{
    public ModeTests() => Assert.SkipUnless(OperatingSystem.IsLinux() && Libraries.IsGlibc,
        "Looks at the files of glibc on Linux.");

    [Theory]
    [InlineData("0", "600", "600", "umask 0")]
    [InlineData("22", "666", "666", "umask 22")]
    [InlineData("777", "640", "660", "umask 777")]
    [InlineData("777", "644", "666", "refuse-tmpfile")]
    [InlineData("22", "666", "666", "refuse-tmpfile")]
    [InlineData("777", "640", "660", "hide-proc")]
    [NeedsRoot(Victims.WhyRoot)]
    public void POSIX_objects_and_locks_have_their_exact_modes(string umask, string mode, string lockMode, string also)
    {
        NativeIpcKey segment = TestRun.NewKey(Backend.Posix);
        NativeIpcKey semaphore = TestRun.NewKey(Backend.Posix);
        VictimResult result = Victims.Run(also == "hide-proc" ? new Situation { MountFirst = "true" } : Situation.Plain,
            $"umask {umask}", also, $"segment-create {segment} 4096 mode={mode} removal=Keep", "segment-lock",
            $"semaphore-create {semaphore} 1 mode={mode} removal=Keep");
        Assert.Equal(("created 4096", "locked", "created"), (result[2].Did, result[3].Did, result[4].Did));

        string[] modes = [ModeOf(TestRun.SegmentFile(segment)), ModeOf(TestRun.SemaphoreFile(segment)),
            ModeOf(TestRun.SemaphoreFile(semaphore))];
        Assert.True(SharedMemory.Remove(segment) && SystemSemaphore.Remove(semaphore));
        Assert.Equal([mode, lockMode, mode], modes);
    }

    [Theory]
    [InlineData("0", "600", "600", "600")]
    [InlineData("22", "666", "666", "644")]
    [InlineData("777", "640", "660", "600")]
    [InlineData("77", "660", "660", "640")]
    public void System_V_objects_locks_and_key_files_have_their_exact_modes(string umask, string mode, string lockMode,
        string keyFileMode)
    {
        NativeIpcKey segment = TestRun.NewKey(Backend.SystemV);
        NativeIpcKey semaphore = TestRun.NewKey(Backend.SystemV);
        VictimResult result = Victims.Run(Situation.Plain,
            $"umask {umask}", $"segment-create {segment} 4096 mode={mode} removal=Keep", "segment-lock",
            $"semaphore-create {semaphore} 1 mode={mode} removal=Keep");
        Assert.Equal(("created 4096", "locked", "created"), (result[1].Did, result[2].Did, result[3].Did));

        string[] modes = [ModeOf("shm", segment), ModeOf("sem", segment), ModeOf("sem", semaphore),
            ModeOf(segment.NativeKey), ModeOf(semaphore.NativeKey)];
        Assert.True(SharedMemory.Remove(segment) && SystemSemaphore.Remove(semaphore));
        Assert.Equal([mode, lockMode, mode, keyFileMode, keyFileMode], modes);
    }

    [Theory]
    [InlineData(FileModes.Mode700)]
    [InlineData(FileModes.Mode400)]
    [InlineData((UnixFileMode)0x1000 | FileModes.Mode600)] // a bit that no mode has
    public void A_mode_that_makes_no_sense_is_a_wrong_argument(UnixFileMode mode)
    {
        NativeIpcKey key = TestRun.NewKey(Backend.Posix);
        Assert.Throws<ArgumentException>("options",
            () => SharedMemory.CreateNew(key, 1, new SharedMemoryOptions { Mode = mode }));
        Assert.Throws<ArgumentException>("options",
            () => SystemSemaphore.CreateNew(key, 1, new SystemSemaphoreOptions { Mode = mode }));
    }

    private static string ModeOf(string path)
    {
        Assert.Equal(0, Libc.Status(path, followLink: false, out FileStatus status));
        return Convert.ToString(status.Permissions, 8);
    }

    private static string ModeOf(string kind, NativeIpcKey key)
    {
        string ipcKey = Libc.ftok(key.NativeKey, (int)key.Type).ToString(CultureInfo.InvariantCulture);
        return File.ReadLines($"/proc/sysvipc/{kind}").Select(
            line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)).Single(fields => fields[0] == ipcKey)[2];
    }
}
