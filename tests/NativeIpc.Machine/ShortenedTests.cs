using NativeIpc.Interop.Unix;
using Xunit;

namespace NativeIpc.Machine;

/// <summary>A peer that was let in shortens the file of an object: what copies says so, and what touches the missing
/// memory ends the process.</summary>
[NeedsLinux("The files are where glibc on Linux keeps objects.")]
[NeedsRoot(Victims.WhyRoot)]
public sealed class ShortenedTests : IDisposable
{
    private const int SIGBUS = 7;
    private const int SIGABRT = 6;

    private readonly NativeIpcKey _key = TestRun.NewKey(Backend.Posix);

    public ShortenedTests()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && Libraries.IsGlibc,
            "The files are where glibc on Linux keeps objects.");
        Victims.NeedRoot();
    }

    public void Dispose()
    {
        File.Delete(TestRun.SegmentFile(_key));
        File.Delete(TestRun.SemaphoreFile(_key));
    }

    private static string Shorten(string path, int size)
        => $"run {string.Join(' ', Victims.AsUser(Situation.NobodysId))} truncate -s {size} {path}";

    [Theory]
    [InlineData(100)]
    [InlineData(0)]
    public void Calls_that_copy_say_invalid_size_and_the_process_lives(int size)
    {
        VictimResult result = Victims.Run(Situation.Plain,
            $"segment-create {_key} 8192 mode=666 removal=Keep", "segment-verify",
            Shorten(TestRun.SegmentFile(_key), size),
            "segment-verify", "segment-copy-out", "segment-copy-in", "segment-stream", "dispose");
        Assert.Equal(("created 8192", "8192", "ran", "disposed", 0),
            (result[0].Did, result[1].Did, result[2].Did, result[7].Did, result.ExitCode));
        for (int i = 3; i < 7; i++) result[i].AssertSays(NativeIpcError.InvalidSize, _key, "statx", 0);
        Assert.Equal(size, new FileInfo(TestRun.SegmentFile(_key)).Length); // nothing was written behind its end
    }

    [Theory]
    [InlineData("segment-touch 8000")]
    [InlineData("segment-fill")]
    public void A_span_that_touches_what_is_missing_ends_the_process(string touch)
    {
        VictimResult result = Victims.Run(Situation.Plain,
            $"segment-create {_key} 8192 mode=666 removal=Keep", "segment-touch 8000",
            Shorten(TestRun.SegmentFile(_key), 0), touch, "dispose");
        Assert.Equal(["created 8192", "0", "ran"], result.Outcomes.Select(outcome => outcome.Did));

        // The runtime may make an abort of it.
        Assert.Contains(result.ExitCode, (int[])[128 + SIGBUS, 128 + SIGABRT]);
    }

    [Fact]
    public void A_semaphore_that_a_user_who_was_let_in_shortens_ends_the_process_at_its_next_use()
    {
        VictimResult result = Victims.Run(Situation.Plain,
            $"semaphore-create {_key} 1 mode=666 removal=Keep", Shorten(TestRun.SemaphoreFile(_key), 0),
            "semaphore-acquire", "dispose");
        Assert.Equal(["created", "ran"], result.Outcomes.Select(outcome => outcome.Did));
        Assert.Contains(result.ExitCode, (int[])[128 + SIGBUS, 128 + SIGABRT]);
    }

    [Fact]
    public void Who_may_not_write_cannot_shorten()
    {
        VictimResult result = Victims.Run(Situation.Plain,
            $"segment-create {_key} 8192 mode=644 removal=Keep", $"semaphore-create {_key} 1 mode=644 removal=Keep",
            Shorten(TestRun.SegmentFile(_key), 0), Shorten(TestRun.SemaphoreFile(_key), 0), "segment-verify",
            "semaphore-acquire");
        Assert.Equal(("InvalidOperationException", "InvalidOperationException"),
            (result[2].Exception, result[3].Exception));
        Assert.Equal(("8192", "acquired"), (result[4].Did, result[5].Did));
    }
}
