using NativeIpc.Contracts;
using NativeIpc.Waiting.Async;

namespace NativeIpc;

/// <content>The event as one of several things that are waited for (<see cref="SystemWait"/>).</content>
public sealed partial class SystemEvent
{
    private QueuedWaits? _sharedWaits;

    /// <summary>The event, entered.</summary>
    internal EventObject BeginUse() => _event.TryBeginUse() ? _event : throw EventObject.ClosedError();

    /// <summary>The queue that a wait for several joins. Where the system has one wait for each of the others
    /// (Windows), it is one of its own, and polled.</summary>
    internal WaitQueue<bool> Queue()
    {
        lock (_queueGate)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            if (_event.WaitHandle is null) return ((QueuedWaits)Waits()).Queue;
            return (_sharedWaits ??= new QueuedWaits(_event, _continuesAtOnce)).Queue;
        }
    }
}
