using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace NativeIpc.NamedObjects;

/// <content>Waiting for one of several.</content>
public abstract partial class NamedWaitHandle
{
    private const int MostHandles = 64;

    /// <summary>Waits for one of several handles, named and local ones mixed, as long as it takes.</summary>
    /// <remarks>
    /// <para>Takes exactly one: where several can be taken at once, the one with the lowest index. A token is waited
    /// for by its <see cref="CancellationToken.WaitHandle"/>.</para>
    /// <para>Named objects on Linux are one wait of <see cref="SystemWait"/>, which takes nothing else. With local
    /// handles among them, one of each kind may become ready in the same moment: a local
    /// <see cref="ManualResetEvent"/>, as that of a token, then lets the named object be the one that was taken; beside
    /// another local handle the named object is given back at once, and others may miss it for that moment.</para>
    /// </remarks>
    /// <param name="waitHandles">The handles, 1 to 64.</param>
    /// <returns>The index of the one that was taken.</returns>
    /// <exception cref="ArgumentNullException">The array or one of the handles is null.</exception>
    /// <exception cref="ArgumentException">The array is empty.</exception>
    /// <exception cref="NotSupportedException">There are more than 64.</exception>
    /// <exception cref="ObjectDisposedException">One was disposed, before or meanwhile.</exception>
    /// <exception cref="AbandonedMutexException">A mutex was taken from an owner that ended without releasing
    /// it.</exception>
    public static new int WaitAny(WaitHandle[] waitHandles) => WaitAny(waitHandles, Timeout.Infinite);

    /// <inheritdoc cref="WaitAny(WaitHandle[])" path="/*[not(self::param)]"/>
    /// <summary>Waits for one of several handles, named and local ones mixed, at most for a time.</summary>
    /// <param name="waitHandles">The handles, 1 to 64.</param>
    /// <param name="millisecondsTimeout">Milliseconds; 0 tries once, <see cref="Timeout.Infinite"/> waits as long as it
    /// takes.</param>
    /// <returns>The index of the one that was taken; <see cref="WaitHandle.WaitTimeout"/> when the time
    /// passed.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The time is negative, and not infinite.</exception>
    public static new int WaitAny(WaitHandle[] waitHandles, int millisecondsTimeout)
    {
        int named = CountNamed(waitHandles);
        if (named == 0) return WaitHandle.WaitAny(waitHandles, millisecondsTimeout);
        ArgumentOutOfRangeException.ThrowIfLessThan(millisecondsTimeout, Timeout.Infinite);
        if (waitHandles.Length > MostHandles)
            throw new NotSupportedException($"One wait is for {MostHandles} handles at most.");
        int taken = TakeFirst(waitHandles);
        return taken >= 0 ? taken : millisecondsTimeout == 0 ? WaitTimeout
            : named == waitHandles.Length ? WaitForNamed(waitHandles, millisecondsTimeout)
            : MixedWait.Run(waitHandles, named, millisecondsTimeout);
    }

    /// <inheritdoc cref="WaitAny(WaitHandle[], int)" path="/*[not(self::param)]"/>
    /// <param name="waitHandles">The handles, 1 to 64.</param>
    /// <param name="timeout">The time; zero tries once, <see cref="Timeout.InfiniteTimeSpan"/> waits as long as it
    /// takes.</param>
    public static new int WaitAny(WaitHandle[] waitHandles, TimeSpan timeout)
        => WaitAny(waitHandles, Milliseconds(timeout));

    /// <inheritdoc cref="WaitAny(WaitHandle[], int)" path="/*[not(self::param)]"/>
    /// <param name="waitHandles">The handles, 1 to 64.</param>
    /// <param name="millisecondsTimeout">Milliseconds; 0 tries once, <see cref="Timeout.Infinite"/> waits as long as it
    /// takes.</param>
    /// <param name="exitContext">Without effect, as in .NET.</param>
    public static new int WaitAny(WaitHandle[] waitHandles, int millisecondsTimeout, bool exitContext)
        => WaitAny(waitHandles, millisecondsTimeout);

    /// <inheritdoc cref="WaitAny(WaitHandle[], TimeSpan)" path="/*[not(self::param)]"/>
    /// <param name="waitHandles">The handles, 1 to 64.</param>
    /// <param name="timeout">The time; zero tries once, <see cref="Timeout.InfiniteTimeSpan"/> waits as long as it
    /// takes.</param>
    /// <param name="exitContext">Without effect, as in .NET.</param>
    public static new int WaitAny(WaitHandle[] waitHandles, TimeSpan timeout, bool exitContext)
        => WaitAny(waitHandles, timeout);

    /// <summary>Waits for all of several handles, where the system has them all: not offered with a named object on
    /// Linux.</summary>
    /// <param name="waitHandles">The handles.</param>
    /// <returns>True.</returns>
    /// <exception cref="PlatformNotSupportedException">One is a named object on Linux.</exception>
    public static new bool WaitAll(WaitHandle[] waitHandles)
        => WaitHandle.WaitAll(WithoutNamed(waitHandles, nameof(WaitAll)));

    /// <inheritdoc cref="WaitAll(WaitHandle[])" path="/*[not(self::param)]"/>
    /// <param name="waitHandles">The handles.</param>
    /// <param name="millisecondsTimeout">Milliseconds.</param>
    /// <returns>False when the time passed.</returns>
    public static new bool WaitAll(WaitHandle[] waitHandles, int millisecondsTimeout)
        => WaitHandle.WaitAll(WithoutNamed(waitHandles, nameof(WaitAll)), millisecondsTimeout);

    /// <inheritdoc cref="WaitAll(WaitHandle[], int)" path="/*[not(self::param)]"/>
    /// <param name="waitHandles">The handles.</param>
    /// <param name="timeout">The time.</param>
    public static new bool WaitAll(WaitHandle[] waitHandles, TimeSpan timeout)
        => WaitHandle.WaitAll(WithoutNamed(waitHandles, nameof(WaitAll)), timeout);

    /// <inheritdoc cref="WaitAll(WaitHandle[], int)" path="/*[not(self::param)]"/>
    /// <param name="waitHandles">The handles.</param>
    /// <param name="millisecondsTimeout">Milliseconds.</param>
    /// <param name="exitContext">Without effect, as in .NET.</param>
    public static new bool WaitAll(WaitHandle[] waitHandles, int millisecondsTimeout, bool exitContext)
        => WaitAll(waitHandles, millisecondsTimeout);

    /// <inheritdoc cref="WaitAll(WaitHandle[], TimeSpan)" path="/*[not(self::param)]"/>
    /// <param name="waitHandles">The handles.</param>
    /// <param name="timeout">The time.</param>
    /// <param name="exitContext">Without effect, as in .NET.</param>
    public static new bool WaitAll(WaitHandle[] waitHandles, TimeSpan timeout, bool exitContext)
        => WaitAll(waitHandles, timeout);

    /// <summary>Signals one handle and waits for another one in one step, where the system has both: not offered with a
    /// named object on Linux.</summary>
    /// <param name="toSignal">The handle to signal.</param>
    /// <param name="toWaitOn">The handle to wait for.</param>
    /// <returns>True.</returns>
    /// <exception cref="PlatformNotSupportedException">One is a named object on Linux.</exception>
    public static new bool SignalAndWait(WaitHandle toSignal, WaitHandle toWaitOn)
        => SignalAndWait(toSignal, toWaitOn, Timeout.Infinite, false);

    /// <inheritdoc cref="SignalAndWait(WaitHandle, WaitHandle)" path="/*[not(self::param)]"/>
    /// <param name="toSignal">The handle to signal.</param>
    /// <param name="toWaitOn">The handle to wait for.</param>
    /// <param name="timeout">The time.</param>
    /// <param name="exitContext">Without effect, as in .NET.</param>
    /// <returns>False when the time passed.</returns>
    public static new bool SignalAndWait(WaitHandle toSignal, WaitHandle toWaitOn, TimeSpan timeout, bool exitContext)
        => SignalAndWait(toSignal, toWaitOn, Milliseconds(timeout), exitContext);

    /// <inheritdoc cref="SignalAndWait(WaitHandle, WaitHandle, TimeSpan, bool)" path="/*[not(self::param)]"/>
    /// <param name="toSignal">The handle to signal.</param>
    /// <param name="toWaitOn">The handle to wait for.</param>
    /// <param name="millisecondsTimeout">Milliseconds.</param>
    /// <param name="exitContext">Without effect, as in .NET.</param>
    public static new bool SignalAndWait(WaitHandle toSignal, WaitHandle toWaitOn, int millisecondsTimeout,
        bool exitContext)
    {
        ArgumentNullException.ThrowIfNull(toSignal);
        ArgumentNullException.ThrowIfNull(toWaitOn);
        _ = WithoutNamed([toSignal, toWaitOn], nameof(SignalAndWait));
        return WaitHandle.SignalAndWait(toSignal, toWaitOn, millisecondsTimeout, exitContext);
    }

    /// <summary>The object, as one of several that are waited for. What is taken of it is nobody's until
    /// <see cref="Keep"/> or <see cref="GiveBack"/>.</summary>
    /// <exception cref="ObjectDisposedException">It was disposed.</exception>
    private protected abstract SystemWaitTarget Target { get; }

    /// <summary>What was taken is the calling thread's.</summary>
    /// <exception cref="AbandonedMutexException">From an owner that has ended.</exception>
    private protected virtual void Keep(int index)
    {
    }

    /// <summary>What was taken is given back.</summary>
    private protected abstract void GiveBack();

    /// <summary>How many of them are named objects of Linux.</summary>
    private static int CountNamed(WaitHandle[] handles)
    {
        ArgumentNullException.ThrowIfNull(handles);
        int count = 0;
        foreach (WaitHandle handle in handles)
        {
            if (handle is null) throw new ArgumentNullException(nameof(handles), "One of the handles is null.");
            if (handle is NamedWaitHandle { _isPlain: false }) count++;
        }

        return count;
    }

    private static WaitHandle[] WithoutNamed(WaitHandle[] handles, string member)
        => CountNamed(handles) == 0 ? handles : throw new PlatformNotSupportedException(
            $"{member} is not offered with a named object on Linux: no step of the system takes several of them, or "
                + "none. Wait for one after the other, in one order everywhere.");

    /// <summary>Takes the first one that can be taken now; -1 when none can.</summary>
    private static int TakeFirst(WaitHandle[] handles)
    {
        for (int i = 0; i < handles.Length; i++)
        {
            try
            {
                if (handles[i].WaitOne(0)) return i;
            }
            catch (AbandonedMutexException)
            {
                throw new AbandonedMutexException(i, handles[i]);
            }
        }

        return -1;
    }

    /// <summary>Waits for named objects alone, of which none could be taken at once, in one sleep.</summary>
    /// <remarks>None of them is a mutex that the calling thread owns: that one would have been taken, and no other
    /// thread can make it its owner.</remarks>
    private static int WaitForNamed(WaitHandle[] handles, int millisecondsTimeout)
    {
        Targets space = default;
        Span<SystemWaitTarget> targets = ((Span<SystemWaitTarget>)space)[..handles.Length];
        for (int i = 0; i < targets.Length; i++) targets[i] = ((NamedWaitHandle)handles[i]).Target;
        int index = SystemWait.Any(targets, TimeSpan.FromMilliseconds(millisecondsTimeout)).Index;
        if (index < 0) return WaitTimeout;
        ((NamedWaitHandle)handles[index]).Keep(index);
        return index;
    }

    /// <summary>The targets of one wait, on the stack.</summary>
    [InlineArray(MostHandles)]
    private struct Targets
    {
        private SystemWaitTarget _first;
    }

    /// <summary>One wait for named and local handles, of which none could be taken at once.</summary>
    /// <remarks>The named ones are one wait without a thread, which takes one of them at most. All local ones are
    /// waited for on this thread, beside an event that says that a named one was taken, or that the wait for them
    /// failed. What was taken and is not the answer is given back.</remarks>
    private sealed class MixedWait : IDisposable
    {
        private readonly WaitHandle[] _handles;
        private readonly int[] _named;
        private readonly int[] _local;
        private readonly CancellationTokenSource _isOver = new();
        private readonly ManualResetEvent _isTaken = new(false);
        private readonly Task<SystemWaitResult> _taking;
        private readonly Task _telling;

        private MixedWait(WaitHandle[] handles, int named)
        {
            _handles = handles;
            _named = new int[named];
            _local = new int[handles.Length - named];
            var targets = new SystemWaitTarget[named];
            for (int i = 0, local = 0; i < handles.Length; i++)
            {
                if (handles[i] is NamedWaitHandle { _isPlain: false } handle)
                {
                    int position = i - local;
                    _named[position] = i;
                    targets[position] = handle.Target;
                }
                else _local[local++] = i;
            }

            _taking = SystemWait.AnyAsync(targets, Timeout.InfiniteTimeSpan, _isOver.Token).AsTask();
            _telling = _taking.ContinueWith(static (_, isTaken) => ((ManualResetEvent)isTaken!).Set(), _isTaken,
                CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously
                    | TaskContinuationOptions.NotOnCanceled, TaskScheduler.Default);
        }

        public static int Run(WaitHandle[] handles, int named, int millisecondsTimeout)
        {
            using var wait = new MixedWait(handles, named);
            int local;
            try
            {
                local = wait.Sleep(millisecondsTimeout);
            }
            catch
            {
                if (wait.End() is { Failure: null, Index: >= 0 and int unwanted }) wait.Named(unwanted).GiveBack();
                throw;
            }

            (int taken, Exception? failure) = wait.End();
            if (local < 0 && failure is not null) throw failure;
            if (taken < 0) return local < 0 ? WaitTimeout : local;

            // R1 Race: both kinds have become ready. Safe because: a local event that stays set was not changed by the
            // wait; what another local handle gave cannot be given back, and what the named one gave can.
            if (local >= 0 && handles[local] is not ManualResetEvent)
            {
                wait.Named(taken).GiveBack();
                return local;
            }

            wait.Named(taken).Keep(taken);
            return taken;
        }

        private NamedWaitHandle Named(int index) => (NamedWaitHandle)_handles[index];

        /// <summary>The index of the local one that was taken; -1 for none.</summary>
        private int Sleep(int millisecondsTimeout)
        {
            var all = new WaitHandle[_local.Length + 1];
            all[0] = _isTaken;
            for (int i = 0; i < _local.Length; i++) all[i + 1] = _handles[_local[i]];
            try
            {
                int woken = WaitHandle.WaitAny(all, millisecondsTimeout);
                return woken is 0 or WaitTimeout ? -1 : _local[woken - 1];
            }
            catch (AbandonedMutexException abandoned)
            {
                int index = _local[abandoned.MutexIndex - 1];
                throw new AbandonedMutexException(index, _handles[index]);
            }
        }

        /// <summary>Ends the wait for the named ones: the index of the one that was taken, or -1, and why it
        /// failed.</summary>
        private (int Index, Exception? Failure) End()
        {
            _isOver.Cancel();
            try
            {
                SystemWaitResult taken = _taking.GetAwaiter().GetResult();
                Debug.Assert(!taken.TimedOut);
                return (_named[taken.Index], null);
            }
            catch (OperationCanceledException)
            {
                return (-1, null);
            }
            catch (Exception failure) when (failure is NativeIpcException or ObjectDisposedException)
            {
                return (-1, failure);
            }
        }

        public void Dispose()
        {
            Task.WaitAny(_telling); // which uses the event; a result is there before that
            _isOver.Dispose();
            _isTaken.Dispose();
        }
    }
}
