using System.Text.Json;
using Xunit;

namespace NativeIpc.Tool.Tests;

/// <summary><c>nipc doctor</c> on Linux. Findings about objects of other tests may stand beside its own.</summary>
[Collection("doctor --fix")] // which mends what other tests have broken
[NeedsLinux("Objects are listed on Linux.")]
public sealed class DoctorTests : IDisposable
{
    private readonly TestNames _names = new();

    public void Dispose() => _names.Dispose();

    [Fact]
    public void A_file_that_is_no_semaphore_is_told_and_stays_until_it_is_removed_by_its_name()
    {
        NativeIpcKey key = _names.Next(NativeIpcKeyType.PosixRealtime);
        string broken = $"/dev/shm/sem.{key.NativeKey[1..]}";
        File.WriteAllText(broken, "abc");
        Nipc.Succeed("create", "shm", key.ToString(), "100");
        string said = Run(1).Output;
        Assert.Contains($"warning  The semaphore {key} has a file of 3 bytes", said, StringComparison.Ordinal);
        Assert.Contains($"$ nipc rm -k sem {key}", said, StringComparison.Ordinal);
        Assert.DoesNotContain("$ rm ", said, StringComparison.Ordinal);
        Assert.DoesNotContain("ipcrm", said, StringComparison.Ordinal);
        Assert.DoesNotContain('\u001b', said);

        JsonElement[] findings = Findings("--fix");
        JsonElement stays = Assert.Single(findings,
            finding => Of(finding, key) && finding.GetProperty("finding").GetString() == "wrong-size");
        Assert.False(stays.GetProperty("safeToFix").GetBoolean());
        Assert.True(File.Exists(broken));
        foreach (JsonElement unused in findings.Where(
            finding => Of(finding, key) && finding.GetProperty("finding").GetString() == "unused"))
            Assert.False(unused.GetProperty("safeToFix").GetBoolean());
        Nipc.Succeed("rm", "-k", "sem", key.ToString());
        Assert.False(File.Exists(broken));
        Assert.True(File.Exists("/dev/shm" + key.NativeKey));
    }

    [Fact]
    public void A_semaphore_of_C_with_count_0_beside_a_segment_of_its_name_is_no_lost_lock()
    {
        NativeIpcKey key = _names.Next(NativeIpcKeyType.PosixRealtime);
        Nipc.Succeed("create", "shm", key.ToString(), "100");
        Nipc.Succeed("create", "sem", key.ToString(), "0"); // as sem_open(name, O_CREAT, 0600, 0) leaves it
        Assert.DoesNotContain(Findings("--fix"), finding => Of(finding, key)
            && (finding.GetProperty("finding").GetString() == "lost-permit"
                || finding.GetProperty("severity").GetString() != "information"));
        Assert.True(File.Exists($"/dev/shm/sem.{key.NativeKey[1..]}"));
    }

    [Fact]
    public void The_lock_of_a_killed_holder_with_our_record_is_given_back_and_nothing_is_removed()
    {
        NativeIpcKey key = _names.Next(NativeIpcKeyType.PosixRealtime);
        Nipc.Succeed("create", "shm", key.ToString(), "1M");
        using (var holder = new RunningNipc("read", key.ToString(), "--lock")) // into a pipe that nobody reads
        {
            Watch.Until(() => Nipc.Run("value", key.ToString()).Output == "0\n", holder.Process);
            holder.Signal(9);
            holder.WaitForEnd();
        }

        JsonElement lost = Assert.Single(Findings("--fix"),
            finding => Of(finding, key) && finding.GetProperty("finding").GetString() == "lost-permit");
        Assert.Equal(("error", true), (lost.GetProperty("severity").GetString(),
            lost.GetProperty("fixed").GetBoolean()));
        Assert.Equal("1", Nipc.Succeed("value", key.ToString()));
        using SharedMemory segment = SharedMemory.OpenExisting(key);
        Assert.True(segment.TryLock(out SharedMemoryLock held));
        Assert.True(held.WasAbandoned); // the next one of ours is told all the same
        held.Dispose();
    }

    [Theory]
    [InlineData("app.lck", "")] // flock 9 9>/dev/shm/app.lck
    [InlineData("sem.half", "")]
    [InlineData("sem.u32", "0123456789abcdef")] // of a 32-bit program
    public void A_file_that_may_be_as_it_should_be_is_no_warning(string name, string bytes)
    {
        string start = name.StartsWith("sem.", StringComparison.Ordinal) ? "sem." : "";
        string file = _names.TrackPath($"/dev/shm/{start}{TestNames.NextName()}{name}");
        File.WriteAllText(file, bytes);
        foreach (FileStream? open in (FileStream?[])[File.OpenRead(file), null]) // in use, and not
        {
            Assert.DoesNotContain(Findings("--fix"), finding => finding.TryGetProperty("object", out JsonElement about)
                && about.GetProperty("nativeName").GetString() == Path.GetFileName(file)
                && finding.GetProperty("severity").GetString() != "information");
            Assert.True(File.Exists(file));
            open?.Dispose();
        }
    }

    [Theory]
    [InlineData(2, "semop($s, pack('s3', 1, -1, 0))")] // it waits for member 1
    [InlineData(1, "<STDIN>")] // an event, at rest
    public void A_set_of_a_living_program_is_never_removed(int members, string use)
    {
        string made = $"semget(0, {members}, 01600)";
        using var peer = new RunningNipc("perl",
            ["-e", $"$| = 1; $s = {made}; print \"$s\\n\"; print {use} ? \"ok\\n\" : \"$!\\n\""]);
        string id = peer.ReadLine();
        try
        {
            Assert.DoesNotContain(Findings("--fix"), finding => finding.TryGetProperty("object", out JsonElement about)
                && about.TryGetProperty("id", out JsonElement number) && $"{number.GetInt32()}" == id
                && about.GetProperty("kind").GetString() == "sem"
                && (finding.GetProperty("safeToFix").GetBoolean()
                    || finding.GetProperty("severity").GetString() != "information"));
            if (use == "<STDIN>") peer.Process.StandardInput.WriteLine();
            else Shell.Run("perl", ["-e", $"semop({id}, pack('s3', 1, 1, 0))"]);
            Assert.Equal("ok", peer.ReadLine());
        }
        finally
        {
            Shell.Run("ipcrm", ["-s", id]);
        }
    }

    [Fact]
    [NeedsRoot("Namespaces of its own need root.")]
    public void A_machine_without_faults_is_well()
    {
        ShellResult result = Shell.Run("unshare",
            ["-im", "--propagation", "private", "sh", "-c",
                "mount -t tmpfs -o mode=1777 tmpfs /dev/shm && exec \"$0\" doctor", Nipc.Program]);
        Assert.Contains("0 errors, 0 warnings", result.Succeeded, StringComparison.Ordinal);
        Assert.Contains("IPC namespace of its own", result.Output, StringComparison.Ordinal);
    }

    private static JsonElement[] Findings(params string[] options)
    {
        ShellResult result = Nipc.Run(["doctor", "--json", .. options]);
        Assert.True(result.ExitCode is 0 or 1, result.Error);
        using JsonDocument document = JsonDocument.Parse(result.Output);
        return [.. document.RootElement.GetProperty("findings").EnumerateArray().Select(finding => finding.Clone())];
    }

    private static ShellResult Run(int exitCode, params string[] options)
    {
        ShellResult result = Nipc.Run(["doctor", "--all", .. options]);
        Assert.Equal(exitCode, result.ExitCode);
        return result;
    }

    private static bool Of(JsonElement finding, NativeIpcKey key)
        => finding.TryGetProperty("object", out JsonElement about) && about.TryGetProperty("key", out JsonElement text)
            && text.GetString() == key.ToString();
}
