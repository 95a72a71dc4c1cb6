using System.Globalization;
using Xunit;

namespace NativeIpc.Conformance;

/// <summary>Set, Reset, cancellation, time-outs and Dispose against each other: nothing is lost, and nothing is there
/// twice. NATIVEIPC_EVENT_RACES says how often (1,000,000 for the whole proof).</summary>
public abstract class EventRaceTests<TProvider> : ConformanceTests<TProvider>
    where TProvider : Provider, new()
{
    private const int Waiters = 4;

    private static int Races { get; } =
        Environment.GetEnvironmentVariable("NATIVEIPC_EVENT_RACES") is { Length: > 0 } given
            ? int.Parse(given, CultureInfo.InvariantCulture) : Sample.Of(100_000, 5_000);

    private int Count => OperatingSystem.IsWindows() || Backend.IsSystemV ? Math.Max(Races / 20, 50) : Races;

    /// <summary>Waits once, in a way that often ends before it is free; true when it was freed.</summary>
    private static async Task<bool> WaitSomehowAsync(SystemEvent opened, int turn)
    {
        try
        {
            switch (turn % 6)
            {
                case 0:
                    return opened.Wait(TimeSpan.FromTicks(turn % 997));
                case 1:
                    using (var source = new CancellationTokenSource(TimeSpan.FromMilliseconds(turn % 2)))
                    {
                        opened.Wait(source.Token);
                        return true;
                    }

                case 2:
                    return await opened.WaitAsync(TimeSpan.FromMilliseconds(turn % 2)).ConfigureAwait(false);
                case 3:
                    using (var source = new CancellationTokenSource())
                    {
                        Task waiting = opened.WaitAsync(source.Token).AsTask();
                        Thread.SpinWait(turn % 500);
                        await source.CancelAsync().ConfigureAwait(false);
                        await waiting.ConfigureAwait(false);
                        return true;
                    }

                case 4:
                    return opened.Wait(TimeSpan.Zero);
                default:
                    return opened.Wait(TimeSpan.FromMilliseconds(20));
            }
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    [Fact]
    public void No_Set_is_lost_or_taken_twice_by_waits_that_give_up()
    {
        NativeIpcKey key = NextKey();
        using SystemEvent opened = SystemEvent.CreateNew(key, EventResetMode.AutoReset);
        using SystemEvent another = SystemEvent.OpenExisting(key);
        int taken = 0;
        bool isOver = false;
        Task[] waiters = [.. Enumerable.Range(0, Waiters).Select(number => Start(() =>
        {
            for (int turn = number; !Volatile.Read(ref isOver); turn += 7)
            {
                if (WaitSomehowAsync(number % 2 == 0 ? opened : another, turn).GetAwaiter().GetResult())
                    Interlocked.Increment(ref taken);
            }
        }))];
        int sets = 0;
        try
        {
            while (sets < Count)
            {
                opened.Set();
                sets++;

                // Lost: nobody ever takes it. Twice: more are taken than were set.
                int wanted = sets;
                Assert.True(SpinWait.SpinUntil(() => Volatile.Read(ref taken) >= wanted, s_watchdog),
                    $"Set {sets} was lost.");
                Assert.Equal(sets, Volatile.Read(ref taken));
            }
        }
        finally
        {
            Volatile.Write(ref isOver, true);
            Finish(waiters);
        }

        Assert.Equal(sets, taken);
        Assert.False(opened.Wait(TimeSpan.Zero));
    }

    [Fact]
    public void Resets_between_make_no_more_and_the_last_Set_stays()
    {
        NativeIpcKey key = NextKey();
        using SystemEvent opened = SystemEvent.CreateNew(key, EventResetMode.AutoReset);
        int taken = 0, sets = 0;
        bool isOver = false;
        Task[] waiters = [.. Enumerable.Range(0, Waiters).Select(number => Start(() =>
        {
            for (int turn = number; !Volatile.Read(ref isOver); turn += 7)
            {
                if (WaitSomehowAsync(opened, turn).GetAwaiter().GetResult()) Interlocked.Increment(ref taken);
            }
        }))];
        try
        {
            Task[] setters = [.. Enumerable.Range(0, 2).Select(number => Start(() =>
            {
                for (int i = 0; i < Count / 2; i++)
                {
                    Interlocked.Increment(ref sets);
                    opened.Set();
                    if ((i + number) % 3 == 0) opened.Reset();
                }
            }))];
            Finish(setters);
        }
        finally
        {
            Volatile.Write(ref isOver, true);
            Finish(waiters);
        }

        Assert.InRange(taken, 0, sets);
        opened.Reset();
        Assert.False(opened.Wait(TimeSpan.Zero));
        opened.Set();
        Assert.True(opened.Wait(TimeSpan.Zero));
        Assert.False(opened.Wait(TimeSpan.Zero));
    }

    [Fact]
    public async Task Set_and_Reset_at_once_free_everyone_who_waited_and_the_others_give_up()
    {
        NativeIpcKey key = NextKey();
        using SystemEvent opened = SystemEvent.CreateNew(key, EventResetMode.ManualReset);
        int rounds = Math.Max(Count / 10, 20);
        for (int round = 0; round < rounds; round++)
        {
            using var source = new CancellationTokenSource();
            Task[] staying = [opened.WaitAsync(Cancellation).AsTask(), opened.WaitAsync(Cancellation).AsTask(),
                opened.WaitAsync(s_watchdog, Cancellation).AsTask()];
            Task leaving = opened.WaitAsync(source.Token).AsTask();
            Task cancelling = Task.Run(source.Cancel, Cancellation);
            Thread.SpinWait(round % 300);
            opened.Set();
            if (!OperatingSystem.IsWindows()) opened.Reset();
            await Task.WhenAll(staying).WaitAsync(s_watchdog, Cancellation);
            opened.Reset();
            await cancelling;
            await Task.WhenAny(leaving).WaitAsync(s_watchdog, Cancellation);
            Assert.True(leaving.IsCompletedSuccessfully || leaving.IsCanceled);
            Assert.False(opened.Wait(TimeSpan.Zero));
        }
    }

    [Theory]
    [InlineData(EventResetMode.AutoReset)]
    [InlineData(EventResetMode.ManualReset)]
    public void Dispose_against_everything_else_gives_nothing_but_ObjectDisposedException(EventResetMode mode)
    {
        NativeIpcKey key = NextKey();
        using SystemEvent holder = SystemEvent.CreateNew(key, mode);
        int rounds = Math.Max(Count / 200, 10);
        for (int round = 0; round < rounds; round++)
        {
            SystemEvent opened = SystemEvent.OpenExisting(key);
            for (int i = 0; i < 20; i++) opened.Set();
            opened.Reset();
            Task[] users = [.. Enumerable.Range(0, 3).Select(number => Start(() =>
            {
                try
                {
                    for (int turn = number; ; turn++)
                    {
                        switch (turn % 3)
                        {
                            case 0: opened.Set(); break;
                            case 1: _ = WaitSomehowAsync(opened, turn).GetAwaiter().GetResult(); break;
                            default: opened.Reset(); break;
                        }
                    }
                }
                catch (ObjectDisposedException)
                {
                    // The end that is expected.
                }
            }))];
            Thread.SpinWait(round * 100 % 5000);
            opened.Dispose();
            Finish(users);
        }

        holder.Set();
        Assert.True(holder.Wait(TimeSpan.Zero));
    }
}
