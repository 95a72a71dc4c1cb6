namespace NativeIpc.Waiting.Async;

/// <summary>Waits by the system's registered waits (Windows): one thread of the pool for 63 objects. The wait itself
/// takes the permit.</summary>
/// <remarks>
/// Interleavings. (1) The wait has taken a permit when the last one in the queue leaves: the queue does not want it,
/// and it is given back. (2) The same while the object is being disposed: <see cref="Drain"/> waits for such a callback
/// before the object closes. (3) A wait joins between two permits: the registration repeats.
/// </remarks>
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

        // Each is waited for: a callback of an earlier registration may be under way for longer than one of the last.
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
        if (!offer()) giveBack();
    }
}
