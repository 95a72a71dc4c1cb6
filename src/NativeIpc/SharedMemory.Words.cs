using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Versioning;
using NativeIpc.Errors;
using NativeIpc.Waiting;
using NativeIpc.Waiting.Async;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc;

public sealed partial class SharedMemory : ICloseable
{
    private readonly Lock _pendingGate = new();
    private List<PendingWord>? _pendingWords; // from the first one on
    private int _wordWaits;

    bool ICloseable.IsClosed => Volatile.Read(ref _disposed) != 0;

    /// <summary>Sleeps while a word of the segment has a value, until somebody wakes its sleepers: what futex(2) does
    /// for processes that share memory, so that programs in C meet it (<c>FUTEX_WAIT</c> and <c>FUTEX_WAKE</c> without
    /// <c>FUTEX_PRIVATE_FLAG</c>). Linux.</summary>
    /// <inheritdoc cref="WaitOnWord(long, uint, TimeSpan, CancellationToken)" path="/remarks"/>
    /// <param name="offset">Where the word is, in bytes from the start; a multiple of 4.</param>
    /// <param name="expected">The value at which to sleep, in the byte order of this machine.</param>
    /// <returns><see cref="WordWaitResult.Woken"/> or <see cref="WordWaitResult.Changed"/>.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The word is not all inside the segment.</exception>
    /// <exception cref="ArgumentException">The offset is not a multiple of 4.</exception>
    /// <exception cref="PlatformNotSupportedException">This is not Linux.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed, before or meanwhile.</exception>
    /// <exception cref="NativeIpcException">InvalidSize when a peer has shortened the segment so that the word is gone;
    /// PermissionDenied when a sandbox refuses futex(2).</exception>
    [SupportedOSPlatform("linux")]
    public WordWaitResult WaitOnWord(long offset, uint expected)
        => WaitOnWord(offset, expected, Timeout.InfiniteTimeSpan);

    /// <summary>Sleeps while a word of the segment has a value, until somebody wakes its sleepers or a time on the
    /// monotonic clock has passed. Linux.</summary>
    /// <remarks>
    /// <para>The kernel compares the word and begins the sleep in one step: a peer that changes the word first and then
    /// wakes is never missed. As with futex(2), <see cref="WordWaitResult.Woken"/> says that there is something to look
    /// at, and not what: read the word, and wait again if it is as before. Each wake-up of one sleeper reaches one; one
    /// that comes together with a cancellation or a Dispose is passed on to another sleeper, and so the end of a wait
    /// may wake another one for nothing.</para>
    /// <para>The wait does not spin, takes no lock and allocates nothing. A segment that was opened for reading will
    /// do. With System V segments it works as well. A waiter that is killed leaves nothing behind.</para>
    /// <para>Thread safety: any number of threads and processes may wait and wake at once.</para>
    /// </remarks>
    /// <param name="offset">Where the word is, in bytes from the start; a multiple of 4.</param>
    /// <param name="expected">The value at which to sleep, in the byte order of this machine.</param>
    /// <param name="timeout">The longest wait; zero only compares, <see cref="Timeout.InfiniteTimeSpan"/> waits for
    /// ever.</param>
    /// <param name="cancellationToken">Ends the wait, at once.</param>
    /// <returns>Whether it was woken, found another value, or the time passed, which is never said early.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The word is not all inside the segment, or
    /// <paramref name="timeout"/> is negative and not infinite, or over 2^31-1 ms.</exception>
    /// <exception cref="ArgumentException">The offset is not a multiple of 4.</exception>
    /// <exception cref="PlatformNotSupportedException">This is not Linux.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed, before or meanwhile.</exception>
    /// <exception cref="NativeIpcException">InvalidSize when a peer has shortened the segment so that the word is gone;
    /// PermissionDenied when a sandbox refuses futex(2).</exception>
    [SupportedOSPlatform("linux")]
    public WordWaitResult WaitOnWord(long offset, uint expected, TimeSpan timeout,
        CancellationToken cancellationToken = default)
    {
        const string attempt = "wait on a word of the segment";
        var deadline = new Deadline(timeout);
        bool added = false;
        Enter(ref added);
        Interlocked.Increment(ref _wordWaits);
        try
        {
            // R1 Race: Dispose comes before the sleep. Safe because: this counts itself and then looks whether that has
            // begun (Wakeup.Sleep), Dispose begins and then looks at the count; so one of the two sees the other. The
            // memory stays mapped until this has left.
            WordWaitResult result = WordWaiter.Wait(this, WordAt(offset, attempt), expected, deadline,
                cancellationToken, out int number);
            CheckOpen();
            return number == 0 ? result : throw WordWaiter.Failed(attempt, Key, number);
        }
        finally
        {
            Interlocked.Decrement(ref _wordWaits);
            _segment.DangerousRelease();
        }
    }

    /// <summary>Waits without a thread while a word of the segment has a value, until somebody wakes its sleepers or a
    /// time on the monotonic clock has passed. Linux.</summary>
    /// <remarks>As the blocking form, on the thread that serves all asynchronous waits (docs/waiting.md). Change the
    /// word before waking: only the change is seen, every 1 to 20 ms, where the kernel has neither io_uring with futex
    /// waits (Linux 6.7) nor <c>futex_waitv</c> (5.16), and with the latter where another wait is served at the same
    /// moment. Continuations run on the thread pool.</remarks>
    /// <param name="offset">Where the word is, in bytes from the start; a multiple of 4.</param>
    /// <param name="expected">The value at which to wait, in the byte order of this machine.</param>
    /// <param name="timeout">The longest wait; zero only compares, <see cref="Timeout.InfiniteTimeSpan"/> waits for
    /// ever.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>A task that tells whether it was woken, found another value, or the time passed, which is never said
    /// early.</returns>
    /// <inheritdoc cref="WaitOnWord(long, uint, TimeSpan, CancellationToken)" path="/exception"/>
    [SupportedOSPlatform("linux")]
    public async ValueTask<WordWaitResult> WaitOnWordAsync(long offset, uint expected, TimeSpan timeout,
        CancellationToken cancellationToken = default)
    {
        PendingWord pending = BeginPending(offset, expected);
        try
        {
            return await pending.Queue.WaitAsync(timeout, cancellationToken).ConfigureAwait(false)
                ?? WordWaitResult.TimedOut;
        }
        finally
        {
            lock (_pendingGate) _pendingWords!.Remove(pending);
            pending.Dispose();
        }
    }

    private PendingWord BeginPending(long offset, uint expected)
    {
        bool added = false;
        try
        {
            Enter(ref added);
            _ = WordAt(offset, "wait on a word of the segment");
            var pending = new PendingWord(_segment, offset, expected, ((IWaitOwner)this).Disposed);

            // R2 Race: Dispose comes meanwhile. Safe because: it begins and then takes the list, this looks whether it
            // has begun when it adds, inside the same lock; so one of the two sees the other.
            lock (_pendingGate)
            {
                CheckOpen();
                (_pendingWords ??= []).Add(pending);
            }

            added = false; // it is the wait's now
            return pending;
        }
        finally
        {
            if (added) _segment.DangerousRelease();
        }
    }

    /// <summary>Wakes threads and processes that sleep on a word of the segment, here or in another program: FUTEX_WAKE
    /// of futex(2). Linux.</summary>
    /// <remarks>Change the word first: who begins to wait after that sees the change. Thread safety: any number of
    /// threads and processes may wait and wake at once. A waker that is killed between its change and this call leaves
    /// the sleepers asleep, until another one wakes them or their time passes.</remarks>
    /// <param name="offset">Where the word is, in bytes from the start; a multiple of 4.</param>
    /// <param name="count">How many at most, 1 or more; <see cref="int.MaxValue"/> for all.</param>
    /// <returns>How many were woken.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The word is not all inside the segment, or
    /// <paramref name="count"/> is less than 1.</exception>
    /// <exception cref="ArgumentException">The offset is not a multiple of 4.</exception>
    /// <exception cref="PlatformNotSupportedException">This is not Linux.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed.</exception>
    /// <exception cref="NativeIpcException">InvalidSize when a peer has shortened the segment so that the word is gone;
    /// PermissionDenied when a sandbox refuses futex(2).</exception>
    [SupportedOSPlatform("linux")]
    public int WakeWord(long offset, int count = 1)
    {
        const string attempt = "wake the sleepers of a word of the segment";
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        bool added = false;
        Enter(ref added);
        try
        {
            int number = WordWaiter.Wake(WordAt(offset, attempt), count, out int woken);
            return number == 0 ? woken : throw WordWaiter.Failed(attempt, Key, number);
        }
        finally
        {
            _segment.DangerousRelease();
        }
    }

    private unsafe nint WordAt(long offset, string attempt)
    {
        if (!OperatingSystem.IsLinux())
            throw new PlatformNotSupportedException(
                $"Cannot {attempt} {Failure.Describe(Key)}: only Linux offers that between processes (futex). "
                    + $"Use a SystemSemaphore.");
        return (nint)Unsafe.AsPointer(ref _segment.At<uint>(offset));
    }

    // Of Dispose, which has begun.
    private unsafe void EndWordWaits()
    {
        Debug.Assert(Volatile.Read(ref _disposed) != 0);
        if (Volatile.Read(ref _wordWaits) != 0) WordWaiter.EndWaits((nint)_segment.Pointer, Size);
        PendingWord[]? pending;
        lock (_pendingGate) pending = _pendingWords?.ToArray();
        if (pending is null) return;
        foreach (PendingWord word in pending) word.Queue.Close();
    }
}
