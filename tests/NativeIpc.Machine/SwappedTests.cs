using NativeIpc.Interop.Unix;
using Xunit;

namespace NativeIpc.Machine;

/// <summary>
/// Another process swaps what stands under a name as fast as it can: a good file, an empty, a short and a huge one, a
/// symbolic link, a FIFO. A victim opens, uses and closes it all the while: each time it works or says why not, it
/// never dies (a file that was swapped between being looked at and being mapped would end it by SIGBUS), and nothing
/// outside is touched.
/// </summary>
/// <remarks>The whole length: NATIVEIPC_SWAP_ROUNDS=100000.</remarks>
[NeedsLinux("The files are where glibc on Linux keeps objects.")]
[NeedsRoot(Victims.WhyRoot)]
public sealed class SwappedTests : IDisposable
{
    private const string SegmentOfOnePage = "2a";

    private static readonly string s_rounds =
        Environment.GetEnvironmentVariable("NATIVEIPC_SWAP_ROUNDS") is { Length: > 0 } given
            ? given : $"{Sample.Of(3000, 1000)}";

    private readonly string _target = Path.Combine(TestRun.Folder, TestRun.NewName());
    private readonly List<string> _swapped = [];

    public SwappedTests()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && Libraries.IsGlibc,
            "The files are where glibc on Linux keeps objects.");
        Victims.NeedRoot();
    }

    /// <summary>Who attacks whom.</summary>
    public enum Attacker
    {
        /// <summary>A process of root attacks root: what the names lead to is trusted.</summary>
        SameUser,

        /// <summary>Nobody attacks root.</summary>
        OtherUser,

        /// <summary>Nobody attacks root, which lets other users in.</summary>
        OtherUserLetIn,
    }

    public static TheoryData<Attacker> Attackers => [.. Enum.GetValues<Attacker>()];

    public void Dispose()
    {
        foreach (string path in _swapped)
        {
            foreach (string file in Directory.EnumerateFileSystemEntries(Path.GetDirectoryName(path)!,
                Path.GetFileName(path) + "*"))
                File.Delete(file);
        }

        File.Delete(_target);
    }

    [Theory]
    [MemberData(nameof(Attackers))]
    public void The_file_of_a_semaphore(Attacker attacker)
    {
        NativeIpcKey key = TestRun.NewKey(Backend.Posix);
        AssertClear(key, TestRun.SemaphoreFile(key), PlantedPosixTests.Semaphore, attacker, "semaphore-meet",
            "KeyError,AlreadyExists");
    }

    [Theory]
    [MemberData(nameof(Attackers))]
    public void The_file_of_a_robust_semaphore(Attacker attacker)
    {
        NativeIpcKey key = TestRun.NewKey(Backend.Posix);
        string ofOnePermit = "01" + PlantedPosixTests.Semaphore[2..];
        AssertClear(key, TestRun.SemaphoreFile(key), ofOnePermit, attacker, "semaphore-meet",
            "KeyError,AlreadyExists", "robust");
    }

    [Theory]
    [MemberData(nameof(Attackers))]
    public void The_file_of_a_segment(Attacker attacker)
    {
        NativeIpcKey key = TestRun.NewKey(Backend.Posix);
        string page = string.Concat(Enumerable.Repeat(SegmentOfOnePage, 4096));

        // A victim of the same user recovers the empty file, and it is empty no more.
        AssertClear(key, TestRun.SegmentFile(key), page, attacker, "segment-meet",
            attacker == Attacker.SameUser ? "KeyError,AlreadyExists" : "KeyError,AlreadyExists,NotFound");
    }

    [Theory]
    [MemberData(nameof(Attackers))]
    public void The_file_of_the_lock_of_a_segment(Attacker attacker)
    {
        NativeIpcKey key = TestRun.NewKey(Backend.Posix);
        using SharedMemory segment = SharedMemory.CreateNew(key, 4096, new SharedMemoryOptions { UseLock = false });
        AssertClear(key, TestRun.SemaphoreFile(key), PlantedPosixTests.Semaphore, attacker, "lock-meet", "KeyError");
    }

    [Theory]
    [MemberData(nameof(Attackers))]
    public void The_key_file_of_a_System_V_segment(Attacker attacker)
    {
        NativeIpcKey key = TestRun.NewKey(Backend.SystemV);
        AssertClear(key, key.NativeKey, "-", attacker, "segment-meet", "");
    }

    [Theory]
    [MemberData(nameof(Attackers))]
    public void The_key_file_of_a_System_V_semaphore(Attacker attacker)
    {
        NativeIpcKey key = TestRun.NewKey(Backend.SystemV);
        AssertClear(key, key.NativeKey, "-", attacker, "semaphore-meet", "");
    }

    private void AssertClear(NativeIpcKey key, string path, string content, Attacker attacker, string step, string sees,
        string option = "")
    {
        // What the link leads to would do as an object, if it were followed.
        byte[] target = content == "-" ? [] : Convert.FromHexString(content);
        File.WriteAllBytes(_target, target);
        File.SetUnixFileMode(_target, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        string before = Seen();
        _swapped.Add(path);
        string wanted = string.Join(',',
            sees.Split(',', StringSplitOptions.RemoveEmptyEntries)
                .Append(attacker == Attacker.OtherUser ? "PermissionDenied" : "ok"));
        VictimResult result;
        using (Victims.Start(attacker == Attacker.SameUser ? Situation.Plain : Situation.Nobody,
            $"swap {path} {_target} {content}", "wait-for-ever"))
        {
            result = Victims.Run(Situation.Plain,
                $"{step} {key} {s_rounds} {wanted} {option} {(attacker == Attacker.OtherUserLetIn ? "others" : "")}");
        }

        Assert.True(result.ExitCode == 0 && result[0].Did is not null,
            $"The victim ended with {result.ExitCode}: {result.Outcomes.FirstOrDefault()} {result.Error}");
        TestContext.Current.TestOutputHelper?.WriteLine(result[0].Did!);
        Dictionary<string, string[]> seen = result[0].Did!.Split('\n').Select(line => line.Split('|', 4))
            .ToDictionary(parts => parts[0]);
        foreach (string kind in wanted.Split(','))
            Assert.True(seen.ContainsKey(kind), $"{kind} was not seen: {result[0].Did}");
        if (attacker == Attacker.OtherUser) Assert.DoesNotContain("ok", seen.Keys);
        // The name is there all the time
        if (attacker != Attacker.SameUser && step == "semaphore-meet" && content != "-")
            Assert.DoesNotContain("NotFound", seen.Keys);
        foreach ((string kind, string[] parts) in seen.Where(pair => pair.Key != "ok"))
        {
            NativeIpcError error = Enum.Parse<NativeIpcError>(kind);
            Assert.NotEqual(NativeIpcError.Unknown, error);
            Assert.Contains(key.ToString()!, parts[3], StringComparison.Ordinal);
            Assert.Contains(parts[2], parts[3], StringComparison.Ordinal);
            Assert.EndsWith(".", parts[3], StringComparison.Ordinal);
        }

        Assert.Equal(before, Seen());

        string Seen() => Shell.Run("stat", ["-c", "%F %s %u %g %a %h %i %y %z", _target]).Succeeded
            + Convert.ToHexString(File.ReadAllBytes(_target));
    }
}
