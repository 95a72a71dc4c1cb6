namespace NativeIpc.Waiting.Async;

/// <summary>A place of a shared wait in one of its queues.</summary>
internal interface IJoinedWait
{
    /// <summary>Leaves the queue, if it is still there.</summary>
    bool Withdraw();
}
