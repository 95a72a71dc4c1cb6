using System.Runtime.InteropServices;
using NativeIpc.Interop.Unix;

namespace NativeIpc.SystemV;

/// <summary>The set behind a System V event, as docs/layouts.md publishes it. The kernel makes each operation whole,
/// and finishes every waiting one that it lets through inside the call: so nobody who was killed leaves anything half
/// done, and a Reset comes too late for those that a Set has freed.</summary>
internal static unsafe class SystemVEventSet
{
    /// <summary>1 when it is set, else 0.</summary>
    internal const ushort State = 0;

    /// <summary><see cref="Auto"/> or <see cref="Manual"/>, for good; 0 for a set in the making.</summary>
    internal const ushort Mode = 1;

    /// <summary>With manual reset, how often a Set has changed something, from 0 to 32,767 and again: for waiters
    /// between two calls.</summary>
    internal const ushort Generation = 2;

    internal const int Members = 3;

    internal const int Auto = 1, Manual = 2;

    private const short NoWait = Flags.IPC_NOWAIT;

    private static Sembuf Step(ushort member, int change, short flags = 0)
        => new() { sem_num = member, sem_op = (short)change, sem_flg = flags };

    private static int Operate(int id, Sembuf* steps, int count)
    {
        int number;
        do number = Libc.semop(id, steps, (nuint)count) == 0 ? 0 : Marshal.GetLastPInvokeError();
        while (number == Errno.EINTR);
        return number;
    }

    /// <summary>The mode of a set; null for one that is no event, or does not let this user look.</summary>
    internal static EventResetMode? ModeOf(int id) => Libc.semctl(id, Mode, Flags.GETVAL) switch
    {
        Auto => EventResetMode.AutoReset,
        Manual => EventResetMode.ManualReset,
        _ => null,
    };

    /// <summary>Whether the set is there.</summary>
    internal static bool Exists(int id)
        => Libc.semctl(id, State, Flags.GETVAL) != -1 || !SystemVSupport.IsGone(Marshal.GetLastPInvokeError());

    /// <summary>Makes a set an event. 0; EAGAIN when it is one; or another error number.</summary>
    internal static int Begin(int id, EventResetMode mode, bool isSet)
    {
        Sembuf* steps = stackalloc Sembuf[3];
        steps[0] = Step(Mode, 0, NoWait);
        steps[1] = Step(Mode, mode == EventResetMode.AutoReset ? Auto : Manual, NoWait);
        steps[2] = Step(State, 1, NoWait);
        return Operate(id, steps, isSet ? 3 : 2);
    }

    /// <summary>Sets it. 0, or the error number; EAGAIN when it was set.</summary>
    internal static int Set(int id, EventResetMode mode)
    {
        Sembuf* steps = stackalloc Sembuf[3];
        steps[0] = Step(State, 0, NoWait);
        steps[1] = Step(State, 1, NoWait);
        steps[2] = Step(Generation, 1, NoWait);
        if (mode == EventResetMode.AutoReset) return Operate(id, steps, 2);
        while (true)
        {
            int number = Operate(id, steps, 3);
            if (number != Errno.ERANGE) return number;

            // R1 Race: others set and reset it between the two. Safe because: EAGAIN says nothing here, and the loop
            // begins again; the first operation says whether it was set.
            steps[2] = Step(Generation, -Flags.SEMVMX, NoWait);
            number = Operate(id, steps, 3);
            if (number != Errno.EAGAIN) return number;
            steps[2] = Step(Generation, 1, NoWait);
        }
    }

    /// <summary>Resets it. 0, or the error number; EAGAIN when it was not set.</summary>
    internal static int Reset(int id)
    {
        Sembuf step = Step(State, -1, NoWait);
        return Operate(id, &step, 1);
    }

    /// <summary>Takes it, or with manual reset passes it. 0, or the error number: EAGAIN when it was not set, and
    /// EINTR. Waits for a slice if one is given.</summary>
    internal static int Pass(int id, EventResetMode mode, TimeSpan? slice)
    {
        Sembuf* steps = stackalloc Sembuf[2];
        steps[0] = Step(State, -1, slice is null ? NoWait : (short)0);
        steps[1] = Step(State, 1);
        int count = mode == EventResetMode.AutoReset ? 1 : 2;
        if (slice is not { } wait) return Operate(id, steps, count);
        var timeout = new Timespec { tv_sec = wait.Ticks / TimeSpan.TicksPerSecond,
            tv_nsec = wait.Ticks % TimeSpan.TicksPerSecond * 100 };
        return Libc.semtimedop(id, steps, (nuint)count, &timeout) == 0 ? 0 : Marshal.GetLastPInvokeError();
    }
}
