using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using NativeIpc.Errors;
using NativeIpc.Waiting;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.Contracts;

/// <summary>An open event. A wait begins with <see cref="TryWait"/> or <see cref="WaitObject.Look"/>, and gives what
/// it saw there to each further try: so it is freed by a Set that a Reset follows at once.</summary>
internal abstract class EventObject : WaitObject
{
    // The public type is above this room: its name is what callers read.
    private const string PublicName = "NativeIpc." + nameof(SystemEvent);

    protected EventObject(in NativeIpcKey key, EventResetMode mode)
        : base(key) => ResetMode = mode;

    /// <summary>What a call of a closed object gets.</summary>
    public static ObjectDisposedException ClosedError() => new(PublicName);

    /// <exception cref="ObjectDisposedException">It is closed.</exception>
    public static void ThrowIfClosed([DoesNotReturnIf(true)] bool isClosed)
    {
        if (isClosed) throw ClosedError();
    }

    /// <inheritdoc/>
    public override IpcObjectKind Kind => IpcObjectKind.SystemEvent;

    /// <summary>Whether a wait that is freed resets it.</summary>
    public EventResetMode ResetMode { get; }

    private protected FastStep _step;

    /// <summary>Sets an event of auto reset for which nobody waits, if that takes one step on memory; false also when
    /// it would take more, or is not offered.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TrySetFast()
    {
        bool isSet = _step.TryGive();
        GC.KeepAlive(this);
        return isSet;
    }

    /// <summary>Takes an event of auto reset that is set, and for which nobody waits, in the same way.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryTakeFast()
    {
        bool taken = _step.TryTake();
        GC.KeepAlive(this);
        return taken;
    }

    /// <summary>Sets it, and frees who waits: one, or with manual reset all.</summary>
    public abstract void Set();

    /// <summary>Resets it; who was freed stays free.</summary>
    public abstract void Reset();

    /// <summary>Whether it is set, where the system can tell.</summary>
    public abstract bool TryGetIsSet(out bool isSet);

    /// <summary>The first try of a wait. <paramref name="seen"/>: what it saw (<see cref="WaitObject.Look"/>), where it
    /// has to wait.</summary>
    public abstract bool TryWait(out uint seen);

    /// <summary>A further try of a wait.</summary>
    /// <param name="seen">What it saw when it began.</param>
    /// <param name="isWaiter">Whether it is among the waiters (<see cref="WaitObject.AddWaiter"/>), so that it may take
    /// what was given to them.</param>
    public abstract bool TryTake(uint seen, bool isWaiter);

    /// <summary>Waits for <paramref name="longest"/> at most (<see cref="TimeSpan.MaxValue"/>: for ever). False when it
    /// was not freed, also earlier: the wake-up was set, or the system wants to be asked again.</summary>
    public abstract bool Block(uint seen, TimeSpan longest, Wakeup wakeup);

    /// <summary>Whether <see cref="WaitWhole"/> is how a thread waits for it: where the system's own wait ends with a
    /// token and a Dispose.</summary>
    public virtual bool WaitsWhole => false;

    /// <summary>Waits in one call of the system, so that no Set comes between two; false when the time
    /// passed.</summary>
    /// <exception cref="OperationCanceledException">The token was cancelled; nothing was taken.</exception>
    public virtual bool WaitWhole(in Deadline deadline, CancellationToken cancellationToken)
        => throw new System.Diagnostics.UnreachableException();

    /// <summary>What to say of an event that has the key and the other mode.</summary>
    internal static NativeIpcException OtherMode(string attempt, in NativeIpcKey key, EventResetMode found)
        => Failure.Found(NativeIpcError.KeyError, attempt, key, "mode check",
            found == EventResetMode.AutoReset ? "an auto-reset event has this key, and manual reset was asked for"
                : "a manual-reset event has this key, and auto reset was asked for",
            "Ask for the mode that it has, use OpenExisting, which takes either, or use another key.");

    /// <summary>The object, if it has the mode that was asked for; it is disposed otherwise.</summary>
    internal static T OfMode<T>(T opened, string attempt, EventResetMode wanted)
        where T : EventObject
    {
        if (opened.ResetMode == wanted) return opened;
        opened.Dispose();
        throw OtherMode(attempt, opened.Key, opened.ResetMode);
    }
}
