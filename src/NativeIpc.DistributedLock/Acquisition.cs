using System.Diagnostics;
using NativeIpc.Shared;

namespace NativeIpc.DistributedLock;

/// <summary>Taking a permit of a gate: at once, waiting with the thread, or without it.</summary>
internal static class Acquisition
{
    public static NativeIpcDistributedSynchronizationHandle Acquire(GateSpec spec, TimeSpan? timeout,
        CancellationToken cancellationToken)
        => TryAcquire(spec, timeout ?? Timeout.InfiniteTimeSpan, cancellationToken) ?? throw TimedOut(spec, timeout);

    public static async ValueTask<NativeIpcDistributedSynchronizationHandle> AcquireAsync(GateSpec spec,
        TimeSpan? timeout, CancellationToken cancellationToken)
        => await TryAcquireAsync(spec, timeout ?? Timeout.InfiniteTimeSpan, cancellationToken).ConfigureAwait(false)
            ?? throw TimedOut(spec, timeout);

    public static NativeIpcDistributedSynchronizationHandle? TryAcquire(GateSpec spec, TimeSpan timeout,
        CancellationToken cancellationToken)
    {
        if (TryAtOnce(spec, timeout, cancellationToken, out Deadline deadline) is { } taken) return taken;
        var agreeing = new Agreeing();
        while (deadline.HasTime)
        {
            if (Gates.TryRent(spec) is not { } lease)
            {
                if (agreeing.IsOver) throw Gate.NotAgreed(spec);
                cancellationToken.WaitHandle.WaitOne(Agreeing.PauseWithin(deadline));
                cancellationToken.ThrowIfCancellationRequested();
                continue;
            }

            bool isTaken;
            try
            {
                isTaken = WaitFor(lease.Gate, deadline, cancellationToken);
            }
            catch
            {
                lease.Return();
                throw;
            }

            if (Keep(lease, isTaken) is { } handle) return handle;
        }

        return null;
    }

    private static bool WaitFor(Gate gate, in Deadline deadline, CancellationToken cancellationToken)
    {
        using var wait = new Wait(gate, cancellationToken);
        try
        {
            return gate.TryTake(deadline, wait.Token);
        }
        catch (Exception failure) when (Wait.CanEnd(failure))
        {
            cancellationToken.ThrowIfCancellationRequested();
            return false;
        }
    }

    public static ValueTask<NativeIpcDistributedSynchronizationHandle?> TryAcquireAsync(GateSpec spec, TimeSpan timeout,
        CancellationToken cancellationToken)
    {
        NativeIpcDistributedSynchronizationHandle? taken =
            TryAtOnce(spec, timeout, cancellationToken, out Deadline deadline);
        return taken is not null || !deadline.HasTime ? new(taken) : WaitAsync(spec, deadline, cancellationToken);
    }

    private static async ValueTask<NativeIpcDistributedSynchronizationHandle?> WaitAsync(GateSpec spec,
        Deadline deadline, CancellationToken cancellationToken)
    {
        var agreeing = new Agreeing();
        while (deadline.HasTime)
        {
            if (Gates.TryRent(spec) is not { } lease)
            {
                if (agreeing.IsOver) throw Gate.NotAgreed(spec);
                await Task.Delay(Agreeing.PauseWithin(deadline), cancellationToken).ConfigureAwait(false);
                continue;
            }

            bool isTaken;
            try
            {
                isTaken = await WaitForAsync(lease.Gate, deadline, cancellationToken).ConfigureAwait(false);
            }
            catch
            {
                lease.Return();
                throw;
            }

            if (Keep(lease, isTaken) is { } handle) return handle;
        }

        return null;
    }

    private static async ValueTask<bool> WaitForAsync(Gate gate, Deadline deadline, CancellationToken cancellationToken)
    {
        using var wait = new Wait(gate, cancellationToken);
        try
        {
            return await gate.TryTakeAsync(deadline, wait.Token).ConfigureAwait(false);
        }
        catch (Exception failure) when (Wait.CanEnd(failure))
        {
            cancellationToken.ThrowIfCancellationRequested();
            return false;
        }
    }

    private static NativeIpcDistributedSynchronizationHandle? TryAtOnce(GateSpec spec, TimeSpan timeout,
        CancellationToken cancellationToken, out Deadline deadline)
    {
        deadline = new Deadline(timeout);
        cancellationToken.ThrowIfCancellationRequested();
        while (true)
        {
            if (Gates.TryRent(spec) is not { } lease) return null;
            bool isTaken = false;
            bool isGone = false;
            try
            {
                isTaken = lease.Gate.TryTake(default, CancellationToken.None);
                isGone = !isTaken && lease.Gate.WasReplaced;
            }
            catch (NativeIpcException failure) when (failure.Error == NativeIpcError.NotFound)
            {
                isGone = true;
            }
            catch
            {
                lease.Return();
                throw;
            }

            if (isTaken && Keep(lease, isTaken) is { } handle) return handle;
            if (isTaken) continue;
            lease.Return(isGone);
            if (!isGone) return null;
        }
    }

    /// <summary>Makes a handle of a permit that was taken, or returns the lease.</summary>
    private static NativeIpcDistributedSynchronizationHandle? Keep(Gates.Lease lease, bool isTaken)
    {
        Gate gate = lease.Gate;
        bool isGone = false;
        bool isKept = false;
        try
        {
            isGone = gate.WasReplaced;
            isKept = isTaken && !isGone;
            return isKept ? new NativeIpcDistributedSynchronizationHandle(lease) : null;
        }
        finally
        {
            if (!isKept) LetGo(lease, isTaken, isGone);
        }
    }

    private static void LetGo(Gates.Lease lease, bool isTaken, bool isGone)
    {
        try
        {
            if (isTaken) lease.Gate.GiveBack();
        }
        finally
        {
            lease.Return(isGone);
        }
    }

    private static TimeoutException TimedOut(GateSpec spec, TimeSpan? timeout)
        => new($"Timed out after {timeout} while acquiring the "
            + $"{(spec.Kind == GateKind.Lock ? "lock" : "semaphore")} '{spec.Name}'.");

    /// <summary>A wait for others who agree on the maximum of a semaphore: besides the caller's time, it is over when
    /// one of them has stopped.</summary>
    private readonly struct Agreeing()
    {
        private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(10);

        private readonly long _began = Stopwatch.GetTimestamp();

        public bool IsOver => Stopwatch.GetElapsedTime(_began) >= CrashSafe.s_longestWait;

        public static TimeSpan PauseWithin(in Deadline deadline)
            => deadline.Rest is var rest && rest >= TimeSpan.Zero && rest < s_pause ? rest : s_pause;
    }

    /// <summary>A wait that ends when the gate is found lost, too.</summary>
    private sealed class Wait : IDisposable
    {
        private readonly CancellationTokenSource _lost;
        private readonly IDisposable _watch;

        public Wait(Gate gate, CancellationToken callers)
        {
            CancellationTokenSource lost = CancellationTokenSource.CreateLinkedTokenSource(callers);
            _lost = lost;
            _watch = gate.Watch(() => _ = lost.CancelAsync(), isHolder: false);
        }

        public CancellationToken Token => _lost.Token;

        /// <summary>Whether a failure can mean that the object is gone: the caller's own cancellation is looked for
        /// first.</summary>
        public static bool CanEnd(Exception failure)
            => failure is OperationCanceledException or NativeIpcException { Error: NativeIpcError.NotFound };

        public void Dispose()
        {
            _watch.Dispose();
            _lost.Dispose();
        }
    }
}
