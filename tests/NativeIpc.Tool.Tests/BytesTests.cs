using System.Security.Cryptography;
using NativeIpc.Testing;
using Xunit;

namespace NativeIpc.Tool.Tests;

/// <summary><c>read</c>, <c>write</c>, <c>dump</c> and <c>restore</c>.</summary>
public class BytesTests : OneType
{
    private static readonly SharedMemoryOptions s_keep = new() { Removal = RemovalPolicy.Keep };

    [Theory]
    [MemberData(nameof(Types))]
    public void Bytes_go_in_and_come_out_as_they_are(string type)
    {
        using SharedMemory segment = Make(type, 200_000);
        byte[] bytes = RandomNumberGenerator.GetBytes(150_000);
        Assert.Equal(0, Nipc.Feed(bytes, "write", $"{segment.Key}", "--offset", "0x10").ExitCode);
        Assert.Equal(bytes, segment.ReadOnlySpan.Slice(16, bytes.Length).ToArray());
        Assert.Equal(bytes, Nipc.Feed([], "read", $"{segment.Key}", "-o", "16", "-n", "150000").Output);
        Assert.Equal(segment.ReadOnlySpan.ToArray(), Nipc.Feed([], "read", $"{segment.Key}", "--raw").Output);
    }

    [Fact]
    public void Text_and_hexadecimal_are_written_and_a_hexdump_is_read()
    {
        using SharedMemory segment = Make("posix", 20);
        Nipc.Succeed("write", $"{segment.Key}", "--text", "hé");
        Nipc.Succeed("write", $"{segment.Key}", "--offset", "17", "--hex", "0xFF 00 7f");
        Assert.Equal(
            "00000000  68 c3 a9 00 00 00 00 00  00 00 00 00 00 00 00 00  |h...............|\n00000010  00 ff 00 7f    "
                + "                                   |....|",
            Nipc.Succeed("read", $"{segment.Key}", "--hex"));
        Assert.Equal("00000002  a9 00                                             |..|",
            Nipc.Succeed("read", $"{segment.Key}", "-x", "-o", "2", "-n", "2"));
    }

    [Fact]
    public void What_does_not_fit_changes_nothing()
    {
        using SharedMemory segment = Make("posix", 8);
        (int code, _, string error) = Nipc.Feed(new byte[9], "write", $"{segment.Key}");
        Assert.Equal(5, code);
        Assert.Contains("room for 8 bytes", error, StringComparison.Ordinal);
        Nipc.Fail(5, "write", $"{segment.Key}", "--offset", "7", "--text", "ab");
        Assert.Equal(new byte[8], segment.ReadOnlySpan.ToArray());
        Nipc.Fail(2, "write", $"{segment.Key}", "--offset", "9", "--text", "");
        Nipc.Fail(2, "write", $"{segment.Key}", "--hex", "0g");
        Nipc.Fail(2, "write", $"{segment.Key}", "--hex", "00", "--text", "a");
        Nipc.Fail(2, "read", $"{segment.Key}", "-o", "4", "-n", "5");
        Nipc.Fail(2, "read", $"{segment.Key}", "--hex", "--raw");
        Nipc.Fail(3, "read", $"{NewKey("posix")}");
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void The_lock_of_the_segment_is_waited_for(string type)
    {
        using SharedMemory segment = Make(type, 8);
        using (segment.Lock())
        {
            Assert.Contains("lock", Nipc.Fail(1, "write", $"{segment.Key}", "--lock", "--timeout", "50ms", "--text",
                "x"), StringComparison.Ordinal);
            Nipc.Fail(1, "read", $"{segment.Key}", "-L", "-w", "0");
            Assert.Equal(0, segment.ReadOnlySpan[0]);
        }

        Nipc.Succeed("write", $"{segment.Key}", "--lock", "--text", "x");
        Assert.Equal((byte)'x', segment.ReadOnlySpan[0]);
        Assert.True(segment.TryLock(out SharedMemoryLock free), "the tool has kept the lock");
        free.Dispose();
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void A_dump_is_restored_bit_for_bit(string type)
    {
        using SharedMemory segment = Make(type, 3_000_001);
        RandomNumberGenerator.Fill(segment.Span);
        string file = NewFile();
        Assert.Empty(Nipc.Succeed("dump", $"{segment.Key}", file, "--lock"));
        Assert.Equal(segment.ReadOnlySpan.ToArray(), File.ReadAllBytes(file));
        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));

        Assert.Contains("--force", Nipc.Fail(1, "dump", $"{segment.Key}", file), StringComparison.Ordinal);
        byte[] before = segment.ReadOnlySpan.ToArray();
        segment.Span.Clear();
        Nipc.Succeed("restore", $"{segment.Key}", file);
        Assert.Equal(before, segment.ReadOnlySpan.ToArray());
        Nipc.Succeed("dump", $"{segment.Key}", file, "--force");
        if (OperatingSystem.IsWindows()) return;

        NativeIpcKey copy = NewKey(type);
        Nipc.Succeed("restore", $"{copy}", file, "--create", "--mode", "640");
        Nipc.Fail(1, "restore", $"{copy}", file, "--create");
        using SharedMemory second = SharedMemory.OpenExisting(copy, SharedMemoryAccess.Read, s_keep);
        Assert.Equal(before, second.ReadOnlySpan.ToArray());
    }

    [Fact]
    public void A_failed_dump_or_restore_leaves_nothing()
    {
        using SharedMemory segment = Make("posix", 8);
        string file = NewFile();
        Nipc.Fail(3, "dump", $"{NewKey("posix")}", file);
        using (segment.Lock()) Nipc.Fail(1, "dump", $"{segment.Key}", file, "--lock", "--timeout", "0");
        Assert.Empty(Directory.GetFiles(TestNames.Folder, Path.GetFileName(file) + "*"));

        File.WriteAllBytes(file, new byte[9]);
        Nipc.Fail(5, "restore", $"{segment.Key}", file);
        Nipc.Fail(3, "restore", $"{segment.Key}", file + ".missing");
        File.WriteAllBytes(file, []);
        NativeIpcKey copy = NewKey("posix");
        Nipc.Fail(2, "restore", $"{copy}", file, "--create");
        Nipc.Fail(3, "read", $"{copy}");
    }

    [Fact]
    public void An_interrupted_dump_leaves_no_file()
    {
        using SharedMemory segment = Make("posix", 8);
        string file = NewFile();
        using SharedMemoryLock held = segment.Lock();
        using var dump = new RunningNipc("dump", $"{segment.Key}", file, "--lock");
        Watch.Until(() => Directory.GetFiles(TestNames.Folder, Path.GetFileName(file) + ".nipc-*").Length == 1,
            dump.Process);
        dump.Signal(PeerProcess.SIGINT);
        Assert.Equal(130, dump.WaitForEnd());
        Assert.Empty(Directory.GetFiles(TestNames.Folder, Path.GetFileName(file) + "*"));
    }

    [Fact]
    public void A_reader_that_goes_away_early_is_no_error()
    {
        using SharedMemory segment = Make("posix", 4 << 20);
        ShellResult result = Shell.Run("bash", ["-c",
            $"set -o pipefail; '{Nipc.Program}' read '{segment.Key}' | head -c 3 | wc -c; '{Nipc.Program}' read -x "
                + $"'{segment.Key}' | head -n 1"]);
        Assert.Equal("", result.Error);
        Assert.StartsWith("3\n00000000 ", result.Output, StringComparison.Ordinal);
    }

    private SharedMemory Make(string type, long size)
        => SharedMemory.CreateNew(NewKey(OperatingSystem.IsWindows() ? "windows" : type), size);
}
