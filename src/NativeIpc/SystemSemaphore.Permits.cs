using NativeIpc.Errors;
using NativeIpc.Holding;
using NativeIpc.Waiting;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc;

public sealed partial class SystemSemaphore
{
    private PermitTable? _permits;

    /// <summary>Takes a permit, waiting for it as long as it takes.</summary>
    /// <returns>The permit; dispose it to give it back.</returns>
    /// <exception cref="ObjectDisposedException">This instance was disposed, before or meanwhile.</exception>
    /// <exception cref="NativeIpcException">As <see cref="Acquire()"/>.</exception>
    public SystemSemaphorePermit Enter() => Enter(Timeout.InfiniteTimeSpan, CancellationToken.None);

    /// <summary>Takes a permit, waiting for it until the token is cancelled.</summary>
    /// <param name="cancellationToken">Ends the wait; see docs/waiting.md for how soon.</param>
    /// <returns>The permit; dispose it to give it back.</returns>
    /// <exception cref="OperationCanceledException">The token was cancelled; no permit was taken.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed, before or meanwhile.</exception>
    /// <exception cref="NativeIpcException">As <see cref="Acquire()"/>.</exception>
    public SystemSemaphorePermit Enter(CancellationToken cancellationToken)
        => Enter(Timeout.InfiniteTimeSpan, cancellationToken);

    /// <summary>Takes a permit, waiting for it at most for a time, on the monotonic clock.</summary>
    /// <param name="timeout">The longest wait; zero tries once, <see cref="Timeout.InfiniteTimeSpan"/> waits for
    /// ever.</param>
    /// <param name="cancellationToken">Ends the wait; see docs/waiting.md for how soon.</param>
    /// <returns>The permit; dispose it to give it back.</returns>
    /// <exception cref="TimeoutException">The time passed; no permit was taken, and no less time has
    /// passed.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="timeout"/> is negative and not infinite, or over
    /// 2^31-1 ms.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled; no permit was taken.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed, before or meanwhile.</exception>
    /// <exception cref="NativeIpcException">As <see cref="Acquire()"/>.</exception>
#pragma warning disable RS0027 // the overload without a timeout cannot be meant where there is one
    public SystemSemaphorePermit Enter(TimeSpan timeout, CancellationToken cancellationToken = default)
#pragma warning restore RS0027
        => TryEnter(timeout, out SystemSemaphorePermit permit, cancellationToken) ? permit : throw TimedOut(timeout);

    /// <summary>Takes a permit if there is one now.</summary>
    /// <param name="permit">The permit; dispose it to give it back. Holds nothing when the result is false.</param>
    /// <returns>False when there is none.</returns>
    /// <exception cref="ObjectDisposedException">This instance was disposed.</exception>
    /// <exception cref="NativeIpcException">As <see cref="Acquire()"/>.</exception>
    public bool TryEnter(out SystemSemaphorePermit permit) => TryEnter(TimeSpan.Zero, out permit);

    /// <summary>Takes a permit, waiting for it at most for a time, on the monotonic clock.</summary>
    /// <param name="timeout">The longest wait; zero tries once, <see cref="Timeout.InfiniteTimeSpan"/> waits for
    /// ever.</param>
    /// <param name="permit">The permit; dispose it to give it back. Holds nothing when the result is false.</param>
    /// <param name="cancellationToken">Ends the wait; see docs/waiting.md for how soon.</param>
    /// <returns>False when the time passed; no permit was taken, and no less time has passed.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="timeout"/> is negative and not infinite, or over
    /// 2^31-1 ms.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled; no permit was taken.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed, before or meanwhile.</exception>
    /// <exception cref="NativeIpcException">As <see cref="Acquire()"/>.</exception>
    public bool TryEnter(TimeSpan timeout, out SystemSemaphorePermit permit,
        CancellationToken cancellationToken = default)
    {
        permit = default;
        PermitTable table = Permits();
        PermitSlot slot = table.Rent(); // before the permit: then nothing can fail after it was taken
        bool isTaken = false;
        bool entered = false;
        try
        {
            // Entered, so that a Dispose that comes between the taking and the note finds the semaphore still open.
            entered = !_semaphore.ReturnsAfterClose;
            if (entered && !_semaphore.TryBeginUse())
            {
                entered = false;
                throw Disposed();
            }

            if (!Waiter.Acquire(new One(_semaphore), new Deadline(timeout), cancellationToken)) return false;
            long ticket = slot.NextTicket;
            slot.Begin();
            isTaken = true;
            if (table.IsClosed)
            {
                slot.GiveBack(ticket);
                throw Disposed();
            }

            permit = new SystemSemaphorePermit(slot, ticket);
            return true;
        }
        finally
        {
            if (!isTaken) table.Return(slot);
            if (entered) _semaphore.EndUse();
        }
    }

    /// <summary>Takes a permit, waiting for it without a thread.</summary>
    /// <remarks>Served in one order with the waits of <see cref="AcquireAsync"/>. The permit may be disposed on any
    /// thread.</remarks>
    /// <param name="cancellationToken">Ends the wait; no permit is taken then.</param>
    /// <returns>A task that gives the permit; dispose it to give it back.</returns>
    /// <exception cref="OperationCanceledException">The token was cancelled; no permit was taken.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed, before or meanwhile.</exception>
    /// <exception cref="NativeIpcException">As <see cref="Acquire()"/>.</exception>
#pragma warning disable RS0026 // the other one begins with a timeout, of another type
    public ValueTask<SystemSemaphorePermit> EnterAsync(CancellationToken cancellationToken = default)
#pragma warning restore RS0026
        => EnterAsync(Timeout.InfiniteTimeSpan, cancellationToken);

    /// <summary>Takes a permit, waiting for it at most for a time on the monotonic clock, without a thread.</summary>
    /// <inheritdoc cref="EnterAsync(CancellationToken)" path="/remarks"/>
    /// <param name="timeout">The longest wait; zero tries once, <see cref="Timeout.InfiniteTimeSpan"/> waits for
    /// ever.</param>
    /// <param name="cancellationToken">Ends the wait; no permit is taken then.</param>
    /// <returns>A task that gives the permit; dispose it to give it back.</returns>
    /// <exception cref="TimeoutException">The time passed; no permit was taken, and no less time has
    /// passed.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="timeout"/> is negative and not infinite, or over
    /// 2^31-1 ms.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled; no permit was taken.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed, before or meanwhile.</exception>
    /// <exception cref="NativeIpcException">As <see cref="Acquire()"/>.</exception>
#pragma warning disable RS0026, RS0027 // the overload without a timeout cannot be meant where there is one
    public async ValueTask<SystemSemaphorePermit> EnterAsync(TimeSpan timeout,
        CancellationToken cancellationToken = default)
#pragma warning restore RS0026, RS0027
        => await TryEnterAsync(timeout, cancellationToken).ConfigureAwait(false) ?? throw TimedOut(timeout);

    /// <summary>Takes a permit, waiting for it at most for a time on the monotonic clock, without a thread.</summary>
    /// <inheritdoc cref="EnterAsync(CancellationToken)" path="/remarks"/>
    /// <param name="timeout">The longest wait; zero tries once, <see cref="Timeout.InfiniteTimeSpan"/> waits for
    /// ever.</param>
    /// <param name="cancellationToken">Ends the wait; no permit is taken then.</param>
    /// <returns>A task that gives the permit, or null when the time passed; no permit was taken then.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="timeout"/> is negative and not infinite, or over
    /// 2^31-1 ms.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled; no permit was taken.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed, before or meanwhile.</exception>
    /// <exception cref="NativeIpcException">As <see cref="Acquire()"/>.</exception>
    public async ValueTask<SystemSemaphorePermit?> TryEnterAsync(TimeSpan timeout,
        CancellationToken cancellationToken = default)
    {
        PermitTable table = Permits();
        PermitSlot slot = table.Rent();
        long ticket = slot.NextTicket;
        bool isTaken = false;
        try
        {
            isTaken = await Queue().WaitAsync(timeout, cancellationToken, slot).ConfigureAwait(false);
        }
        finally
        {
            if (!isTaken) table.Return(slot);
        }

        if (!isTaken) return null;

        // The queue noted the permit when it took it. A Dispose since then has given it back.
        if (!slot.Holds(ticket)) throw Disposed();
        return new SystemSemaphorePermit(slot, ticket);
    }

    private PermitTable Permits()
    {
        PermitTable? table = Volatile.Read(ref _permits);
        if (table is null)
        {
            lock (_queueGate)
            {
                ObjectDisposedException.ThrowIf(_isDisposed, this);
                if (_permits is null)
                {
                    _permits = new PermitTable(_semaphore);
                    _semaphore.GivesBackFirst = _permits.Close;
                }

                table = _permits;
            }
        }

        ObjectDisposedException.ThrowIf(table.IsClosed, this);
        return table;
    }

    private static ObjectDisposedException Disposed() => new("NativeIpc.SystemSemaphore");

    private TimeoutException TimedOut(TimeSpan timeout)
        => new($"No permit of the semaphore {Failure.Describe(Key)} came within {timeout}: all of them are taken. "
            + "Wait longer, or see who holds them.");
}
