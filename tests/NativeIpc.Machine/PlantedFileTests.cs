using System.Net.Sockets;
using NativeIpc.Interop.Unix;
using NativeIpc.Victim;
using Xunit;

namespace NativeIpc.Machine;

/// <summary>What is no object but stands under an object's name in /dev/shm is told as such, and stays as it is. The
/// calls run in another process, since one that goes wrong hangs or dies of SIGBUS.</summary>
[NeedsLinux("The files are where glibc on Linux keeps objects.")]
public class PlantedFileTests
{
    private static readonly string[] s_segmentSteps = ["segment-create", "segment-create-or-open", "segment-open",
        "segment-read", "segment-try-open", "segment-remove"];
    private static readonly string[] s_semaphoreSteps = ["semaphore-create", "semaphore-create-or-open",
        "semaphore-reset", "semaphore-open", "semaphore-try-open", "semaphore-remove"];

    public static TheoryData<Planted> AllPlanted => [.. Enum.GetValues<Planted>()];

    public PlantedFileTests() => Assert.SkipUnless(OperatingSystem.IsLinux() && Libraries.IsGlibc,
        "The files are where glibc on Linux keeps objects.");

    public enum Planted
    {
        LinkToFile,
        DanglingLink,
        Directory,
        Fifo,
        Socket,
    }

    [Theory]
    [MemberData(nameof(AllPlanted))]
    public void What_is_no_segment_is_a_key_error_and_stays(Planted planted)
    {
        NativeIpcKey key = TestRun.NewKey(Backend.Posix);
        CheckAll(planted, key, TestRun.SegmentFile(key), s_segmentSteps, "4096 timeout=50");
    }

    [Theory]
    [MemberData(nameof(AllPlanted))]
    public void What_is_no_semaphore_is_a_key_error_and_stays(Planted planted)
    {
        NativeIpcKey key = TestRun.NewKey(Backend.Posix);
        CheckAll(planted, key, TestRun.SemaphoreFile(key), s_semaphoreSteps, "1");
    }

    // A file without bytes is a half-made semaphore, not a broken one: RefusedCallTests.
    [Theory]
    [InlineData(16)]
    [InlineData(31)]
    [InlineData(33)]
    [InlineData(4096)]
    public void A_semaphore_file_of_the_wrong_size_is_a_key_error_and_can_be_removed(int size)
    {
        NativeIpcKey key = TestRun.NewKey(Backend.Posix);
        string path = TestRun.SemaphoreFile(key);
        byte[] content = [.. Enumerable.Repeat((byte)7, size)];
        File.WriteAllBytes(path, content);

        VictimResult result = Victims.Run(Situation.Plain,
            [.. s_semaphoreSteps[..^1].Select(step => $"{step} {key} 1")]);
        foreach (Outcome outcome in result.Outcomes) outcome.AssertSays(NativeIpcError.KeyError, key, "sem_open", 0);
        Assert.Equal(content, File.ReadAllBytes(path));

        Victims.Run(Situation.Plain, $"semaphore-remove {key}", $"semaphore-create {key} 1").Did("removed", "created");
        Assert.False(File.Exists(path));
    }

    [Fact]
    public void A_lock_file_of_the_wrong_size_is_a_key_error_and_the_segment_goes_on()
    {
        NativeIpcKey key = TestRun.NewKey(Backend.Posix);
        File.WriteAllBytes(TestRun.SemaphoreFile(key), new byte[16]);

        VictimResult result = Victims.Run(Situation.Plain, $"segment-create {key} 4096", "segment-lock",
            "segment-fill", "dispose");
        result[1].AssertSays(NativeIpcError.KeyError, key, "sem_open", 0);
        Assert.Equal(("filled", "disposed"), (result[2].Did, result[3].Did));
        File.Delete(TestRun.SemaphoreFile(key));
    }

    private static void CheckAll(Planted planted, NativeIpcKey key, string path, string[] steps, string arguments)
    {
        string target = Path.Combine(TestRun.Folder, TestRun.NewName());
        using IDisposable? socket = Plant(planted, path, target);
        try
        {
            VictimResult result = Victims.Run(Situation.Plain, [.. steps.Select(step => $"{step} {key} {arguments}")]);
            Assert.Equal(steps.Length, result.Outcomes.Length);
            foreach (Outcome outcome in result.Outcomes)
                outcome.AssertSays(NativeIpcError.KeyError, key, outcome.Operation!);
            Assert.Equal(0, Libc.Status(path, followLink: false, out FileStatus status));
            Assert.Equal(planted, Kind(status, target));
            if (planted == Planted.LinkToFile) Assert.Equal("data", File.ReadAllText(target));
        }
        finally
        {
            if (planted == Planted.Directory) Directory.Delete(path);
            else File.Delete(path);
            File.Delete(target);
        }
    }

    private static Socket? Plant(Planted planted, string path, string target)
    {
        switch (planted)
        {
            case Planted.LinkToFile:
                File.WriteAllText(target, "data");
                File.CreateSymbolicLink(path, target);
                return null;
            case Planted.DanglingLink:
                File.CreateSymbolicLink(path, target);
                return null;
            case Planted.Directory:
                Directory.CreateDirectory(path);
                return null;
            case Planted.Fifo:
                _ = Shell.Run("mkfifo", [path]).Succeeded;
                return null;
            default:
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                socket.Bind(new UnixDomainSocketEndPoint(path));
                return socket;
        }
    }

    private static Planted Kind(FileStatus status, string target) => (status.Mode & 0xF000) switch
    {
        0xA000 => File.Exists(target) ? Planted.LinkToFile : Planted.DanglingLink,
        0x4000 => Planted.Directory,
        0x1000 => Planted.Fifo,
        0xC000 => Planted.Socket,
        _ => throw new InvalidOperationException($"Mode {Convert.ToString(status.Mode, 8)}"),
    };
}
