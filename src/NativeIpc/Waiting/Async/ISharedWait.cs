namespace NativeIpc.Waiting.Async;

/// <summary>One wait that stands in several queues, of which one serves it: waiting for any of several
/// objects.</summary>
/// <typeparam name="T">What it gets of the queue.</typeparam>
internal interface ISharedWait<T>
{
    /// <summary>Takes the turn to serve it, for a try: no other queue does until <see cref="EndTurn"/>, on the same
    /// thread. False when it is over. Called under a queue's gate, and takes none.</summary>
    bool TryBeginTurn();

    /// <summary>Gives the turn back.</summary>
    /// <param name="isOver">Whether the wait is over now.</param>
    void EndTurn(bool isOver);

    /// <summary>It is over, and has got this. Outside the gates.</summary>
    /// <param name="index">Which of its queues it was.</param>
    /// <param name="taken">What it has got.</param>
    void Serve(int index, T? taken);

    /// <summary>It is over, by a failure. Outside the gates.</summary>
    void Fail(Exception failure);
}
