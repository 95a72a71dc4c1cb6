using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using NativeIpc.Contracts;
using NativeIpc.Errors;
using NativeIpc.Interop.Windows;
using NativeIpc.Waiting;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.Windows;

/// <summary>An open Windows event. Waits hold a reference on its handle, which closes when the last of them has
/// returned.</summary>
/// <remarks>A wait is one call of the kernel from its begin to its end, so that no Set comes between two: a Dispose
/// ends it by an event of this object, a token by its own.</remarks>
internal sealed class WindowsEvent : EventObject
{
    private const int EventAt = 0, ClosingAt = 1, TokenAt = 2;

    private readonly SafeWaitHandle _handle;
    private readonly SemaphoreWaitHandle _wait;
    private readonly ManualResetEvent _closing = new(false);

    internal WindowsEvent(in NativeIpcKey key, SafeWaitHandle handle, EventResetMode mode, bool createdNew)
        : base(key, mode)
    {
        _handle = handle;
        _wait = new SemaphoreWaitHandle(handle);
        CreatedNew = createdNew;
    }

    public override WaitHandle? WaitHandle => _wait;

    public override void Set()
    {
        ThrowIfClosed(IsClosed);
        if (Kernel32.SetEvent(_handle) == 0)
            throw WindowsErrors.UseEvent("set the event", Key, "SetEvent", Marshal.GetLastPInvokeError());
    }

    public override void Reset()
    {
        ThrowIfClosed(IsClosed);
        if (Kernel32.ResetEvent(_handle) == 0)
            throw WindowsErrors.UseEvent("reset the event", Key, "ResetEvent", Marshal.GetLastPInvokeError());
    }

    /// <summary>Asks the kernel what an event is, and leaves it as it is.</summary>
    internal static unsafe Ntdll.EVENT_BASIC_INFORMATION Ask(string attempt, in NativeIpcKey key, SafeWaitHandle handle)
    {
        int status = Ntdll.NtQueryEvent(handle, Ntdll.EventBasicInformation,
            out Ntdll.EVENT_BASIC_INFORMATION information, (uint)sizeof(Ntdll.EVENT_BASIC_INFORMATION), 0);
        return status >= 0 ? information
            : throw Failure.Found(NativeIpcError.Unknown, attempt, key, "NtQueryEvent",
                $"the kernel does not tell its mode (NTSTATUS 0x{status:x8})",
                "Let its creator grant this user the right to query it (EVENT_QUERY_STATE).");
    }

    public override bool TryGetIsSet(out bool isSet)
    {
        ThrowIfClosed(IsClosed);
        isSet = Ask("look at the event", Key, _handle).EventState != 0;
        return true;
    }

    public override bool TryWait(out uint seen)
    {
        seen = 0;
        return TryTake(0, isWaiter: false);
    }

    public override bool TryTake(uint seen, bool isWaiter)
    {
        ThrowIfClosed(IsClosed);
        return _wait.WaitOne(0);
    }

    public override bool WaitsWhole => true;

    public override bool WaitWhole(in Deadline deadline, CancellationToken cancellationToken)
    {
        ThrowIfClosed(!TryBeginUse());
        try
        {
            WaitHandle[] handles = cancellationToken.CanBeCanceled
                ? [_wait, _closing, cancellationToken.WaitHandle] : [_wait, _closing];
            while (true)
            {
                ThrowIfClosed(IsClosed);

                // Rounded up: with less than a millisecond left, a wait of zero would spin to the deadline.
                TimeSpan left = deadline.Left(TimeSpan.MaxValue);
                if (left == TimeSpan.Zero) return false;
                int milliseconds = left == TimeSpan.MaxValue ? Timeout.Infinite
                    : (int)Math.Min(Math.Ceiling(left.TotalMilliseconds), int.MaxValue);
                switch (System.Threading.WaitHandle.WaitAny(handles, milliseconds))
                {
                    case EventAt: return true;
                    case ClosingAt: throw ClosedError();
                    case TokenAt: throw new OperationCanceledException(cancellationToken);
                }
            }
        }
        finally
        {
            EndUse();
        }
    }

    public override bool Block(uint seen, TimeSpan longest, Wakeup wakeup)
        => throw new System.Diagnostics.UnreachableException(); // waits whole

    protected override void EndWaits() => _closing.Set();

    /// <inheritdoc/>
    /// <remarks>The handles, which are finalized last, close themselves.</remarks>
    protected override bool NoticesDrop => true;

    protected override void Close()
    {
        _wait.Dispose();
        _closing.Dispose();
    }
}
