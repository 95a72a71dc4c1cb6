using System.Security.Cryptography;
using Xunit;

namespace NativeIpc.Tool.Tests;

/// <summary><c>read</c>, <c>write</c>, <c>dump</c> and <c>restore</c>.</summary>
public class BytesTests : OneType
{
    private const int SIGCONT = 18; // Linux
    private const int SIGSTOP = 19;

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

    [Theory]
    [InlineData("/dev/shm/NAME")]
    [InlineData("LINK/NAME")]
    [InlineData("/proc/self/root/dev/shm/NAME")]
    [InlineData("/dev/shm/FOLDER/NAME")]
    [NeedsLinux("POSIX objects are files on Linux.")]
    public void Dump_writes_nothing_into_the_folder_of_objects(string target)
    {
        using SharedMemory segment = Make("posix", 8);
        using SharedMemory live = Make("posix", 8);
        string link = NewFile();
        Directory.CreateSymbolicLink(link, "/dev/shm");
        string folder = $"/dev/shm/{live.Key.NativeKey.TrimStart('/')}-folder";
        Directory.CreateDirectory(folder);
        try
        {
            string file = target.Replace("NAME", live.Key.NativeKey.TrimStart('/'), StringComparison.Ordinal)
                .Replace("FOLDER", Path.GetFileName(folder), StringComparison.Ordinal)
                .Replace("LINK", link, StringComparison.Ordinal);
            foreach (string[] name in (string[][])[[file, "--force"], [file + "-new"]])
            {
                Assert.Contains("folder of POSIX objects", Nipc.Fail(2, ["dump", $"{segment.Key}", .. name]),
                    StringComparison.Ordinal);
                Assert.False(File.Exists(file + "-new"));
            }

            using SharedMemory same = SharedMemory.OpenExisting(live.Key, SharedMemoryAccess.Read, s_keep);
            live.Span[3] = 7;
            Assert.Equal(7, same.ReadOnlySpan[3]);
        }
        finally
        {
            Directory.Delete(folder);
            File.Delete(link);
        }
    }

    [Theory]
    [InlineData("printf hello | \"$0\" restore \"$1\" -")]
    [InlineData("printf hello | \"$0\" restore \"$1\" /dev/stdin --lock")]
    [InlineData("\"$0\" restore \"$1\" <(printf hello)")]
    [InlineData("\"$0\" restore \"$1\" - <<< hello")]
    [NeedsUnix("The shell is that of Unix.")]
    public void Restore_takes_what_cannot_be_sought_in(string command)
    {
        using SharedMemory segment = Make("posix", 6);
        Assert.Equal("", Shell.Run("bash", ["-c", command, Nipc.Program, $"{segment.Key}"]).Succeeded);
        Assert.Equal("hello"u8, segment.ReadOnlySpan[..5]);
    }

    [Theory]
    [InlineData("printf 1234567 | \"$0\" restore \"$1\" -", 5, "than")]
    [InlineData("\"$0\" restore \"$1\" /dev/zero", 5, "than")]
    [InlineData("printf hello | \"$0\" restore \"$1-new\" - --create", 2, "nipc create shm")]
    [InlineData("echo x | \"$0\" restore - -", 2, "both")]
    [InlineData("\"$0\" restore \"$1\" - <&-", 7, "closed")]
    [NeedsUnix("The shell is that of Unix.")]
    public void Restore_refuses_a_stream_that_does_not_fit(string command, int exitCode, string says)
    {
        if (command.EndsWith("<&-", StringComparison.Ordinal)) Nipc.RequireStartWithoutInput();
        using SharedMemory segment = Make("posix", 6);
        segment.Span[0] = 9;
        ShellResult result = Shell.Run("bash", ["-c", command, Nipc.Program, $"{segment.Key}"]);
        Assert.Equal((exitCode, ""), (result.ExitCode, result.Output));
        Assert.StartsWith("nipc: ", result.Error, StringComparison.Ordinal);
        Assert.Contains(says, result.Error, StringComparison.Ordinal);
        Assert.Equal(9, segment.ReadOnlySpan[0]);
    }

    [Theory]
    [InlineData(PeerProcess.SIGINT, true)]
    [InlineData(PeerProcess.SIGTERM, false)]
    [NeedsLinux("The thread that waits is found in /proc.")]
    public void A_signal_ends_the_wait_for_the_writer_of_a_FIFO(int signal, bool creates)
    {
        using SharedMemory segment = Make("posix", 6);
        string file = NewFile();
        Shell.Run("mkfifo", [file]);
        string[] verb = creates
            ? ["restore", $"{NewKey("posix")}", file, "--create"] : ["restore", $"{segment.Key}", file];
        using var restore = new RunningNipc(verb);
        Watch.Until(() => Directory.GetDirectories($"/proc/{restore.Process.Id}/task")
            .Any(thread => IsOpening(thread)), restore.Process);
        restore.Signal(signal);
        Assert.Equal(128 + signal, restore.WaitForEnd());
        File.Delete(file);
    }

    /// <summary>The reader of the bytes has stopped, and the lock is held.</summary>
    [Theory]
    [InlineData("dump", "-")]
    [InlineData("read", "--raw")]
    [NeedsUnix("Signals are those of Unix.")]
    public void A_signal_ends_the_wait_for_the_reader_of_a_pipe(string verb, string option)
    {
        using SharedMemory segment = Make("posix", 4 << 20);
        using var running = new RunningNipc(verb, $"{segment.Key}", option, "--lock");
        Assert.Equal(0, running.Process.StandardOutput.BaseStream.ReadByte()); // the pipe is full after some more
        running.Signal(PeerProcess.SIGTERM);
        Assert.Equal(128 + PeerProcess.SIGTERM, running.WaitForEnd());
        Assert.True(segment.TryLock(out SharedMemoryLock free), "the tool has kept the lock");
        free.Dispose();
    }

    /// <summary>A writer is stopped while it holds the lock, asked to end, and goes on.</summary>
    [Theory]
    [InlineData(PeerProcess.SIGTERM)]
    [InlineData(PeerProcess.SIGINT)]
    [NeedsLinux("The count of the lock is looked at in its file.")]
    public void A_signal_that_comes_to_the_holder_of_the_lock_leaves_it_free(int signal)
    {
        const int size = 16 << 20; // so that there is time to see it
        using SharedMemory segment = Make("posix", size);
        using (segment.Lock())
        {
        }

        NativeIpcKey key = NativeIpcKeyRules.Current.LockKey(segment.Key);
        using SystemSemaphore peer = SystemSemaphore.OpenExisting(key, new SystemSemaphoreOptions
            { Removal = RemovalPolicy.Keep });
        string file = NewFile();
        File.WriteAllBytes(file, new byte[size]);
        int exitCode = -1;
        for (int tries = 0; exitCode < 0; tries++)
        {
            Assert.True(tries < 200, "The writer was never stopped while it held the lock.");
            exitCode = EndWhileItHolds(peer, signal, $"{segment.Key}", file);
        }

        Assert.Equal(0, exitCode);
        Assert.True(peer.TryGetCurrentCount(out int count));
        Assert.Equal(1, count);
        Assert.True(segment.TryLock(out SharedMemoryLock free), "the tool has kept the lock");
        Assert.False(free.WasAbandoned);
        free.Dispose();
    }

    /// <summary>Its exit code; -1 when it had released the lock before it was stopped.</summary>
    private static int EndWhileItHolds(SystemSemaphore peer, int signal, string key, string file)
    {
        using var writer = new RunningNipc("bash",
            ["-c", "exec \"$0\" write \"$1\" --lock < \"$2\"", Nipc.Program, key, file]);
        int process = writer.Process.Id;
        Watch.Until(() => IsTaken(peer) || writer.Process.HasExited);
        if (writer.Process.HasExited) return -1;
        writer.Signal(SIGSTOP);
        Watch.Until(() => File.ReadAllText($"/proc/{process}/stat").Contains(") T ", StringComparison.Ordinal)
            || !Watch.Lives(process));
        bool isCaught = Watch.Lives(process) && IsTaken(peer);
        if (isCaught) writer.Signal(signal);
        writer.Signal(SIGCONT);
        int exitCode = writer.WaitForEnd();
        return isCaught ? exitCode : -1;
    }

    private static bool IsTaken(SystemSemaphore peer) => peer.TryGetCurrentCount(out int count) && count == 0;

    /// <summary>Whether a thread waits for the other end of a FIFO, as the kernel calls it.</summary>
    private static bool IsOpening(string thread)
    {
        try
        {
            return File.ReadAllText(thread + "/wchan").Contains("wait_for_partner", StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return false; // it has ended
        }
    }

    [Fact]
    [NeedsLinux("/dev/zero is Linux's.")]
    public void A_name_on_standard_input_has_a_bound()
    {
        foreach (string verb in (string[])["value -", "rm -", "show -", "key parse -"])
        {
            ShellResult result = Shell.Run("bash", ["-c", $"\"$0\" {verb} < /dev/zero", Nipc.Program]);
            Assert.Equal((2, ""), (result.ExitCode, result.Output));
            Assert.Contains("more than", result.Error, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_failed_dump_names_the_file_that_was_asked_for()
    {
        using SharedMemory segment = Make("posix", 6);
        string file = Path.Combine(NewFile(), "x");
        string said = Nipc.Fail(3, "dump", $"{segment.Key}", file);
        Assert.Contains($"'{file}'", said, StringComparison.Ordinal);
    }

    private SharedMemory Make(string type, long size)
        => SharedMemory.CreateNew(NewKey(OperatingSystem.IsWindows() ? "windows" : type), size);
}
