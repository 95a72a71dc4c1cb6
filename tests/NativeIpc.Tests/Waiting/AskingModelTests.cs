using Xunit;

namespace NativeIpc.Tests.Waiting;

/// <summary>
/// The protocol by which handles ask one another to step aside (SteppingAside, LockAttendant), small enough to try
/// each order of its steps: a foreign holder, two handles that wait and may ask, one that is idle. Each may
/// be killed; one may be stopped and go on.
/// </summary>
/// <remarks>What is modelled: the request in the page, who has the file open, and the lease, which the kernel gives
/// to the process that has it open alone. What is not: times, which AskPacing decides, and the exchange of the
/// pages.</remarks>
public class AskingModelTests
{
    private const int Handles = 3;
    private const int Askers = 2;
    private const int Nobody = 3;

    private enum Place : byte
    {
        Here,
        Asking,
        Aside,
        Stopped,
        StoppedAside,
        StoppedAsking,
        Dead,
    }

    /// <summary>All that matters, in one value.</summary>
    private readonly record struct State(
        bool IsHolderAlive, bool IsFree, byte Request, Place First, Place Second, Place Idle)
    {
        public Place this[int handle] => handle == 0 ? First : handle == 1 ? Second : Idle;

        public State With(int handle, Place place) => handle switch
        {
            0 => this with { First = place },
            1 => this with { Second = place },
            _ => this with { Idle = place },
        };

        public bool IsAnyAside => IsAside(First) || IsAside(Second) || IsAside(Idle);

        private static bool IsAside(Place place) => place is Place.Aside or Place.StoppedAside;

        public State WithoutRequestOf(int handle) => Request == handle ? this with { Request = Nobody } : this;
    }

    [Fact]
    public void Only_a_dead_holders_lock_is_freed_and_a_dead_holders_lock_is_freed_in_the_end_in_every_order_of_steps()
    {
        var start = new State(IsHolderAlive: true, IsFree: false, Nobody, Place.Here, Place.Here, Place.Here);
        var next = new Dictionary<State, List<State>>();
        var open = new Stack<State>([start]);
        while (open.TryPop(out State state))
        {
            if (next.ContainsKey(state)) continue;
            next[state] = [.. Steps(state, isFriendly: false)];
            foreach (State other in next[state]) open.Push(other);
        }

        Assert.InRange(next.Count, 500, 100_000);
        Assert.DoesNotContain(next.Keys, static state => state.IsFree && state.IsHolderAlive);

        // From every state in which the holder is dead and one that may ask lives, nobody dies any more, and the
        // stopped ones go on: there is a way to the end.
        foreach (State state in next.Keys)
        {
            if (state.IsHolderAlive || state.IsFree || state is { First: Place.Dead, Second: Place.Dead }) continue;
            Assert.True(Reaches(state, static end => end.IsFree), $"Never freed: {state}");
        }

        // Nobody is aside for ever behind a holder that lives.
        foreach (State state in next.Keys)
        {
            if (!state.IsHolderAlive) continue;
            Assert.True(Reaches(state, static end => !end.IsAnyAside), $"Aside for ever: {state}");
        }
    }

    [Fact]
    public void While_one_is_stopped_where_it_has_the_file_open_nothing_is_freed()
    {
        var seen = new HashSet<State>();
        var start = new State(IsHolderAlive: false, IsFree: false, Nobody, Place.Here, Place.Here, Place.Stopped);
        var open = new Stack<State>([start]);
        while (open.TryPop(out State state))
        {
            if (!seen.Add(state)) continue;
            Assert.False(state.IsFree);
            foreach (State other in Steps(state, isFriendly: false))
            {
                if (other.Idle == Place.Stopped) open.Push(other);
            }
        }
    }

    private static bool Reaches(State from, Func<State, bool> isEnd)
    {
        var seen = new HashSet<State>();
        var open = new Stack<State>([from]);
        while (open.TryPop(out State state))
        {
            if (isEnd(state)) return true;
            if (!seen.Add(state)) continue;
            foreach (State other in Steps(state, isFriendly: true)) open.Push(other);
        }

        return false;
    }

    /// <summary>Every next state. A friendly world kills and stops nobody.</summary>
    private static IEnumerable<State> Steps(State state, bool isFriendly)
    {
        if (state.IsHolderAlive && !isFriendly) yield return state with { IsHolderAlive = false };
        // its time has passed
        bool isLeft = state.Request != Nobody && state[state.Request] is not Place.Asking;
        if (isLeft) yield return state with { Request = Nobody };
        for (int i = 0; i < Handles; i++)
        {
            Place place = state[i];
            if (place != Place.Dead && !isFriendly) yield return state.With(i, Place.Dead);
            switch (place)
            {
                case Place.Here:
                    if (!isFriendly) yield return state.With(i, Place.Stopped);
                    if (state.IsFree) break;
                    State asks = state.With(i, Place.Asking) with { Request = (byte)i };
                    if (i < Askers && state.Request == Nobody) yield return asks;
                    if (state.Request != Nobody && state.Request != i) yield return state.With(i, Place.Aside);
                    break;
                case Place.Asking:
                    if (!isFriendly) yield return state.With(i, Place.StoppedAsking);
                    State over = state.WithoutRequestOf(i).With(i, Place.Here);
                    if (IsAlone(state, i)) yield return over with { IsFree = true };
                    yield return over; // it has brought nothing
                    break;
                case Place.Aside:
                    if (!isFriendly) yield return state.With(i, Place.StoppedAside);
                    yield return state.With(i, Place.Here); // called back, or its time has passed
                    break;
                case Place.Stopped:
                    yield return state.With(i, Place.Here);
                    break;
                case Place.StoppedAside:
                    yield return state.With(i, Place.Aside);
                    break;
                case Place.StoppedAsking:
                    yield return state.With(i, Place.Asking);
                    break;
            }
        }
    }

    /// <summary>Whether the kernel gives the lease: whoever lives and is not aside has the file open, the holder
    /// too.</summary>
    private static bool IsAlone(State state, int asker)
    {
        if (state.IsHolderAlive) return false;
        for (int i = 0; i < Handles; i++)
        {
            if (i != asker && state[i] is not (Place.Dead or Place.Aside or Place.StoppedAside)) return false;
        }

        return true;
    }
}
