using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Linux;
using NativeIpc.Posix.Words;

namespace NativeIpc.Posix.Recovery;

/// <summary>
/// Has the handles of this process step aside when another handle, here or in another process, wants to know whether
/// only this library has a lock open (<see cref="SteppingAside"/>), and asks the others for a handle of its own. On
/// the thread of <see cref="FileWatch"/>.
/// </summary>
/// <remarks>A handle is watched once it has been open for a while: a watch costs as much as opening and closing. Until
/// then it does not hear a request; the handle that asks then asks again. The gate is never held while a handle's gate
/// is taken.</remarks>
internal static class LockAttendant
{
    private const int MillisecondsBeforeWatching = 100;

    private const string Missed =
        "a lock that a killed Qt or C program holds will not be freed while several processes of this library have it "
            + "open";

    private static readonly Lock s_gate = new();
    private static readonly HashSet<SteppingAside> s_unwatched = MakeSet();
    private static readonly HashSet<SteppingAside> s_watched = MakeSet();
    private static readonly HashSet<SteppingAside> s_away = MakeSet();
    private static readonly HashSet<SteppingAside> s_asking = MakeSet();
    private static readonly Func<int> s_round = Round;
    private static bool s_rests = true;

    // To find the usual comparer of a type, .NET makes it by reflection.
    private static HashSet<SteppingAside> MakeSet() => new(ReferenceEqualityComparer.Instance);

    /// <summary>Takes a handle into its care.</summary>
    public static void Add(SteppingAside handle)
    {
        handle.Listener = new Listener(handle);
        lock (s_gate) s_unwatched.Add(handle);
        Call();
    }

    /// <summary>Ends its care for a handle. Before the handle's descriptor is closed, so that no watch is put on
    /// another file that gets its number.</summary>
    public static void Forget(SteppingAside handle)
    {
        lock (s_gate)
        {
            if (s_watched.Remove(handle) && handle.Watch != -1) FileWatch.Remove(handle.Watch, handle.Listener!);
            s_unwatched.Remove(handle);
            s_away.Remove(handle);
            s_asking.Remove(handle);
        }
    }

    /// <summary>Asks the others to step aside, and frees the lock if that proves that nobody can hold it. Returns at
    /// once.</summary>
    public static void Ask(SteppingAside handle)
    {
        lock (s_gate)
        {
            // A handle that is not known any more is being closed.
            if ((!s_watched.Contains(handle) && !s_unwatched.Contains(handle)) || !s_asking.Add(handle)) return;
        }

        Call();
    }

    private static void Call()
    {
        using var reports = HeldReports.Begin();
        lock (s_gate)
        {
            if (!s_rests) return;
            s_rests = !FileWatch.Poke(s_round, Missed);
        }
    }

    private sealed class Listener(SteppingAside handle) : IFileListener
    {
        /// <summary>Something was done to the file: a request, the end of one, or nothing that matters.</summary>
        public void FileChanged()
        {
            // R1 Race: a request and its end arrive as one event. Safe because: the look finds no request, and nobody
            // is aside for it.
            if (!handle.TryReturn()) return; // the next round tries again
            handle.StepAsideIfAsked();
            Note(handle);
        }

        public void FileClosed()
        {
            if (handle.TryHint()) Ask(handle);
        }
    }

    private static void Note(SteppingAside handle)
    {
        bool isAway;
        lock (handle.Gate) isAway = handle.IsAway;
        lock (s_gate)
        {
            if (!isAway) s_away.Remove(handle);
            else if (s_watched.Contains(handle) || s_unwatched.Contains(handle)) s_away.Add(handle);
        }
    }

    /// <summary>What is due.</summary>
    /// <returns>When the next round is, in milliseconds; -1 when it is called.</returns>
    private static int Round()
    {
        Watch();
        if (Copy(s_asking) is { } asking)
        {
            foreach (SteppingAside handle in asking) Proceed(handle);
        }

        bool isAnyLate = Copy(s_away) is { } away && Return(away);
        lock (s_gate)
        {
            s_rests = s_asking.Count == 0 && s_away.Count == 0 && s_unwatched.Count == 0;
            if (s_rests) return -1;
            if (s_asking.Count > 0 || isAnyLate) return 1;
            return s_away.Count > 0 ? HolderSlots.LongestRequest / 10 : MillisecondsToNextWatch();
        }
    }

    private static bool Return(SteppingAside[] away)
    {
        bool isAnyLate = false;
        foreach (SteppingAside handle in away)
        {
            if (Environment.TickCount64 < handle.ReturnBy) continue;
            isAnyLate |= !handle.TryReturn() && handle.ReturnBy <= Environment.TickCount64;
            Note(handle);
        }

        return isAnyLate;
    }

    private static int MillisecondsToNextWatch()
    {
        long oldest = long.MaxValue;
        foreach (SteppingAside handle in s_unwatched) oldest = Math.Min(oldest, handle.OpenedAt);
        long rest = oldest + MillisecondsBeforeWatching - Environment.TickCount64;
        return (int)Math.Clamp(rest, 1, MillisecondsBeforeWatching);
    }

    private static SteppingAside[]? Copy(HashSet<SteppingAside> handles)
    {
        lock (s_gate)
        {
            if (handles.Count == 0) return null;
            var copy = new SteppingAside[handles.Count];
            handles.CopyTo(copy);
            return copy;
        }
    }

    private static void Watch()
    {
        long old = Environment.TickCount64 - MillisecondsBeforeWatching;
        if (Copy(s_unwatched) is not { } unwatched) return;
        foreach (SteppingAside handle in unwatched)
        {
            if (handle.OpenedAt <= old) BeginToWatch(handle);
        }
    }

    private static void BeginToWatch(SteppingAside handle)
    {
        using var reports = HeldReports.Begin();
        lock (s_gate)
        {
            if (!s_unwatched.Remove(handle)) return;

            // With the gate, so that the descriptor is not another file's by now; of a descriptor the kernel looks no
            // path up, so this does not wait.
            handle.Watch = FileWatch.Add(handle.OpenedPath, handle.Listener!, Missed);
            s_watched.Add(handle);
        }

        // R2 Race: a request comes before the watch. Safe because: this look comes after it.
        handle.StepAsideIfAsked();
        Note(handle);
    }

    private static void Proceed(SteppingAside handle)
    {
        if (!handle.IsAsking)
        {
            BeginToWatch(handle); // to hear of a closing, too
            if (!handle.TryAsk())
            {
                lock (s_gate) s_asking.Remove(handle);
                return;
            }

            foreach (SteppingAside other in OthersOf(handle))
            {
                other.StepAside();
                Note(other);
            }

            handle.Tell();
        }

        if (!handle.TryEndAsking()) return;
        lock (s_gate) s_asking.Remove(handle);
        foreach (SteppingAside other in OthersOf(handle))
        {
            other.TryReturn();
            Note(other);
        }
    }

    private static List<SteppingAside> OthersOf(SteppingAside handle)
    {
        List<SteppingAside> others = OpenOnes(handle.Identity);
        others.Remove(handle);
        return others;
    }

    /// <summary>The handles of this process that have a lock open.</summary>
    internal static List<SteppingAside> OpenOnes(FileIdentity identity)
    {
        var open = new List<SteppingAside>();
        lock (s_gate)
        {
            foreach (SteppingAside handle in s_watched) AddIfSame(handle);
            foreach (SteppingAside handle in s_unwatched) AddIfSame(handle);
        }

        return open;

        void AddIfSame(SteppingAside handle)
        {
            if (handle.Identity == identity) open.Add(handle);
        }
    }
}
