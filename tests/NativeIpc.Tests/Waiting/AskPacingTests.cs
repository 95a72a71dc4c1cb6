using NativeIpc.Posix.Recovery;
using NativeIpc.Posix.Words;
using Xunit;

namespace NativeIpc.Tests.Waiting;

/// <summary>When a waiter asks whether an unknown holder is dead, on a clock of the test.</summary>
public class AskPacingTests
{
    private const int LookEvery = 50;
    private const int Minute = 60_000;

    [Fact]
    public void A_wait_asks_as_soon_as_it_has_lasted_for_a_moment()
    {
        var pacing = new AskPacing();
        Assert.False(pacing.Look(1000));
        Assert.False(pacing.Look(1000 + AskPacing.First - 1));
        Assert.True(pacing.Look(1000 + AskPacing.First));
    }

    [Fact]
    public void The_next_wait_begins_anew()
    {
        AskPacing pacing = Asked(at: 1000, AskPacing.Outcome.OthersHaveItOpen);
        pacing.End();
        Assert.False(pacing.Look(9000));
        Assert.True(pacing.Look(9000 + AskPacing.First));
    }

    [Fact]
    public void While_a_waiter_sleeps_a_close_of_the_file_is_a_reason_to_ask_at_once()
    {
        AskPacing pacing = Asked(at: 1000, AskPacing.Outcome.OthersHaveItOpen);
        Assert.False(pacing.Look(1300));
        Assert.True(pacing.Hint(1301));
        Assert.True(pacing.Look(1301));
        Assert.Equal(AskPacing.Shortest, pacing.Gap);
    }

    [Fact]
    public void A_close_that_nobody_waits_for_is_none()
    {
        var pacing = new AskPacing();
        Assert.False(pacing.Hint(1000));
        pacing.Look(1000);
        pacing.End();
        Assert.False(pacing.Hint(1001));
        pacing.Look(1002);
        Assert.False(pacing.Hint(Minute));
    }

    [Fact]
    public void When_not_all_of_ours_have_stepped_aside_it_asks_again_soon()
    {
        AskPacing pacing = Asked(at: 1000, AskPacing.Outcome.Unknown);
        Assert.True(pacing.Look(1000 + (2 * AskPacing.Shortest)));
        Assert.True(pacing.Gap <= 2 * AskPacing.Shortest);
    }

    [Fact]
    public void When_all_have_stepped_aside_it_asks_again_after_the_longest_time()
    {
        AskPacing pacing = Asked(at: 1000, AskPacing.Outcome.OthersHaveItOpen);
        Assert.False(pacing.Look(1000 + AskPacing.Longest - 1));
        Assert.True(pacing.Look(1000 + AskPacing.Longest));
    }

    [Theory]
    [InlineData(0, true, 0)]
    [InlineData(10, true, 8)]
    [InlineData(300, true, 8)]
    [InlineData(0, false, 8)]
    [InlineData(10, false, 12)]
    public void A_holder_that_keeps_the_lock_for_minutes_costs_one_request_a_second_whatever_others_do(
        int closeEvery, bool isKnown, int more)
    {
        var pacing = new AskPacing();
        int requests = 0;
        long lastEnd = -Minute;
        for (long now = 0; now < 5 * Minute; now++)
        {
            if (closeEvery > 0 && now % closeEvery == 0) pacing.Hint(now);
            bool isDue = now % LookEvery == 0 ? pacing.Look(now) : now >= pacing.NextAt && now > AskPacing.First;
            if (!isDue) continue;
            pacing.Asking(now);
            if (now - lastEnd < pacing.Gap)
            {
                pacing.Refused(now, lastEnd);
                continue;
            }

            requests++;
            pacing.Failed(now, OutcomeOf(isKnown));
            lastEnd = now;
        }

        Assert.InRange(requests, 290, 300 + more);
    }

    [Fact]
    public void A_close_after_a_quiet_time_is_heeded_at_once_again()
    {
        var pacing = new AskPacing();
        pacing.Look(0);
        for (long now = 0; now < Minute; now += 100)
        {
            pacing.Look(now);
            pacing.Hint(now);
            pacing.Failed(now, AskPacing.Outcome.OthersHaveItOpen);
        }

        Assert.True(pacing.Hint(Minute));
        Assert.Equal(AskPacing.Longest, pacing.Gap);
        pacing.Failed(Minute, AskPacing.Outcome.OthersHaveItOpen);
        pacing.Look(Minute + 2500);
        Assert.True(pacing.Hint(Minute + 2500));
        Assert.Equal(AskPacing.Shortest, pacing.Gap);
    }

    /// <summary>Every order of eight events, at three paces: after each one it asks again within the longest time,
    /// and never sooner after the last request than the shortest.</summary>
    [Fact]
    public void Whatever_happens_in_whatever_order_the_next_request_is_neither_lost_nor_too_soon()
    {
        const int events = 6;
        const int length = 8;
        int[] paces = [1, 60, 1100];
        int orders = (int)Math.Pow(events, length);
        foreach (int pace in paces)
        {
            for (int order = 0; order < orders; order++)
            {
                var pacing = new AskPacing();
                long now = 10_000;
                long lastEnd = now - 1;
                pacing.Look(now);
                int rest = order;
                for (int i = 0; i < length; i++, rest /= events, now += pace)
                {
                    bool isAllowed = now - lastEnd >= pacing.Gap;
                    switch (rest % events)
                    {
                        case 0:
                            pacing.Look(now);
                            break;
                        case 1:
                            pacing.Hint(now);
                            break;
                        case 2 or 3 when pacing.Look(now):
                            pacing.Asking(now);
                            if (isAllowed) pacing.Failed(lastEnd = now, OutcomeOf(rest % events == 2));
                            else pacing.Refused(now, lastEnd);
                            break;
                        case 4:
                            pacing.Joined(now + HolderSlots.LongestRequest);
                            break;
                        case 5:
                            pacing.End();
                            pacing.Look(now);
                            break;
                    }

                    long next = pacing.NextAt - now;
                    if (next > AskPacing.Longest || pacing.Gap is < AskPacing.Shortest or > AskPacing.Longest)
                        Assert.Fail($"Order {order}, pace {pace}, event {i}: next in {next}, gap {pacing.Gap}.");
                }
            }
        }
    }

    private static AskPacing Asked(long at, AskPacing.Outcome outcome)
    {
        var pacing = new AskPacing();
        pacing.Look(at - AskPacing.First);
        Assert.True(pacing.Look(at));
        pacing.Asking(at);
        pacing.Failed(at, outcome);
        return pacing;
    }

    private static AskPacing.Outcome OutcomeOf(bool isKnown)
        => isKnown ? AskPacing.Outcome.OthersHaveItOpen : AskPacing.Outcome.Unknown;
}
