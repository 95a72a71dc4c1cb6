using NativeIpc.Interop.Unix;
using NativeIpc.Victim;
using Xunit;

namespace NativeIpc.Machine;

/// <summary>What another user (nobody) plants in /dev/shm under the names of a segment, a semaphore and a lock: each
/// call of root and of a third user says what it found, nothing is touched, and nothing that a link leads to. The calls
/// run in another process, since one that goes wrong dies of SIGBUS.</summary>
[NeedsLinux("The files are where glibc on Linux keeps objects.")]
[NeedsRoot(Victims.WhyRoot)]
public sealed class PlantedPosixTests : IDisposable
{
    /// <summary>A semaphore of three permits, as glibc's sem_init(3) makes it.</summary>
    internal const string Semaphore = "0300000000000000800000000000000000000000000000000000000000000000";

    private const int EEXIST = 17;
    private const int EACCES = 13;
    private const int ELOOP = 40;
    private const int ThirdUser = 4711;

    private static readonly string[] s_segmentSteps = ["segment-create", "segment-create-or-open", "segment-open",
        "segment-read", "segment-try-open", "segment-remove"];
    private static readonly string[] s_semaphoreSteps = ["semaphore-create", "semaphore-create-or-open",
        "semaphore-reset", "semaphore-open", "semaphore-try-open", "semaphore-remove"];

    private readonly NativeIpcKey _key = TestRun.NewKey(Backend.Posix);
    private readonly NativeIpcKey _otherKey = TestRun.NewKey(Backend.Posix);
    private readonly string _target = Path.Combine(TestRun.Folder, TestRun.NewName());

    public PlantedPosixTests()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && Libraries.IsGlibc,
            "The files are where glibc on Linux keeps objects.");
        Victims.NeedRoot();
    }

    public static TheoryData<string, bool> Links => Twice("ln -s {target} {path}", "ln -s {target}.none {path}",
        "ln -s {segment} {path}", "ln -s {semaphore} {path}", "ln -s {path} {path}");

    public static TheoryData<string, bool> NoFiles => Twice("mkfifo -m 666 {path}", "mkdir -m 777 {path}");

    public static TheoryData<string, bool> WrongSizes => Twice(": > {path}", "head -c 31 /dev/zero > {path}",
        "head -c 33 /dev/zero > {path}", "truncate -s 4096 {path}", "truncate -s 1T {path}");

    public void Dispose()
    {
        foreach (string path in (string[])[TestRun.SegmentFile(_key), TestRun.SemaphoreFile(_key),
            TestRun.SegmentFile(_otherKey), TestRun.SemaphoreFile(_otherKey), _target, _target + ".none"])
        {
            if (Directory.Exists(path) && new FileInfo(path).LinkTarget is null) Directory.Delete(path);
            else File.Delete(path);
        }
    }

    [Theory]
    [MemberData(nameof(Links))]
    [MemberData(nameof(NoFiles))]
    public void What_is_no_segment_is_a_key_error(string plant, bool byRoot)
        => WithNothingTouched(plant, TestRun.SegmentFile(_key), () =>
    {
        bool isLink = plant.StartsWith("ln", StringComparison.Ordinal);
        foreach (Outcome outcome in Try(s_segmentSteps, "4096 timeout=20", byRoot))
            outcome.AssertSays(NativeIpcError.KeyError, _key, outcome.Operation!, isLink ? ELOOP : null);
    });

    [Theory]
    [MemberData(nameof(Links))]
    [MemberData(nameof(NoFiles))]
    [MemberData(nameof(WrongSizes))]
    public void What_is_no_semaphore_is_a_key_error(string plant, bool byRoot)
        => WithNothingTouched(plant, TestRun.SemaphoreFile(_key), () =>
    {
        bool isLink = plant.StartsWith("ln", StringComparison.Ordinal);
        foreach (Outcome outcome in Try(
            plant.StartsWith("ln", StringComparison.Ordinal)
                ? s_semaphoreSteps : s_semaphoreSteps[..^1], "1 timeout=20", byRoot))
        {
            // Looked at by name, once the name was taken
            bool isNew = isLink && outcome.Step.StartsWith("semaphore-create ", StringComparison.Ordinal);
            outcome.AssertSays(NativeIpcError.KeyError, _key, outcome.Operation!, isNew ? null : isLink ? ELOOP : null);
        }
    });

    [Theory]
    [MemberData(nameof(WrongSizes))]
    public void A_file_of_another_user_is_no_segment_to_trust(string plant, bool byRoot)
        => WithNothingTouched(plant, TestRun.SegmentFile(_key), () =>
    {
        bool isEmpty = plant.StartsWith(':');
        foreach (Outcome outcome in Try(s_segmentSteps[..^1], "8192 timeout=20", byRoot))
        {
            string step = outcome.Step.Split(' ')[0];
            if (step == "segment-create" || (isEmpty && step == "segment-create-or-open"))
                outcome.AssertSays(NativeIpcError.AlreadyExists, _key, "shm_open");
            else if (!isEmpty) outcome.AssertSays(NativeIpcError.PermissionDenied, _key, "owner check", EACCES);
            else if (step == "segment-try-open") Assert.Equal("missing", outcome.Did);
            else outcome.AssertSays(NativeIpcError.NotFound, _key, "shm_open", 0);
            if (outcome.Operation == "owner check")
                Assert.Contains($"user {Situation.NobodysId}", outcome.Message, StringComparison.Ordinal);
        }
    });

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_semaphore_of_another_user_is_not_trusted_and_keeps_its_count(bool byRoot)
        => WithNothingTouched("perl -e 'print pack q(H*), q({content})' > {path}", TestRun.SemaphoreFile(_key), () =>
        {
            foreach (Outcome outcome in Try(s_semaphoreSteps[..^1], "1", byRoot))
            {
                if (outcome.Step.StartsWith("semaphore-create ", StringComparison.Ordinal))
                    outcome.AssertSays(NativeIpcError.AlreadyExists, _key, "sem_open", EEXIST);
                else outcome.AssertSays(NativeIpcError.PermissionDenied, _key, "owner check", EACCES);
            }

            Assert.Equal(Semaphore, Convert.ToHexStringLower(File.ReadAllBytes(TestRun.SemaphoreFile(_key))));

            // Users who share say so.
            Victims.Run(byRoot ? Situation.Plain : Situation.As(ThirdUser), $"semaphore-open {_key} others=true",
                "semaphore-count").Did("opened", "3");
        });

    [Theory]
    [MemberData(nameof(Links))]
    [MemberData(nameof(NoFiles))]
    [MemberData(nameof(WrongSizes))]
    [InlineData("perl -e 'print pack q(H*), q({content})' > {path}", true)]
    [InlineData("perl -e 'print pack q(H*), q({content})' > {path}", false)]
    public void What_is_planted_as_the_lock_of_a_segment_is_refused_and_the_segment_goes_on(string plant, bool byRoot)
        => WithNothingTouched(plant, TestRun.SemaphoreFile(_key), () =>
    {
        VictimResult result = Victims.Run(byRoot ? Situation.Plain : Situation.As(ThirdUser),
            $"segment-create {_key} 4096 mode=600 removal=Keep", "segment-lock", "segment-fill", "dispose");
        Assert.Equal(("created 4096", "filled", "disposed"), (result[0].Did, result[2].Did, result[3].Did));
        bool isSemaphore = plant.StartsWith("perl", StringComparison.Ordinal);
        result[1].AssertSays(isSemaphore ? NativeIpcError.PermissionDenied : NativeIpcError.KeyError, _key,
            result[1].Operation!, isSemaphore ? EACCES : null);
        File.Delete(TestRun.SegmentFile(_key));
    });

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_planted_file_that_a_lease_keeps_from_being_opened_is_told_after_a_bounded_wait(bool isSegment)
    {
        string path = isSegment ? TestRun.SegmentFile(_key) : TestRun.SemaphoreFile(_key);
        _ = Shell.Run("sh",
            [.. (string[])["-c",
                $"umask 0; head -c 32 /dev/zero > {path}; chown {Situation.NobodysId} {path}"]]).Succeeded;
        using IDisposable attacker = Victims.Start(Situation.Nobody, $"lease {path}", "wait-for-ever");
        VictimResult result = Victims.Run(Situation.Plain,
            isSegment ? $"segment-open {_key}" : $"semaphore-open {_key}");
        result[0].AssertSays(NativeIpcError.LockError, _key, isSegment ? "shm_open" : "open", 11);
        Assert.Contains("lease", result[0].Message, StringComparison.Ordinal);
        // No need to open it for that
        Assert.True(isSegment ? SharedMemory.Remove(_key) : SystemSemaphore.Remove(_key));
        Assert.False(File.Exists(path));
    }

    [Theory]
    [InlineData("ln -s {target} {path}", null)]
    [InlineData("head -c 32 /dev/zero > {path}", "removed")]
    public void Root_may_remove_what_was_planted_and_what_it_leads_to_stays(string plant, string? did)
    {
        Plant(plant, TestRun.SegmentFile(_key));
        Plant(plant, TestRun.SemaphoreFile(_key));
        VictimResult third = Victims.Run(Situation.As(ThirdUser), $"segment-remove {_key}", $"semaphore-remove {_key}");
        foreach (Outcome outcome in third.Outcomes)
            outcome.AssertSays(did is null ? NativeIpcError.KeyError : NativeIpcError.PermissionDenied, _key,
                outcome.Operation!);
        VictimResult root = Victims.Run(Situation.Plain, $"semaphore-remove {_key}", $"segment-remove {_key}");
        foreach (Outcome outcome in root.Outcomes) Assert.Equal(did, outcome.Did);
        Assert.Equal("data", File.ReadAllText(_target));
    }

    private Outcome[] Try(string[] steps, string arguments, bool byRoot)
    {
        VictimResult result = Victims.Run(byRoot ? Situation.Plain : Situation.As(ThirdUser),
            [.. steps.Select(step => $"{step} {_key} {arguments}")]);
        Assert.Equal(steps.Length, result.Outcomes.Length);
        return result.Outcomes;
    }

    /// <summary>Plants as nobody, and asserts afterwards that the thing and everything it may lead to are as they
    /// were.</summary>
    private void WithNothingTouched(string plant, string path, Action attempts)
    {
        using SharedMemory segment = SharedMemory.CreateNew(_otherKey, 4096,
            new SharedMemoryOptions { UseLock = false });
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(_otherKey, 3);
        Plant(plant, path);
        string before = Seen();
        attempts();
        Assert.Equal(before, Seen());

        string Seen()
        {
            string[] files = [path, _target, TestRun.SegmentFile(_otherKey), TestRun.SemaphoreFile(_otherKey)];
            string statuses = Shell.Run("stat", ["-c", "%n %F %s %u %g %a %h %i %y %z", .. files]).Succeeded;
            Assert.False(Path.Exists(_target + ".none"));
            return statuses + File.ReadAllText(_target) + Convert.ToHexString(File.ReadAllBytes(files[2]))
                + Convert.ToHexString(File.ReadAllBytes(files[3]));
        }
    }

    private void Plant(string plant, string path)
    {
        File.WriteAllText(_target, "data");
        string command = plant.Replace("{path}", path, StringComparison.Ordinal).Replace("{target}", _target,
            StringComparison.Ordinal)
            .Replace("{segment}", TestRun.SegmentFile(_otherKey), StringComparison.Ordinal).Replace("{semaphore}",
                TestRun.SemaphoreFile(_otherKey), StringComparison.Ordinal)
            .Replace("{content}", Semaphore, StringComparison.Ordinal);
        string[] attacker = [.. Victims.AsUser(Situation.NobodysId), "sh", "-c", $"umask 0; {command}"];
        _ = Shell.Run(attacker[0], attacker[1..], "/").Succeeded;
    }

    /// <summary>Each for root and for a third user.</summary>
    private static TheoryData<string, bool> Twice(params string[] plants)
    {
        var data = new TheoryData<string, bool>();
        foreach (string plant in plants)
        {
            data.Add(plant, true);
            data.Add(plant, false);
        }

        return data;
    }
}
