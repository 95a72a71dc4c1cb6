using System.Buffers.Binary;
using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Xunit;

namespace NativeIpc.Tool.Tests;

/// <summary><c>nipc show</c> on Linux.</summary>
[NeedsLinux("Objects are shown on Linux.")]
public sealed class ShowTests : IDisposable
{
    private readonly TestNames _names = new();

    public void Dispose() => _names.Dispose();

    [Theory]
    [InlineData(0, 256)]
    [InlineData(0, 5000)]
    [InlineData(16, 7)]
    [InlineData(100, 333)]
    public void The_dump_is_that_of_hexdump(int offset, int length)
    {
        NativeIpcKey key = _names.Next(NativeIpcKeyType.PosixRealtime);
        using SharedMemory segment = SharedMemory.CreateNew(key, 5000);
        var random = new Random(42);
        random.NextBytes(segment.Span[..200]);
        "some text in a segment"u8.CopyTo(segment.Span[120..]);
        random.NextBytes(segment.Span[3001..3100]);
        string[] lines = Nipc.Succeed("show", key.ToString(), "--offset", Number(offset), "-n",
            Number(length)).Split('\n');
        string expected = Shell.Run("hexdump",
            ["-C", "-s", Number(offset), "-n", Number(length), "/dev/shm" + key.NativeKey]).Succeeded;
        Assert.Equal(expected.TrimEnd('\n').Split('\n'), lines.SkipWhile(line => line.Length > 0).Skip(1));
    }

    [Fact]
    public void A_System_V_segment_is_found_by_key_id_and_number()
    {
        NativeIpcKey key = _names.Next(NativeIpcKeyType.SystemV);
        using SharedMemory segment = SharedMemory.CreateNew(key, 4096);
        segment.Write(0, "System V"u8);
        string shown = Nipc.Succeed("show", key.ToString());
        string id = Field(shown, "id").Split(' ')[0];
        string number = Field(shown, "native name");
        Assert.Equal($"{number} = ftok(\"{key.NativeKey}\", 81)", Field(shown, "ftok"));
        Assert.Contains($"{number} {id} ", Shell.Run("ipcs", ["-m"]).Succeeded, StringComparison.Ordinal);
        Assert.Equal("4096 bytes", Field(shown, "size"));
        Assert.Contains($"pid {Environment.ProcessId}", Field(shown, "creator"), StringComparison.Ordinal);
        Assert.Contains("|System V........|", shown, StringComparison.Ordinal);
        Assert.Contains("|System V........|", Nipc.Succeed("show", id, "--kind", "shm"), StringComparison.Ordinal);
        Assert.Contains("|System V........|", Nipc.Succeed("show", number, "--kind", "shm"), StringComparison.Ordinal);
        Assert.Contains("|System V........|", Nipc.Succeed("show", "--type", "systemv", key.NativeKey),
            StringComparison.Ordinal);
    }

    /// <summary>As Qt 6.8 and Qt 6.11 write the legacy key of one name, where TMPDIR is a link.</summary>
    [Fact]
    public void A_key_that_names_its_file_through_a_link_is_shown_with_the_file_s_own_name()
    {
        NativeIpcKey key = _names.Next(NativeIpcKeyType.SystemV);
        using SharedMemory segment = SharedMemory.CreateNew(key, 64);
        string link = $"{key.NativeKey}-link";
        Directory.CreateSymbolicLink(link, Path.GetDirectoryName(key.NativeKey)!);
        try
        {
            string path = $"{link}/{Path.GetFileName(key.NativeKey)}";
            string shown = Nipc.Succeed("show", $"systemv:{path}");
            Assert.Equal($"{key} (the same file, without links)", Field(shown, "the same as"));
            Assert.DoesNotContain("the same as", Nipc.Succeed("show", key.ToString()), StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(link);
        }
    }

    /// <summary>The set was not shown, since the bytes of the segment under its key could not be read.</summary>
    [NeedsRoot(Alone.Why)]
    [Fact]
    public void What_cannot_be_read_keeps_nothing_else_from_being_shown()
    {
        Alone.Require();
        ShellResult result = Alone.Run("""
            perl -e 'shmget(0x55, 64, 01600); semget(0x55, 1, 01600)'
            as_user "$N" show 0x55; echo "code $?"
            as_user "$N" show 0x55 --json > json; echo "code $?"
            grep -c '"kind"' json
            """);
        Assert.Contains("\nsemaphore ", result.Succeeded, StringComparison.Ordinal);
        Assert.EndsWith("code 4\ncode 4\n2\n", result.Output, StringComparison.Ordinal);
        Assert.Contains("Cannot read the segment", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_segment_and_its_lock_are_shown_together_or_each_alone()
    {
        NativeIpcKey key = _names.Next(NativeIpcKeyType.PosixRealtime);
        using SharedMemory segment = SharedMemory.CreateNew(key, 100);
        using SharedMemoryLock held = segment.Lock(TestContext.Current.CancellationToken);
        string both = Nipc.Succeed("show", key.ToString());
        Assert.Contains($"segment     {key}", both, StringComparison.Ordinal);
        Assert.Contains($"semaphore   {key}", both, StringComparison.Ordinal);
        Assert.Contains($"            {Environment.ProcessId} ", both, StringComparison.Ordinal);
        string sem = Nipc.Succeed("show", key.ToString(), "-k", "sem");
        Assert.DoesNotContain("segment  ", sem, StringComparison.Ordinal);
        Assert.Equal("0", Field(sem, "value"));
        Assert.Equal("lock", Field(sem, "flags"));
    }

    [Theory]
    [InlineData("little")]
    [InlineData("big")]
    public void Fields_of_every_type_are_decoded(string endian)
    {
        NativeIpcKey key = _names.Next(NativeIpcKeyType.PosixRealtime);
        using SharedMemory segment = SharedMemory.CreateNew(key, 100);
        Span<byte> bytes = segment.Span;
        bool big = endian == "big";
        bytes[0] = 200;
        bytes[1] = 1;
        Put(bytes[2..4], -2);
        Put(bytes[4..8], -70_000);
        Put(bytes[8..16], -5_000_000_000);
        Put(bytes[16..20], BitConverter.SingleToInt32Bits(1.5f));
        Put(bytes[24..32], BitConverter.DoubleToInt64Bits(-0.25));
        "name\0rest"u8.CopyTo(bytes[32..]);
        Put(bytes[50..52], 7);
        Put(bytes[52..54], 8);
        const string layout = "u8 a@0, i8 b@0, bool c@1, i16 d@2, u16 e@2, i32 f@4, u32 g@4, i64 h@8, u64 i@0x8, f32 "
            + "j@16, f64 k@24, char[9] l@32, bytes[3] m@32, u16[2] n@50, u8 o, i32 p@98, f64 q@56";
        JsonElement shown = Nipc.Json("show", key.ToString(), "--json", "--endian", endian, "--struct",
            layout).GetProperty("objects")[0].GetProperty("fields");
        string[] values = [.. shown.EnumerateArray()
            .Select(field => field.TryGetProperty("value", out JsonElement value) ? value.ToString() : "none")];
        Assert.Equal(
            ["200", "-56", "True", "-2", "65534", "-70000", "4294897296", "-5000000000", "18446744068709551616", "1.5",
                "-0.25", "name", "6e616d", "[7,8]", "0", "none", "0"],
            values.Select(
                value => value.Replace("\n", "", StringComparison.Ordinal).Replace(" ", "", StringComparison.Ordinal)));
        Assert.Contains("behind the end", Field(Nipc.Succeed("show", key.ToString(), "--struct", "i32 p@98"), "p"),
            StringComparison.Ordinal);

        void Put(Span<byte> to, long value)
        {
            Span<byte> all = stackalloc byte[8];
            BinaryPrimitives.WriteInt64LittleEndian(all, value);
            all[..to.Length].CopyTo(to);
            if (big) to.Reverse();
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("int width@0")]
    [InlineData("i32")]
    [InlineData("i32 width@x")]
    [InlineData("bytes b@0")]
    [InlineData("char[0] c@0")]
    public void A_field_that_cannot_be_meant_is_a_usage_error(string layout)
    {
        NativeIpcKey key = _names.Next(NativeIpcKeyType.PosixRealtime);
        using SharedMemory segment = SharedMemory.CreateNew(key, 100);
        Nipc.Fail(2, "show", key.ToString(), "--struct", layout);
    }

    [Fact]
    public void What_is_not_there_is_not_found()
    {
        NativeIpcKey key = _names.Next(NativeIpcKeyType.PosixRealtime);
        Assert.Contains("nipc list", Nipc.Fail(3, "show", key.ToString()), StringComparison.Ordinal);
        Nipc.Fail(3, "show", "2147483647");
        Nipc.Fail(3, "show", "no key");
        Nipc.Fail(2, "show", "windows:x");
        using SharedMemory segment = SharedMemory.CreateNew(key, 100);
        Nipc.Fail(3, "show", key.ToString(), "--kind", "sem");
        Assert.Contains("terminal", Nipc.Fail(2, "show", key.ToString(), "--watch"), StringComparison.Ordinal);
    }

    private static string Field(string shown, string label)
        => Assert.Single(shown.Split('\n'),
            line => line.StartsWith(label.PadRight(12), StringComparison.Ordinal))[12..];

    private static string Number(int value) => value.ToString(CultureInfo.InvariantCulture);

    [NeedsRoot(Alone.Why)]
    [Fact]
    public void Options_for_the_bytes_of_an_empty_segment_are_refused()
    {
        Alone.Require();
        ShellResult result = Alone.Run("""
            touch /dev/shm/e; $N show posix:/e | head -n 1
            for o in '-n 5' '-o 0' '-n 5 --json'; do $N show posix:/e $o; echo $?; done
            $N show posix:/e -S 'u8 a'; echo $?
            printf a > /dev/shm/f; $N show -g 'posix:/*' -n 1 | grep -c '^00000000  61 '
            """);
        Assert.Equal("segment     posix:/e\n2\n2\n2\n2\n1\n", result.Output);
        Assert.Equal(4, Regex.Count(result.Error, "is for the bytes of a segment, and posix:/e is empty"));
    }

    [Theory]
    [InlineData("sem", "-n", "5")]
    [InlineData("sem", "-o", "3")]
    [InlineData("sem", "-S", "u8 a@0")]
    [InlineData("shm", "-o", "11")]
    [NeedsUnix("The objects of Windows do not outlive their process.")]
    public void Options_for_bytes_that_are_not_there_are_refused(string kind, params string[] options)
    {
        NativeIpcKey key = _names.Next(NativeIpcKeyType.PosixRealtime);
        Nipc.Succeed("create", kind, $"{key}", "10");
        Nipc.Fail(2, ["show", $"{key}", .. options]);
        Nipc.Fail(2, ["show", $"{key}", "--json", .. options]);
        Nipc.Succeed("rm", $"{key}");
    }
}
