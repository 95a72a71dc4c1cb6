using System.Globalization;
using System.Text.Json;
using Xunit;

namespace NativeIpc.Tool.Tests;

/// <summary>What becomes of the permit of <c>nipc run</c> on a POSIX semaphore when the supervisor is killed: it is the
/// command's as long as that lives, and is given back once afterwards.</summary>
[NeedsLinux("Permits are recorded on Linux.")]
[Collection("doctor --fix")]
public sealed class LostPermitTests : OneType
{
    private const string Waiting = "echo $$; read line";

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void When_supervisor_and_command_were_killed_doctor_finds_the_permits_and_gives_them_back(int permits)
    {
        NativeIpcKey key = Make(3);
        KillAll(key, permits);
        Assert.Equal(3 - permits, CountByC(key));
        Assert.Equal(permits, LostBy(key));
        JsonElement lost = Single(Doctor(1), key, "LostPermit");
        Assert.Equal("error", lost.GetProperty("severity").GetString());
        Assert.Equal("nipc doctor --fix", lost.GetProperty("command").GetString());
        Assert.Contains(permits == 1 ? "has lost a permit: the process that took it was killed"
            : "has lost 3 permits: the process that took them was killed", lost.GetProperty("summary").GetString(),
            StringComparison.Ordinal);
        Assert.Equal(3 - permits, CountByC(key)); // found, and nothing changed
        Assert.True(Single(Doctor(null, "--fix"), key, "LostPermit").GetProperty("fixed").GetBoolean());
        Assert.Equal("3", Nipc.Succeed("value", $"{key}"));
        Assert.Equal(3, CountByC(key));
        Assert.Empty(Of(Doctor(null, "--fix"), key, "LostPermit"));
        Assert.Equal("3", Nipc.Succeed("value", $"{key}"));
    }

    [Fact]
    public void A_lock_of_a_segment_is_mended_as_well()
    {
        NativeIpcKey key = Make(1);
        Nipc.Succeed("create", "shm", $"{key}", "10");
        KillAll(key, 1);
        Assert.True(Single(Doctor(null, "--fix"), key, "LostPermit").GetProperty("fixed").GetBoolean());
        Nipc.Succeed("write", $"{key}", "--text", "x", "--lock", "--timeout", "30");
    }

    // A script uses small descriptors without asking what they are.
    [Theory]
    [InlineData("")]
    [InlineData("exec 3<&- 4<&- 5<&- 6<&- 7<&- 8<&- 9<&-; ")]
    public void While_the_command_lives_its_permit_is_in_use_and_afterwards_the_next_one_gets_it(string script)
    {
        NativeIpcKey key = Make(1);
        using var run = new RunningNipc("run", "--sem", $"{key}", "--", "sh", "-c", script + Waiting);
        int command = int.Parse(run.ReadLine(), CultureInfo.InvariantCulture);
        run.Signal(PeerProcess.SIGKILL);
        run.WaitForEnd();
        Assert.True(Watch.Lives(command));
        Assert.Empty(Of(Doctor(null, "--fix"), key, "LostPermit"));
        Nipc.Fail(1, "run", "--sem", $"{key}", "--timeout", "1", "--", "echo", "mine");
        Nipc.Fail(1, "acquire", $"{key}", "--timeout", "0");
        Assert.Equal(0, CountByC(key));

        // One that waits already gets it when the command ends.
        using var next = new RunningNipc("run", "--sem", $"{key}", "--", "echo", "mine");
        RunningNipc.Kill(command, PeerProcess.SIGKILL);
        Assert.Equal("mine", next.ReadLine());
        Assert.Equal(0, next.WaitForEnd());
        Assert.Equal(1, CountByC(key));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Acquire_that_waits_gets_the_permits_of_a_holder_that_is_killed_meanwhile(int permits)
    {
        NativeIpcKey key = Make(2);
        string count = permits.ToString(CultureInfo.InvariantCulture);
        using var run = new RunningNipc("run", "--sem", $"{key}", "--count", "2", "--", "sh", "-c", Waiting);
        int command = int.Parse(run.ReadLine(), CultureInfo.InvariantCulture);
        using var waiting = new RunningNipc("acquire", $"{key}", "--count", count);
        using var bounded = new RunningNipc("acquire", $"{key}", "--count", count, "--timeout", "0.1");
        Assert.Equal(1, bounded.WaitForEnd()); // as long as it lives, its permits are in use
        Watch.Until(() => Waiters(key) > 0, waiting.Process);
        run.Signal(PeerProcess.SIGKILL);
        run.WaitForEnd();
        RunningNipc.Kill(command, PeerProcess.SIGKILL);
        Assert.Equal(0, waiting.WaitForEnd());
        Assert.Equal(2 - permits, CountByC(key));
        Assert.Empty(Of(Doctor(null, "--fix"), key, "LostPermit")); // those of acquire were taken on purpose
    }

    [Fact]
    public void Acquire_gets_what_a_killed_supervisor_lost()
    {
        NativeIpcKey key = Make(1);
        KillAll(key, 1);
        Nipc.Succeed("acquire", $"{key}", "--timeout", "0");
        Assert.Equal("0", Nipc.Succeed("value", $"{key}"));
        Assert.Empty(Of(Doctor(null, "--fix"), key, "LostPermit")); // this one was taken on purpose
        Nipc.Succeed("release", $"{key}");
        Assert.Equal("1", Nipc.Succeed("value", $"{key}"));
    }

    [Fact]
    public void Doctors_at_the_same_time_give_each_permit_back_once()
    {
        NativeIpcKey key = Make(4);
        KillAll(key, 2);
        KillAll(key, 1);
        RunningNipc[] doctors = [.. Enumerable.Range(0, 4).Select(_ => new RunningNipc("doctor", "--fix", "--json"))];
        foreach (RunningNipc doctor in doctors)
        {
            doctor.Process.StandardOutput.ReadToEnd();
            doctor.WaitForEnd();
            doctor.Dispose();
        }

        Assert.Equal(4, CountByC(key));
    }

    [Fact]
    public void What_the_command_left_running_keeps_a_lost_permit_in_use_and_a_command_that_ends_well_does_not()
    {
        NativeIpcKey key = Make(1);
        string leaves = "sleep 1000 < /dev/null > /dev/null 2>&1 & echo $!; ";

        // The supervisor lives: it gives back when the command ends, whatever that leaves behind.
        int left = int.Parse(Nipc.Succeed("run", "--sem", $"{key}", "--", "sh", "-c", leaves),
            CultureInfo.InvariantCulture);
        Assert.Equal("1", Nipc.Succeed("value", $"{key}"));
        RunningNipc.Kill(left, PeerProcess.SIGKILL);

        using var run = new RunningNipc("run", "--sem", $"{key}", "--", "sh", "-c", leaves + Waiting);
        left = int.Parse(run.ReadLine(), CultureInfo.InvariantCulture);
        int command = int.Parse(run.ReadLine(), CultureInfo.InvariantCulture);
        run.Signal(PeerProcess.SIGKILL);
        run.WaitForEnd();
        RunningNipc.Kill(command, PeerProcess.SIGKILL);
        Watch.Until(() => !Watch.Lives(command));
        Assert.Empty(Of(Doctor(null, "--fix"), key, "LostPermit"));
        RunningNipc.Kill(left, PeerProcess.SIGKILL);
        Watch.Until(() => !Watch.Lives(left));
        Assert.True(Single(Doctor(null, "--fix"), key, "LostPermit").GetProperty("fixed").GetBoolean());
        Assert.Equal("1", Nipc.Succeed("value", $"{key}"));
    }

    [Fact]
    public void A_supervisor_that_is_killed_while_it_waits_has_lost_nothing()
    {
        NativeIpcKey key = Make(1);
        // Has one, and waits for the other
        using var run = new RunningNipc("run", "--sem", $"{key}", "--count", "2", "--", "true");
        Watch.Until(() => CountByC(key) == 0, run.Process);
        Assert.Empty(Of(Doctor(null, "--fix"), key, "LostPermit"));
        run.Signal(PeerProcess.SIGKILL);
        run.WaitForEnd();
        Assert.True(Single(Doctor(null, "--fix"), key, "LostPermit").GetProperty("fixed").GetBoolean());
        Assert.Equal(1, CountByC(key));
    }

    [Fact]
    public void A_semaphore_that_is_made_anew_under_the_name_has_lost_nothing()
    {
        NativeIpcKey key = Make(2);
        KillAll(key, 1);
        Nipc.Succeed("rm", $"{key}");
        Nipc.Succeed("create", "sem", $"{key}", "1");
        Assert.Empty(Of(Doctor(null, "--fix"), key, "LostPermit"));
        Assert.Equal(1, CountByC(key));
    }

    [Fact]
    [NeedsRoot("A PID namespace of its own needs root.")]
    public void Supervisor_and_command_may_be_of_another_PID_namespace()
    {
        NativeIpcKey key = Make(1);
        Assert.SkipUnless(Shell.Run("unshare", ["--pid", "--fork", "true"]).ExitCode == 0,
            "This container makes no PID namespaces.");

        // Its first process is the supervisor, so that killing it ends everything in there.
        using var run = new RunningNipc("unshare",
            ["--pid", "--fork", "--kill-child", "--mount-proc", Nipc.Program, "run", "--sem", $"{key}", "--", "sh",
                "-c", Waiting]);
        run.ReadLine();
        Assert.Empty(Of(Doctor(null, "--fix"), key, "LostPermit"));
        Assert.Equal(0, CountByC(key));
        run.Signal(PeerProcess.SIGKILL);
        run.WaitForEnd();
        Watch.Until(() => LostBy(key) == 1); // its processes end a moment later
        Assert.True(Single(Doctor(null, "--fix"), key, "LostPermit").GetProperty("fixed").GetBoolean());
        Assert.Equal(1, CountByC(key));
    }

    [Fact]
    public void A_permit_that_nobody_recorded_may_be_taken_on_purpose_and_is_named_only()
    {
        Assert.SkipUnless(Watch.SeesAllProcesses, "Not all processes of this machine may be looked at, even by root.");
        NativeIpcKey key = Make(1);
        Nipc.Succeed("acquire", $"{key}");
        JsonElement named = Single(Doctor(null, "--fix"), key, "Unused");
        Assert.Equal("information", named.GetProperty("severity").GetString());
        Assert.StartsWith($"If a holder was killed, give its permit back: nipc release '{key}'.",
            named.GetProperty("remedy").GetString(), StringComparison.Ordinal);
        Assert.Equal("0", Nipc.Succeed("value", $"{key}"));
    }

    private NativeIpcKey Make(int permits)
    {
        NativeIpcKey key = NewKey("posix");
        Nipc.Succeed("create", "sem", $"{key}", permits.ToString(CultureInfo.InvariantCulture));
        return key;
    }

    /// <summary>A run that is killed together with its command.</summary>
    private static void KillAll(in NativeIpcKey key, int permits)
    {
        using var run = new RunningNipc("run", "--sem", $"{key}", "--count",
            permits.ToString(CultureInfo.InvariantCulture), "--", "sh", "-c", Waiting);
        int command = int.Parse(run.ReadLine(), CultureInfo.InvariantCulture);
        Assert.NotEqual(run.Process.Id, command);
        run.Process.Kill(entireProcessTree: true);
        run.WaitForEnd();
        Watch.Until(() => !Watch.Lives(command));
    }

    private static readonly Lazy<string> s_counter = new(() =>
    {
        string folder = Directory.CreateTempSubdirectory("nipc-c").FullName, source = Path.Combine(folder, "count.c"),
            program = Path.Combine(folder, "count");
        File.WriteAllText(source, """
            #include <fcntl.h>
            #include <semaphore.h>
            #include <stdio.h>
            int main(int count, char **words)
            {
                sem_t *semaphore = sem_open(words[count - 1], 0);
                int value;
                if (semaphore == SEM_FAILED || sem_getvalue(semaphore, &value) != 0) return 1;
                printf("%d\n", value);
                return 0;
            }
            """);
        _ = Shell.Run(Peers.Require("gcc", "gcc"), ["-Wall", "-Werror", "-pthread", "-o", program, source]).Succeeded;
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Directory.Delete(folder, recursive: true);
        return program;
    });

    /// <summary>The count as a C program sees it.</summary>
    private static int CountByC(in NativeIpcKey key)
        => int.Parse(Shell.Run(s_counter.Value, [key.NativeKey]).Succeeded, CultureInfo.InvariantCulture);

    /// <summary>How many wait, as the C library counts: in the upper half of the word, below this library's
    /// marks.</summary>
    private static int Waiters(in NativeIpcKey key)
        => (int)(BitConverter.ToUInt64(File.ReadAllBytes($"/dev/shm/sem.{key.NativeKey[1..]}")) >> 32) & 0x7FFFFF;

    /// <summary>How many permits <c>show</c> calls lost; 0 where it says nothing.</summary>
    private static int LostBy(in NativeIpcKey key)
        => Nipc.Json("show", $"{key}", "-k", "sem", "--json").GetProperty("objects")[0].TryGetProperty("lostPermits",
            out JsonElement lost) ? lost.GetInt32() : 0;

    private static JsonElement[] Doctor(int? exitCode, params string[] options)
    {
        ShellResult result = Nipc.Run(["doctor", "--json", .. options]);
        if (exitCode is { } code) Assert.Equal(code, result.ExitCode);
        else Assert.InRange(result.ExitCode, 0, 1);
        using JsonDocument document = JsonDocument.Parse(result.Output);
        return [.. document.RootElement.GetProperty("findings").EnumerateArray().Select(finding => finding.Clone())];
    }

    private static JsonElement[] Of(JsonElement[] findings, NativeIpcKey key, string kind)
        => [
            .. findings.Where(finding => finding.GetProperty("finding").GetString() == Nipc.Word(kind)
                && finding.TryGetProperty("object", out JsonElement found) && found.ValueKind == JsonValueKind.Object
            && found.TryGetProperty("key", out JsonElement text) && text.GetString() == key.ToString())];

    private static JsonElement Single(JsonElement[] findings, in NativeIpcKey key, string kind)
        => Assert.Single(Of(findings, key, kind));
}
