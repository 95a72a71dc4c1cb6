using NativeIpc.Interop.Unix;
using Xunit;

namespace NativeIpc.Machine;

/// <summary>A lock that nobody contends for takes no system call (System V: no other than semop), although its
/// replacement is noticed.</summary>
/// <remarks>Shown by seccomp(2): the thread is killed at any other call. Compiled at once, so that no part of it is
/// compiled anew meanwhile.</remarks>
[NeedsLinux("Uses seccomp, and the word of glibc's semaphores.")]
public sealed class SilentLockTests
{
    private const int SIGSYS = 31;

    private static readonly Situation s_compiledAtOnce = new()
        { Environment = new() { ["DOTNET_TieredCompilation"] = "0" } };

    public SilentLockTests() => Assert.SkipUnless(OperatingSystem.IsLinux() && Libraries.IsGlibc,
        "Uses seccomp, and the word of glibc's semaphores.");

    [Theory]
    [InlineData(Backend.Posix)]
    [InlineData(Backend.SystemV)]
    public void An_uncontended_lock_makes_no_system_call_to_look_whether_it_was_replaced(Backend backend)
    {
        NativeIpcKey key = TestRun.NewKey(backend);
        VictimResult result = Victims.Run(s_compiledAtOnce, $"segment-create {key} 4096", "segment-lock-silently 1000");
        Assert.True(result.ExitCode == 0, $"It ended with {result.ExitCode}. {result.Error}");
        result.Did("created 4096", "silent");
    }

    [Fact]
    public void A_system_call_would_show()
    {
        NativeIpcKey key = TestRun.NewKey(Backend.Posix);
        VictimResult result = Victims.Run(s_compiledAtOnce, $"segment-create {key} 4096", "segment-verify-silently");
        Assert.Equal((128 + SIGSYS, "created 4096", 1), (result.ExitCode, result[0].Did, result.Outcomes.Length));
        Assert.True(SharedMemory.Remove(key));
    }
}
