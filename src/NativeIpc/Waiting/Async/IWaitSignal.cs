namespace NativeIpc.Waiting.Async;

/// <summary>Tries queues again when it may help.</summary>
internal interface IWaitSignal
{
    /// <summary>Begins to watch for a queue. Called under the queue's gate.</summary>
    void Arm(WaitQueue queue);

    /// <summary>Ends it, now or soon. Called under the queue's gate.</summary>
    void Disarm(WaitQueue queue);

    /// <summary>When it returns, nothing touches the object's memory on behalf of the queue any more. Called outside
    /// the gate, when the queue is closed and does not arm any more.</summary>
    void Drain(WaitQueue queue);
}
