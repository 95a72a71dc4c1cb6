using System.Threading.RateLimiting;
using NativeIpc.Shared;

namespace NativeIpc.Extensions;

public sealed partial class MachineConcurrencyLimiter
{
    // All under the gate; the count is also read without.
    private readonly LinkedList<Request> _queue = [];
    private int _queued; // permits
    private bool _isPumping;

    // Cancelled when the pump must look at the queue again. Outside the gate: that calls handlers of IpcActivity.
    private CancellationTokenSource _change = new();

    private ValueTask<RateLimitLease> EnqueueAsync(int count, CancellationToken cancellationToken)
    {
        var request = new Request(this, count, cancellationToken);
        List<Request> evicted = [];
        CancellationTokenSource? outdated = null;
        bool isFirst;
        lock (_gate)
        {
            if (_isDisposed) return new(Refuse(s_over));
            int needed = Math.Max(count, 1); // waiting for any permit takes a place, too
            if (_newestFirst && needed <= _queueLimit)
            {
                while (_queued + needed > _queueLimit) evicted.Add(TakeOut(_queue.First!.Value));
            }

            if (_queued + needed > _queueLimit) return new(Refuse(s_full));
            request.Node = _queue.AddLast(request);
            _queued += needed;
            isFirst = !_isPumping;
            if (isFirst)
            {
                _isPumping = true;
                TryEnter(); // not disposed, so it is open
            }
            else if (_newestFirst)
            {
                outdated = _change;
            }
        }

        outdated?.Cancel();
        foreach (Request old in evicted) old.Complete(Refuse(s_full));
        request.Listen();
        if (isFirst) _ = PumpAsync();
        return new(request.Task);
    }

    /// <summary>Takes a request out of the queue. Under the gate.</summary>
    private Request TakeOut(Request request)
    {
        _queue.Remove(request.Node!);
        request.Node = null;
        _queued -= Math.Max(request.Count, 1);
        return request;
    }

    private Request? Next => (_newestFirst ? _queue.Last : _queue.First)?.Value;

    /// <summary>Serves the queue until it is empty: one for each limiter, which waits for permits of the machine for
    /// whoever is next.</summary>
    /// <remarks>
    /// R1 Race: the next one changes while it waits. Safe because: that ends the wait (<see cref="_change"/>), and a
    /// permit that came at that moment is given to whoever is next then, or back.
    /// R2 Race: the pump looks at the queue between a change and its cancellation. Safe because: it has seen the change
    /// then, and only looks once more.
    /// </remarks>
    private async Task PumpAsync()
    {
        while (true)
        {
            Request next;
            CancellationToken change;
            lock (_gate)
            {
                if (Next is not { } waiting)
                {
                    _isPumping = false;
                    break;
                }

                next = waiting;
                if (_change.IsCancellationRequested) _change = new CancellationTokenSource();
                change = _change.Token;
            }

            try
            {
                if (next.Count <= 1) await ServeOneAsync(change).ConfigureAwait(false);
                else await CollectAsync(next, change).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                // The queue has changed
            }
            catch (Exception failure)
            {
                FailAll(failure);
            }
        }

        Leave();
    }

    private async ValueTask ServeOneAsync(CancellationToken change)
    {
        await _permits.AcquireAsync(change).ConfigureAwait(false);
        Request? served;
        lock (_gate)
        {
            served = Next is { Count: <= 1 } next ? TakeOut(next) : null;
            if (served is not null) TryEnter(); // the pump has it open
        }

        try
        {
            if (served is not { Count: 1 }) CrashSafe.TryRelease(_permits, 1);
        }
        finally
        {
            served?.Complete(Give(served.Count)); // it is not in the queue any more: nobody else ends it
        }
    }

    private async ValueTask CollectAsync(Request next, CancellationToken change)
    {
        await _collecting.AcquireAsync(change).ConfigureAwait(false);
        int have = 0;
        try
        {
            while (have < next.Count)
            {
                await _permits.AcquireAsync(change).ConfigureAwait(false);
                have++;
            }

            lock (_gate)
            {
                if (next.Node is null) return;
                TakeOut(next);
                TryEnter(); // the pump has it open
            }

            have = 0;
            next.Complete(Give(next.Count));
        }
        finally
        {
            EndCollecting(have);
        }
    }

    private void FailAll(Exception failure)
    {
        List<Request> failed;
        lock (_gate)
        {
            failed = [.. _queue];
            foreach (Request request in failed) TakeOut(request);
        }

        foreach (Request request in failed) request.Fail(failure);
    }

    /// <summary>Waits in the queue of this process. Whoever takes it out, under the gate, completes it.</summary>
    private sealed class Request(MachineConcurrencyLimiter owner, int count, CancellationToken cancellationToken)
    {
        private readonly TaskCompletionSource<RateLimitLease> _completion =
            new(TaskCreationOptions.RunContinuationsAsynchronously);
        private CancellationTokenRegistration _registration;

        public int Count => count;

        public LinkedListNode<Request>? Node { get; set; }

        public Task<RateLimitLease> Task => _completion.Task;

        /// <summary>Begins to listen to the caller's token.</summary>
        /// <remarks>R3 Race: the request is completed meanwhile, by a thread that does not see the registration yet.
        /// Safe because: it was taken out under the gate before; so either that is seen here, or the registration
        /// there.</remarks>
        public void Listen()
        {
            if (!cancellationToken.CanBeCanceled) return;
            CancellationTokenRegistration registration =
                cancellationToken.UnsafeRegister(static request => ((Request)request!).Cancel(), this);
            lock (owner._gate)
            {
                if (Node is not null)
                {
                    _registration = registration;
                    return;
                }
            }

            registration.Unregister();
        }

        public void Complete(RateLimitLease lease)
        {
            _registration.Unregister();
            _completion.SetResult(lease);
        }

        public void Fail(Exception failure)
        {
            _registration.Unregister();
            _completion.SetException(failure);
        }

        private void Cancel()
        {
            CancellationTokenSource? outdated = null;
            lock (owner._gate)
            {
                if (Node is null) return;
                if (owner.Next == this) outdated = owner._change;
                owner.TakeOut(this);
            }

            outdated?.Cancel();
            _completion.SetCanceled(cancellationToken);
        }
    }
}
