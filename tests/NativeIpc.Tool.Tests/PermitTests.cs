using System.Text.Json;
using Xunit;

namespace NativeIpc.Tool.Tests;

/// <summary><c>acquire</c>, <c>release</c> and <c>value</c>.</summary>
public class PermitTests : OneType
{
    private static readonly SystemSemaphoreOptions s_options = new() { Undo = SystemVUndoPolicy.None };

    [Theory]
    [MemberData(nameof(Types))]
    public void A_permit_stays_taken_when_the_tool_has_ended(string type)
    {
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(NewKey(type), 2, s_options);
        Nipc.Succeed("acquire", $"{semaphore.Key}");
        Assert.True(semaphore.TryAcquire());
        Assert.False(semaphore.TryAcquire());
        Nipc.Succeed("release", $"{semaphore.Key}", "--count", "3");
        for (int i = 0; i < 3; i++) Assert.True(semaphore.TryAcquire());
        Assert.False(semaphore.TryAcquire());
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void When_the_time_is_up_the_exit_code_is_1_and_nothing_is_taken(string type)
    {
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(NewKey(type), 2, s_options);
        Assert.Contains("0.05 s", Nipc.Fail(1, "acquire", $"{semaphore.Key}", "--count", "3", "--timeout", "50ms"),
            StringComparison.Ordinal);
        Nipc.Fail(1, "acquire", $"{semaphore.Key}", "-n", "3", "-w", "0");
        Assert.True(semaphore.TryAcquire() && semaphore.TryAcquire());
        Assert.False(semaphore.TryAcquire());
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void A_waiting_tool_gets_what_another_process_releases(string type)
    {
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(NewKey(type), 0, s_options);
        using var waiting = new RunningNipc("acquire", $"{semaphore.Key}", "--count", "2", "--timeout", "1m");
        semaphore.Release(2);
        Assert.Equal(0, waiting.WaitForEnd());
        Assert.False(semaphore.TryAcquire());
    }

    [Theory]
    [MemberData(nameof(Types))]
    [NeedsUnix("No signals are sent on Windows.")]
    public void Ctrl_C_ends_a_wait_and_gives_back_what_was_taken(string type)
    {
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(NewKey(type), 1, s_options);
        using var waiting = new RunningNipc("acquire", $"{semaphore.Key}", "--count", "2");

        // Several at once is one step on System V, so that what shows the wait there is the handler of the signal
        // itself.
        if (type == "posix")
            Watch.Until(() => semaphore.TryGetCurrentCount(out int count) && count == 0, waiting.Process);
        else Watch.Until(() => Watch.Catches(waiting.Process.Id, PeerProcess.SIGINT), waiting.Process);
        waiting.Signal(PeerProcess.SIGINT);
        Assert.Equal(130, waiting.WaitForEnd());
        Assert.True(semaphore.TryAcquire());
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void The_value_is_printed_where_the_system_tells_it(string type)
    {
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(NewKey(type), 5, s_options);
        if (!semaphore.TryGetCurrentCount(out _))
        {
            Nipc.Fail(6, "value", $"{semaphore.Key}");
            return;
        }

        Assert.Equal("5", Nipc.Succeed("value", $"{semaphore.Key}"));
        JsonElement json = Nipc.Json("value", $"{semaphore.Key}", "--json");
        Assert.Equal(5, json.GetProperty("value").GetInt32());
        Assert.Equal($"{semaphore.Key}", json.GetProperty("key").GetString());
    }

    [Theory]
    [InlineData(3, "value", "posix:/nipc-none")]
    [InlineData(3, "acquire", "posix:/nipc-none")]
    [InlineData(3, "release", "posix:/nipc-none")]
    [InlineData(3, "run", "--sem", "posix:/nipc-none", "--", "true")]
    [InlineData(2, "value", "windows:x")]
    [InlineData(2, "acquire", "posix:/nipc-none", "--count", "0")]
    [InlineData(2, "acquire", "posix:/nipc-none", "--timeout", "soon")]
    [InlineData(2, "acquire", "posix:/nipc-none", "--timeout", "99999h")]
    [InlineData(2, "release", "posix:/nipc-none", "-n", "x")]
    [InlineData(2, "run", "--sem", "posix:/nipc-none")]
    [InlineData(2, "run", "--", "true")]
    [InlineData(2, "run", "--sem", "posix:/nipc-none", "--robust", "-n", "2", "--", "true")]
    [InlineData(2, "run", "--sem", "posix:/nipc-none", "--create", "-3", "--", "true")]
    [NeedsUnix("The keys are those of Unix.")]
    public void Failures_have_their_exit_codes(int code, params string[] arguments)
    {
        Nipc.Fail(code, arguments);
    }
}
