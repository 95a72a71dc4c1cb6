using System.Text.Json;
using NativeIpc.Testing;
using Xunit;

namespace NativeIpc.Tool.Tests;

/// <summary><c>nipc doctor</c> on Linux. Findings about objects of other tests may stand beside its own.</summary>
public sealed class DoctorTests : IDisposable
{
    private readonly TestNames _names = new();

    public DoctorTests() => Assert.SkipUnless(OperatingSystem.IsLinux(), "Objects are listed on Linux.");

    public void Dispose() => _names.Dispose();

    [Fact]
    public void A_broken_semaphore_file_is_found_and_mended_and_an_unused_segment_stays()
    {
        NativeIpcKey key = _names.Next(NativeIpcKeyType.PosixRealtime);
        string broken = $"/dev/shm/sem.{key.NativeKey[1..]}";
        File.WriteAllText(broken, "abc");
        Nipc.Succeed("create", "shm", key.ToString(), "100");
        string said = Run(1).Output;
        Assert.Contains($"error    The semaphore {key} has a file of 3 bytes", said, StringComparison.Ordinal);
        Assert.Contains($"$ rm {broken}", said, StringComparison.Ordinal);
        Assert.Contains("nipc doctor --fix", said, StringComparison.Ordinal);
        Assert.DoesNotContain('\u001b', said);

        JsonElement[] findings = Findings("--fix");
        JsonElement mended = Assert.Single(findings, finding => Of(finding, key) && finding.GetProperty("finding").GetString() == "wrong-size");
        Assert.True(mended.GetProperty("fixed").GetBoolean());
        Assert.False(File.Exists(broken));
        JsonElement stale = Assert.Single(findings, finding => Of(finding, key) && finding.GetProperty("finding").GetString() == "stale");
        Assert.False(stale.GetProperty("safeToFix").GetBoolean());
        Assert.True(File.Exists("/dev/shm" + key.NativeKey));
    }

    [Fact]
    public void The_lock_that_a_killed_foreign_holder_left_taken_is_an_error_that_can_be_mended()
    {
        NativeIpcKey key = _names.Next(NativeIpcKeyType.PosixRealtime);
        Nipc.Succeed("create", "shm", key.ToString(), "100");
        Nipc.Succeed("create", "sem", key.ToString(), "0");
        JsonElement lost = Assert.Single(Findings("--fix"), finding => Of(finding, key) && finding.GetProperty("finding").GetString() == "lost-permit");
        Assert.Equal("error", lost.GetProperty("severity").GetString());
        Assert.True(lost.GetProperty("fixed").GetBoolean());
        using SharedMemory segment = SharedMemory.OpenExisting(key);
        Assert.True(segment.TryLock(out SharedMemoryLock held));
        held.Dispose();
    }

    [Fact]
    public void A_machine_without_faults_is_well()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "Namespaces of its own need root.");
        ShellResult result = Shell.Run("unshare", ["-im", "--propagation", "private", "sh", "-c", "mount -t tmpfs -o mode=1777 tmpfs /dev/shm && exec \"$0\" doctor", Nipc.Program]);
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

    private static bool Of(JsonElement finding, NativeIpcKey key) => finding.TryGetProperty("object", out JsonElement about) && about.TryGetProperty("key", out JsonElement text) && text.GetString() == key.ToString();
}
