using System.Globalization;
using NativeIpc.Testing;
using Xunit;

namespace NativeIpc.Conformance;

/// <summary>Dispose races with every use on other threads; run in a peer, since what goes wrong there would end the process.</summary>
/// <remarks>NATIVEIPC_STRESS_SECONDS is the time for all back ends together; 64 by default.</remarks>
public abstract class DisposeRaceTests<TProvider> : ConformanceTests<TProvider>
    where TProvider : Provider, new()
{
    private const int ShareOfTotal = 8; // four back ends on Unix, two kinds of objects

    private static int Milliseconds { get; } =
        (Environment.GetEnvironmentVariable("NATIVEIPC_STRESS_SECONDS") is { Length: > 0 } set ? int.Parse(set, CultureInfo.InvariantCulture) : 64) * 1000 / ShareOfTotal;

    [Theory]
    [InlineData("shm")]
    [InlineData("sem")]
    public void Uses_that_Dispose_interrupts_end_with_ObjectDisposedException_and_the_process_lives(string kind)
    {
        NativeIpcKey key = NextKey();
        Stress(kind, key, Milliseconds);
        if (Backend.OutlivesProcesses)
        {
            // The lock, or the semaphore that was drained, is as it was.
            using SystemSemaphore semaphore = SystemSemaphore.OpenExisting(kind == "shm" ? Provider.LockKey(key) : key);
            if (kind == "shm") Assert.True(semaphore.TryAcquire());
            Assert.False(semaphore.TryAcquire());
            if (kind == "shm") semaphore.Release();
        }
    }

    [BackendTheory(Needs.Leftovers)]
    [InlineData("shm")]
    [InlineData("sem")]
    public void Uses_under_which_Dispose_removes_the_object_leave_nothing(string kind)
    {
        NativeIpcKey key = NextKey();
        Stress($"{kind}-removed", key, Milliseconds / 4);
        Assert.False(Backend.AnythingExists(key));
    }

    private void Stress(string kind, NativeIpcKey key, int milliseconds)
    {
        PeerProcess peer = Peer();
        peer.Post(string.Create(CultureInfo.InvariantCulture, $"stress {kind} {key} {milliseconds}"));
        string answer = peer.Answer(TimeSpan.FromMilliseconds(milliseconds) + s_watchdog);
        TestContext.Current.TestOutputHelper?.WriteLine(answer);
        foreach (string count in answer.Split(' '))
        {
            string[] pair = count.Split('=');
            Assert.True(long.Parse(pair[1], CultureInfo.InvariantCulture) > 0, $"Nothing was done: {count} in {answer}");
        }
    }
}
