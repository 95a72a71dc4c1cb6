using System.Diagnostics.CodeAnalysis;
using Microsoft.Win32.SafeHandles;

namespace NativeIpc.NamedObjects;

/// <summary>A named semaphore, mutex or event of Windows, there and on Linux: what .NET's <see cref="Semaphore"/>,
/// <see cref="Mutex"/> and <see cref="EventWaitHandle"/> have in common.</summary>
/// <remarks>
/// <para>On Windows, and without a name, it is the system's own object, and every member of
/// <see cref="WaitHandle"/> works. With a name on Linux it is an object of NativeIpc, on which .NET cannot wait: the
/// <c>WaitOne</c> methods work, <see cref="SafeWaitHandle"/> throws <see cref="PlatformNotSupportedException"/> (by the
/// base class it is a closed handle), and .NET's own static methods (<c>WaitHandle.WaitAny</c>, <c>WaitAll</c>,
/// <c>SignalAndWait</c>) and <c>ThreadPool.RegisterWaitForSingleObject</c> throw
/// <see cref="ObjectDisposedException"/>, as for a handle that is closed.</para>
/// <para>Thread safety: every member may be called from any thread at any time. A wait of a thread ends with
/// <see cref="ObjectDisposedException"/> when another one disposes the handle. <see cref="Thread.Interrupt"/> does not
/// end a wait on Linux.</para>
/// </remarks>
public abstract partial class NamedWaitHandle : WaitHandle
{
    // What .NET finds in a named object of Linux: a closed handle, of which it says so before it waits for anything.
    private static readonly SafeWaitHandle s_none = ClosedHandle();

    private readonly bool _isPlain;

    private protected NamedWaitHandle(WaitHandle? plain)
    {
        base.SafeWaitHandle = plain?.SafeWaitHandle ?? s_none;
        _isPlain = plain is not null;
    }

    private static SafeWaitHandle ClosedHandle()
    {
        var handle = new SafeWaitHandle(0, ownsHandle: false);
        handle.Dispose();
        return handle;
    }

    /// <summary>The handle of the system's object, on Windows or without a name.</summary>
    /// <exception cref="PlatformNotSupportedException">It is a named object on Linux, which is none of the
    /// system's.</exception>
    [AllowNull]
    public new SafeWaitHandle SafeWaitHandle
    {
        get => _isPlain ? base.SafeWaitHandle : throw NotOffered(nameof(SafeWaitHandle));
        set
        {
            if (!_isPlain) throw NotOffered(nameof(SafeWaitHandle));
            base.SafeWaitHandle = value;
        }
    }

    /// <summary>Whether the system has the object, and .NET waits for it.</summary>
    internal bool IsPlain => _isPlain;

    /// <summary>Waits as long as it takes.</summary>
    /// <returns>True.</returns>
    /// <exception cref="ObjectDisposedException">It was disposed, before or meanwhile.</exception>
    /// <exception cref="AbandonedMutexException">The last owner of a mutex ended without releasing it. This thread owns
    /// it now.</exception>
    public override bool WaitOne() => _isPlain ? base.WaitOne() : Wait(Timeout.InfiniteTimeSpan);

    /// <summary>Waits at most for a time.</summary>
    /// <param name="millisecondsTimeout">Milliseconds; 0 tries once, <see cref="Timeout.Infinite"/> waits as long as it
    /// takes.</param>
    /// <returns>False when the time passed.</returns>
    /// <exception cref="ArgumentOutOfRangeException">It is negative, and not infinite.</exception>
    /// <exception cref="ObjectDisposedException">It was disposed, before or meanwhile.</exception>
    /// <exception cref="AbandonedMutexException">The last owner of a mutex ended without releasing it. This thread owns
    /// it now.</exception>
    public override bool WaitOne(int millisecondsTimeout)
    {
        if (_isPlain) return base.WaitOne(millisecondsTimeout);
        ArgumentOutOfRangeException.ThrowIfLessThan(millisecondsTimeout, Timeout.Infinite);
        return Wait(TimeSpan.FromMilliseconds(millisecondsTimeout));
    }

    /// <summary>Waits at most for a time.</summary>
    /// <param name="timeout">The time; zero tries once, <see cref="Timeout.InfiniteTimeSpan"/> waits as long as it
    /// takes.</param>
    /// <returns>False when the time passed.</returns>
    /// <exception cref="ArgumentOutOfRangeException">It is negative and not infinite, or over 2^31-1 ms.</exception>
    /// <exception cref="ObjectDisposedException">It was disposed, before or meanwhile.</exception>
    /// <exception cref="AbandonedMutexException">The last owner of a mutex ended without releasing it. This thread owns
    /// it now.</exception>
    public override bool WaitOne(TimeSpan timeout) => WaitOne(Milliseconds(timeout));

    /// <inheritdoc cref="WaitOne(int)" path="/*[not(self::param)]"/>
    /// <param name="millisecondsTimeout">Milliseconds; 0 tries once, <see cref="Timeout.Infinite"/> waits as long as it
    /// takes.</param>
    /// <param name="exitContext">Without effect, as in .NET.</param>
    public override bool WaitOne(int millisecondsTimeout, bool exitContext) => WaitOne(millisecondsTimeout);

    /// <inheritdoc cref="WaitOne(TimeSpan)" path="/*[not(self::param)]"/>
    /// <param name="timeout">The time; zero tries once, <see cref="Timeout.InfiniteTimeSpan"/> waits as long as it
    /// takes.</param>
    /// <param name="exitContext">Without effect, as in .NET.</param>
    public override bool WaitOne(TimeSpan timeout, bool exitContext) => WaitOne(timeout);

    /// <summary>Waits for a named object of Linux.</summary>
    /// <param name="timeout">The time; zero tries once, infinite waits as long as it takes.</param>
    private protected abstract bool Wait(TimeSpan timeout);

    private protected static int Milliseconds(TimeSpan timeout)
    {
        double milliseconds = timeout.TotalMilliseconds;
        if (milliseconds is <= -2 or > int.MaxValue || (milliseconds < 0 && timeout != Timeout.InfiniteTimeSpan))
            throw new ArgumentOutOfRangeException(nameof(timeout), timeout,
                "A time to wait is not negative, unless it is infinite (-1 ms), and at most 2^31-1 ms.");
        return (int)milliseconds;
    }

    private PlatformNotSupportedException NotOffered(string member)
        => new($"{GetType().Name}.{member} is not offered for a named object on Linux: the object is none of the "
            + "system's. Wait by the methods of this class.");
}
