using System.Globalization;
using NativeIpc.Interop.Unix;
using NativeIpc.SystemV;
using NativeIpc.Victim;
using Xunit;

namespace NativeIpc.Machine;

/// <summary>What another user (nobody) plants under a System V key of root's: told as such, and not touched.</summary>
[NeedsLinux("Uses Linux's tools.")]
[NeedsRoot(Victims.WhyRoot)]
public sealed class PlantedSystemVTests : IDisposable
{
    private static readonly string s_perl = Peers.Require("perl", "perl-base");
    private readonly List<string> _removals = [];
    private readonly List<string> _paths = [];

    public void Dispose()
    {
        foreach (string removal in _removals) Shell.Run("ipcrm", removal.Split(' '));
        foreach (string path in _paths) File.Delete(path);
    }

    [Theory]
    [InlineData("ln -s {target} {path}")]
    [InlineData(": > {path}")]
    [InlineData("printf x > {path}")]
    [InlineData("truncate -s 1T {path}")]
    [InlineData("mkdir {path}")]
    [InlineData("mkfifo {path}")]
    public void A_key_file_of_another_user_is_refused_and_not_touched(string plant)
    {
        NativeIpcKey key = TestRun.NewKey(Backend.SystemV);
        string target = Path.Combine(TestRun.Folder, TestRun.NewName());
        File.WriteAllText(target, "data");
        plant = plant.Replace("{target}", target, StringComparison.Ordinal)
            .Replace("{path}", key.NativeKey, StringComparison.Ordinal);
        _ = Shell.Run("sh", ["-c", $"{plant} && chown -h 65534 {key.NativeKey}"]).Succeeded;
        string before = Seen();
        foreach (Outcome outcome in WithSegment(key).Concat(WithSemaphore(key)))
        {
            Assert.True(outcome.Error == NativeIpcError.PermissionDenied, $"{outcome}");
            Assert.Contains(key.NativeKey, outcome.Message, StringComparison.Ordinal);
        }

        Assert.Equal(before, Seen());
        Assert.Equal("data", File.ReadAllText(target));
        _ = Shell.Run("rm", ["-rf", key.NativeKey, target]).Succeeded;

        string Seen() => Shell.Run("stat", ["-c", "%F %s %u %i %Y", key.NativeKey]).Succeeded;
    }

    [Fact]
    public void A_segment_of_another_user_under_the_key_is_refused_and_nobody_attaches()
    {
        NativeIpcKey key = PlantedUnder("shmget({key}, 4096, 01666)", "-M");
        foreach (Outcome outcome in WithSegment(key))
        {
            if (outcome.Step.EndsWith("CreateNew", StringComparison.Ordinal))
                outcome.AssertSays(NativeIpcError.AlreadyExists, key, "shmget", 17);
            else outcome.AssertSays(NativeIpcError.PermissionDenied, key, "shmctl", 13);
        }

        Assert.Equal(0, SystemVSupport.Status(Libc.shmget(Ftok(key), 0, 0),
            out SegmentStatus status));
        Assert.Equal((4096L, 0L, 65534u), (status.Size, status.Attached, status.Uid));
        NativeIpcException reclaimed = Assert.Throws<NativeIpcException>(
            () => SharedMemory.CreateNew(key, 100, new SharedMemoryOptions { Reclaim = true }));
        Assert.Equal(NativeIpcError.PermissionDenied, reclaimed.Error);
        using SharedMemory allowed = SharedMemory.OpenExisting(key,
            options: new SharedMemoryOptions { AllowOtherOwners = true, Removal = RemovalPolicy.Keep });
        Assert.Equal(4096, allowed.Size);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void A_semaphore_of_another_user_under_the_key_is_refused_and_keeps_its_count(int size)
    {
        NativeIpcKey key = PlantedUnder($"semget({{key}}, {size}, 01666)", "-S");
        foreach (Outcome outcome in WithSemaphore(key))
        {
            if (outcome.Step.EndsWith("CreateNew", StringComparison.Ordinal))
                outcome.AssertSays(NativeIpcError.AlreadyExists, key, "semget", 17);
            else outcome.AssertSays(NativeIpcError.PermissionDenied, key, "semctl", 13);
        }

        // The same set as the lock of a segment of our own.
        using (SharedMemory segment = SharedMemory.CreateNew(key, 100,
            new SharedMemoryOptions { Removal = RemovalPolicy.Keep }))
        {
            NativeIpcException refused = Assert.Throws<NativeIpcException>(() => segment.TryLock(out _));
            Assert.Equal(NativeIpcError.PermissionDenied, refused.Error);
        }

        int id = Libc.semget(Ftok(key), 0, 0);
        Assert.Equal(0, SystemVSupport.SetStatusOf(id, out SetStatus status));
        Assert.Equal((size, 65534u), (status.Count, status.Uid));
        Assert.Equal(0, Libc.semctl(id, 0, Flags.GETVAL));
        Assert.True(SharedMemory.Remove(key)); // and with it what was planted as its lock
        Assert.Equal(-1, Libc.semget(Ftok(key), 0, 0));
    }

    [Fact]
    public void A_folder_that_all_may_write_and_that_is_not_sticky_is_refused_by_name()
    {
        string folder = Path.Combine(TestRun.Folder, TestRun.NewName());
        Directory.CreateDirectory(folder);
        File.SetUnixFileMode(folder, FileModes.Mode777);
        NativeIpcKey key = TestRun.KeyOf(Path.Combine(folder, "key"));
        foreach (Outcome outcome in WithSegment(key).Concat(WithSemaphore(key)))
        {
            outcome.AssertSays(NativeIpcError.PermissionDenied, key, "key file check", 13);
            Assert.Contains($"chmod +t {folder}", outcome.Message, StringComparison.Ordinal);
        }

        Assert.Empty(Directory.EnumerateFileSystemEntries(folder));
        SharedMemory.CreateNew(key, 100, new SharedMemoryOptions { AllowOtherOwners = true }).Dispose();
        Directory.Delete(folder);
    }

    // All but Remove: root may remove what others have made.
    private static IEnumerable<Outcome> WithSegment(NativeIpcKey key) => All(Calls.Segments, key);

    private static IEnumerable<Outcome> WithSemaphore(NativeIpcKey key) => All(Calls.Semaphores, key);

    private static IEnumerable<Outcome> All(IReadOnlyList<(string Name, Func<NativeIpcKey, string> Run)> calls,
        NativeIpcKey key)
        => calls.Where(call => call.Name != "Remove").Select(call => Outcome.From(call.Name, () => call.Run(key)));

    private static int Ftok(NativeIpcKey key) => Libc.ftok(key.NativeKey, (int)key.Type);

    /// <summary>A key file of root's, and an object under its key that nobody has made.</summary>
    private NativeIpcKey PlantedUnder(string call, string ipcrm)
    {
        NativeIpcKey key = TestRun.NewKey(Backend.SystemV);
        File.WriteAllText(key.NativeKey, "");
        string number = Ftok(key).ToString(CultureInfo.InvariantCulture);
        _ = Shell.Run(Peers.Require("setpriv", "util-linux"),
            ["--reuid=65534", "--regid=65534", "--clear-groups", s_perl, "-e",
                $"defined({call.Replace("{key}", number, StringComparison.Ordinal)}) or die $!"], "/").Succeeded;
        _paths.Add(key.NativeKey);
        _removals.Add($"{ipcrm} {number}");
        return key;
    }
}
