using System.Runtime.InteropServices;
using NativeIpc.Contracts;
using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Lifetime;
using NativeIpc.Waiting;

namespace NativeIpc.SystemV;

/// <summary>An open System V event. An id is no handle: there is nothing to close, and a stale one harms
/// nobody.</summary>
/// <remarks>A wait is one operation only as long as its slice; then, and while it is asynchronous and polls, a Set and
/// a Reset may both come between two of them. With auto reset the set stays until somebody takes it; with manual reset
/// the generation tells.</remarks>
internal sealed class SystemVEvent : EventObject
{
    private const string Waiting = "wait for the event";

    private readonly int _id;
    private readonly FileIdentity _keyFile;
    private readonly SystemVSemaphoreRemoval? _removal;

    internal SystemVEvent(in NativeIpcKey key, in SystemVSet set, EventResetMode mode, SystemEventOptions options)
        : base(key, mode)
    {
        _id = set.Id;
        _keyFile = set.KeyFile;
        CreatedNew = set.CreatedNew;
        if (!set.Owns || options.Removal is not (RemovalPolicy.Default or RemovalPolicy.Creator)) return;
        _removal = new SystemVSemaphoreRemoval(SystemVEvents.FileKey(key), set, options.PeerTimeout,
            "remove the event");
        if (options.RemoveAtProcessExit) ProcessExit.Add(_removal);
        NoticeDrop();
    }

    public override string ObjectIdentity => _id.ToString(System.Globalization.CultureInfo.InvariantCulture);

    /// <inheritdoc/>
    /// <remarks>A key file that was made anew has another inode, and newcomers get another key of it.</remarks>
    public override bool WasReplaced
    {
        get
        {
            if (!SystemVEventSet.Exists(_id)) return true;
            int error = Libc.Status(KeyFile.Path(SystemVEvents.FileKey(Key)), followLink: true, out FileStatus now);
            return error == Errno.ENOENT || (error == 0 && now.Identity != _keyFile);
        }
    }

    public override void Set()
    {
        ThrowIfClosed(IsClosed);
        Check("set the event", SystemVEventSet.Set(_id, ResetMode));
    }

    public override void Reset()
    {
        ThrowIfClosed(IsClosed);
        Check("reset the event", SystemVEventSet.Reset(_id));
    }

    public override bool TryGetIsSet(out bool isSet)
    {
        isSet = Value(SystemVEventSet.State, "look at the event") != 0;
        return true;
    }

    public override uint Look()
        => ResetMode == EventResetMode.AutoReset ? 0 : (uint)Value(SystemVEventSet.Generation, Waiting);

    public override bool TryWait(out uint seen)
    {
        seen = Look(); // before the try, so that what comes in between is not missed
        return TryPass();
    }

    public override bool TryTake(uint seen, bool isWaiter) => TryPass() || WasSetSince(seen);

    private bool TryPass()
    {
        ThrowIfClosed(IsClosed);
        return ResetMode == EventResetMode.ManualReset
            ? Value(SystemVEventSet.State, Waiting) != 0
            : Check(Waiting, SystemVEventSet.Pass(_id, ResetMode, slice: null));
    }

    private bool WasSetSince(uint seen) => ResetMode == EventResetMode.ManualReset && Look() != seen;

    public override bool Block(uint seen, TimeSpan longest, Wakeup wakeup)
    {
        ThrowIfClosed(IsClosed);
        return WasSetSince(seen)
            || Check(Waiting, SystemVEventSet.Pass(_id, ResetMode,
                longest < Wakeup.LongestSlice ? longest : Wakeup.LongestSlice))
            || WasSetSince(seen);
    }

    private int Value(ushort member, string attempt)
    {
        ThrowIfClosed(IsClosed);
        int value = Libc.semctl(_id, member, Flags.GETVAL);
        if (value != -1) return value;
        throw Failed(attempt, "semctl", Marshal.GetLastPInvokeError());
    }

    /// <summary>Whether an operation went through; false when it would have to wait.</summary>
    private bool Check(string attempt, int number)
        => number == 0
            || (number is Errno.EINTR || number == Errno.EAGAIN ? false : throw Failed(attempt, "semop", number));

    private Exception Failed(string attempt, string call, int number)
        => IsClosed ? ClosedError() : SystemVErrors.UseSemaphore(attempt, Key, call, number);

    protected override void Close()
    {
        using var reports = HeldReports.Begin();
        _removal?.Perform();
    }
}
