using NativeIpc.Contracts;

namespace NativeIpc.Waiting.Async;

/// <summary>What pending waits wait for.</summary>
/// <typeparam name="T">What a wait gets: true for a permit, the scope of a lock.</typeparam>
internal interface IAwaitable<T>
{
    /// <summary>What a wait that joins now has seen (<see cref="WaitObject.Look"/>).</summary>
    uint Look() => 0;

    /// <summary>Whether a newcomer lets those before it go first; not where one step serves all of them.</summary>
    bool IsInOrder => true;

    /// <summary>Takes one without waiting, and never on behalf of a wait that has gone: called under the queue's gate,
    /// so without any pause.</summary>
    /// <param name="seen">What the wait saw when it came.</param>
    /// <param name="taken">What was taken.</param>
    /// <param name="isHeldUp">Whether another try after <see cref="AwaitMoment"/> may say more.</param>
    bool TryTake(uint seen, out T taken, out bool isHeldUp);

    /// <summary>Lets pass a moment for what has held up a try. Called outside the gate, never on a caller's thread;
    /// <see cref="WaitQueue{T}.Close"/> waits for it, so it waits for nobody who may close.</summary>
    void AwaitMoment();

    /// <summary>What tells that trying again may help.</summary>
    IWaitSignal Signal { get; }

    /// <summary>The word to sleep on, for the signal that does; 0 for none. It can become another one.</summary>
    nint Word { get; }

    /// <summary>The key of the object, for messages.</summary>
    NativeIpcKey Key { get; }

    /// <summary>The object that the word is of, entered, so that its memory stays until the caller leaves
    /// it.</summary>
    WaitObject BeginUse();

    /// <summary>A semaphore, or a segment for its lock.</summary>
    IpcObjectKind Kind => IpcObjectKind.SystemSemaphore;

    /// <summary>Whether to try now and then although nothing has woken.</summary>
    bool NeedsLooks { get; }

    /// <summary>Whether its waits are told by <see cref="IpcActivity.Waited"/>.</summary>
    bool IsTold => true;

    /// <summary>The word that is slept on was woken, for what wants to know. Called before a try, by the sleeper's
    /// thread.</summary>
    void NoteWoken()
    {
    }

    /// <summary>What a wait gets when the object is disposed.</summary>
    ObjectDisposedException Disposed();
}
