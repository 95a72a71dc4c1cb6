namespace NativeIpc.NamedObjects;

/// <content>Waiting for one of several.</content>
public abstract partial class NamedWaitHandle
{
    private const int MostHandles = 64;

    /// <summary>Waits for one of several handles, named and local ones mixed, as long as it takes.</summary>
    /// <remarks>Takes exactly one: where several can be taken, the one with the lowest index. While it waits for named
    /// objects on Linux it may take one more for a moment, and gives that back. A token is waited for by its
    /// <see cref="CancellationToken.WaitHandle"/>.</remarks>
    /// <param name="waitHandles">The handles, 1 to 64.</param>
    /// <returns>The index of the one that was taken.</returns>
    /// <exception cref="ArgumentNullException">The array or one of the handles is null.</exception>
    /// <exception cref="ArgumentException">The array is empty.</exception>
    /// <exception cref="NotSupportedException">There are more than 64.</exception>
    /// <exception cref="ObjectDisposedException">One was disposed, before or meanwhile.</exception>
    /// <exception cref="AbandonedMutexException">A mutex was taken from an owner that ended without releasing
    /// it.</exception>
    public static new int WaitAny(WaitHandle[] waitHandles) => WaitAny(waitHandles, Timeout.Infinite);

    /// <inheritdoc cref="WaitAny(WaitHandle[])"/>
    /// <summary>Waits for one of several handles, named and local ones mixed, at most for a time.</summary>
    /// <param name="waitHandles">The handles, 1 to 64.</param>
    /// <param name="millisecondsTimeout">Milliseconds; 0 tries once, <see cref="Timeout.Infinite"/> waits as long as it
    /// takes.</param>
    /// <returns>The index of the one that was taken; <see cref="WaitHandle.WaitTimeout"/> when the time
    /// passed.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The time is negative, and not infinite.</exception>
    public static new int WaitAny(WaitHandle[] waitHandles, int millisecondsTimeout)
    {
        if (!HasNamed(waitHandles)) return WaitHandle.WaitAny(waitHandles, millisecondsTimeout);
        ArgumentOutOfRangeException.ThrowIfLessThan(millisecondsTimeout, Timeout.Infinite);
        if (waitHandles.Length > MostHandles)
            throw new NotSupportedException($"One wait is for {MostHandles} handles at most.");
        int taken = TakeFirst(waitHandles);
        return taken >= 0 ? taken
            : millisecondsTimeout == 0 ? WaitTimeout : AnyWait.Run(waitHandles, millisecondsTimeout);
    }

    /// <inheritdoc cref="WaitAny(WaitHandle[], int)"/>
    /// <param name="waitHandles">The handles, 1 to 64.</param>
    /// <param name="timeout">The time; zero tries once, <see cref="Timeout.InfiniteTimeSpan"/> waits as long as it
    /// takes.</param>
    public static new int WaitAny(WaitHandle[] waitHandles, TimeSpan timeout)
        => WaitAny(waitHandles, Milliseconds(timeout));

    /// <inheritdoc cref="WaitAny(WaitHandle[], int)"/>
    /// <param name="waitHandles">The handles, 1 to 64.</param>
    /// <param name="millisecondsTimeout">Milliseconds; 0 tries once, <see cref="Timeout.Infinite"/> waits as long as it
    /// takes.</param>
    /// <param name="exitContext">Without effect, as in .NET.</param>
    public static new int WaitAny(WaitHandle[] waitHandles, int millisecondsTimeout, bool exitContext)
        => WaitAny(waitHandles, millisecondsTimeout);

    /// <inheritdoc cref="WaitAny(WaitHandle[], TimeSpan)"/>
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

    /// <inheritdoc cref="WaitAll(WaitHandle[])"/>
    /// <param name="waitHandles">The handles.</param>
    /// <param name="millisecondsTimeout">Milliseconds.</param>
    /// <returns>False when the time passed.</returns>
    public static new bool WaitAll(WaitHandle[] waitHandles, int millisecondsTimeout)
        => WaitHandle.WaitAll(WithoutNamed(waitHandles, nameof(WaitAll)), millisecondsTimeout);

    /// <inheritdoc cref="WaitAll(WaitHandle[], int)"/>
    /// <param name="waitHandles">The handles.</param>
    /// <param name="timeout">The time.</param>
    public static new bool WaitAll(WaitHandle[] waitHandles, TimeSpan timeout)
        => WaitHandle.WaitAll(WithoutNamed(waitHandles, nameof(WaitAll)), timeout);

    /// <inheritdoc cref="WaitAll(WaitHandle[], int)"/>
    /// <param name="waitHandles">The handles.</param>
    /// <param name="millisecondsTimeout">Milliseconds.</param>
    /// <param name="exitContext">Without effect, as in .NET.</param>
    public static new bool WaitAll(WaitHandle[] waitHandles, int millisecondsTimeout, bool exitContext)
        => WaitAll(waitHandles, millisecondsTimeout);

    /// <inheritdoc cref="WaitAll(WaitHandle[], TimeSpan)"/>
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

    /// <inheritdoc cref="SignalAndWait(WaitHandle, WaitHandle)"/>
    /// <param name="toSignal">The handle to signal.</param>
    /// <param name="toWaitOn">The handle to wait for.</param>
    /// <param name="timeout">The time.</param>
    /// <param name="exitContext">Without effect, as in .NET.</param>
    /// <returns>False when the time passed.</returns>
    public static new bool SignalAndWait(WaitHandle toSignal, WaitHandle toWaitOn, TimeSpan timeout, bool exitContext)
        => SignalAndWait(toSignal, toWaitOn, Milliseconds(timeout), exitContext);

    /// <inheritdoc cref="SignalAndWait(WaitHandle, WaitHandle, TimeSpan, bool)"/>
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

    /// <summary>Takes the object for nobody yet, waiting for it without a thread; <see cref="Keep"/> or
    /// <see cref="GiveBack"/> follows.</summary>
    private protected abstract ValueTask<bool> TakeAsync(CancellationToken cancellationToken);

    /// <summary>What was taken for nobody is the calling thread's.</summary>
    /// <exception cref="AbandonedMutexException">From an owner that has ended.</exception>
    private protected virtual void Keep(int index)
    {
    }

    /// <summary>What was taken for nobody is given back.</summary>
    private protected abstract void GiveBack();

    private static bool HasNamed(WaitHandle[] handles)
    {
        ArgumentNullException.ThrowIfNull(handles);
        bool isAny = false;
        foreach (WaitHandle handle in handles)
        {
            if (handle is null) throw new ArgumentNullException(nameof(handles), "One of the handles is null.");
            isAny |= handle is NamedWaitHandle { _isPlain: false };
        }

        return isAny;
    }

    private static WaitHandle[] WithoutNamed(WaitHandle[] handles, string member)
        => !HasNamed(handles) ? handles : throw new PlatformNotSupportedException(
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

    /// <summary>One wait for several, of which none could be taken at once.</summary>
    /// <remarks>Each named object is awaited without a thread, and all local ones together on this thread, beside an
    /// event that says that a named one was taken. What was taken and is not the answer is given back.</remarks>
    private sealed class AnyWait : IDisposable
    {
        private readonly CancellationTokenSource _isOver = new();
        private readonly ManualResetEvent _isTaken = new(false);
        private readonly List<(int Index, NamedWaitHandle Handle, Task<bool> Taking)> _named = [];
        private readonly List<int> _local = [];

        public static int Run(WaitHandle[] handles, int millisecondsTimeout)
        {
            using var wait = new AnyWait();
            int answer;
            try
            {
                answer = wait.Sleep(handles, millisecondsTimeout);
            }
            catch
            {
                _ = wait.End(WaitTimeout, keepsOne: false);
                throw;
            }

            answer = wait.End(answer, keepsOne: true);
            if (answer != WaitTimeout && handles[answer] is NamedWaitHandle { _isPlain: false } taken)
                taken.Keep(answer);
            return answer;
        }

        /// <summary>The index of the local one that was taken, or of the first named one; a time-out.</summary>
        private int Sleep(WaitHandle[] handles, int millisecondsTimeout)
        {
            for (int i = 0; i < handles.Length; i++)
            {
                if (handles[i] is NamedWaitHandle { _isPlain: false } named)
                {
                    Task<bool> taking = named.TakeAsync(_isOver.Token).AsTask();
                    _named.Add((i, named, taking));
                    taking.ContinueWith(static (_, isTaken) => ((ManualResetEvent)isTaken!).Set(), _isTaken,
                        CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously
                            | TaskContinuationOptions.NotOnCanceled, TaskScheduler.Default);
                }
                else _local.Add(i);
            }

            WaitHandle[] all = [_isTaken, .. _local.Select(i => handles[i])];
            try
            {
                int woken = WaitHandle.WaitAny(all, millisecondsTimeout);
                return woken is 0 or WaitTimeout ? WaitTimeout : _local[woken - 1];
            }
            catch (AbandonedMutexException abandoned)
            {
                int index = _local[abandoned.MutexIndex - 1];
                throw new AbandonedMutexException(index, handles[index]);
            }
        }

        /// <summary>Ends the waits for named ones. The first that was taken is the answer if there is none yet; the
        /// others are given back.</summary>
        private int End(int answer, bool keepsOne)
        {
            _isOver.Cancel();
            Exception? failure = null;
            foreach ((int index, NamedWaitHandle handle, Task<bool> taking) in _named)
            {
                try
                {
                    if (!taking.GetAwaiter().GetResult()) continue;
                }
                catch (OperationCanceledException)
                {
                    continue;
                }
                catch (Exception thrown) when (thrown is NativeIpcException or ObjectDisposedException)
                {
                    failure ??= thrown;
                    continue;
                }

                if (keepsOne && answer == WaitTimeout) answer = index;
                else handle.GiveBack();
            }

            if (keepsOne && answer == WaitTimeout && failure is not null) throw failure;
            return answer;
        }

        public void Dispose()
        {
            _isOver.Dispose();
            _isTaken.Dispose();
        }
    }
}
