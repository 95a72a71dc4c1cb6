namespace NativeIpc.Waiting.Async;

/// <summary>Waits by the system's registered waits (Windows): one thread of the pool for 63 objects. The wait itself
/// takes the permit.</summary>
internal sealed class RegisteredWait(WaitHandle handle, Func<bool> offer, Action giveBack) : IWaitSignal
{
    private RegisteredWaitHandle? _registration;
    private readonly Lock _drains = new();
    private readonly List<ManualResetEvent> _ended = [];

    public void Arm(WaitQueue queue)
        => _registration = ThreadPool.UnsafeRegisterWaitForSingleObject(handle, (_, _) => Taken(), null,
            Timeout.Infinite, executeOnlyOnce: false);

    public void Disarm(WaitQueue queue)
    {
        var ended = new ManualResetEvent(false);
        _registration!.Unregister(ended);

        // R1 Race: a callback of an earlier registration is under way for longer than one of the last. Safe because:
        // all are kept, and Drain waits for each.
        _ended.RemoveAll(static earlier =>
        {
            if (!earlier.WaitOne(0)) return false;
            earlier.Dispose();
            return true;
        });
        _ended.Add(ended);
    }

    /// <summary>Waits until no callback is under way.</summary>
    public void Drain(WaitQueue queue)
    {
        lock (_drains)
        {
            // R2 Race: a callback has taken a permit while the object is disposed. Safe because: the object closes only
            // after this wait, and the callback gives the permit back before.
            foreach (ManualResetEvent ended in _ended)
            {
                ended.WaitOne();
                ended.Dispose();
            }

            _ended.Clear();
        }
    }

    private void Taken()
    {
        // R3 Race: the last wait leaves the queue after the system has taken a permit. Safe because: it is given back.
        if (!offer()) giveBack();
    }
}
