using System.Diagnostics;
using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Linux;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.Waiting;

/// <summary>A thread's wait on a word whose meaning is its user's: futex(2), Linux only. The word itself is never
/// touched here, since a peer may have shortened the file it is in.</summary>
internal static unsafe class WordWaiter
{
    /// <summary>Sleeps while a word has a value.</summary>
    /// <param name="target">What the word is of; its end ends the sleep. The caller keeps the memory mapped.</param>
    /// <param name="word">Where.</param>
    /// <param name="expected">The value.</param>
    /// <param name="deadline">Until when.</param>
    /// <param name="cancellationToken">Ends the sleep.</param>
    /// <param name="number">0, or the error number of futex(2) that leaves no result.</param>
    /// <returns>Why it is over; <see cref="WordWaitResult.Woken"/> also when the target was closed.</returns>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static WordWaitResult Wait(ICloseable target, nint word, uint expected, in Deadline deadline,
        CancellationToken cancellationToken, out int number)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Wakeup wakeup = Wakeup.BeginForNews();
        wakeup.Reset();
        using CancellationTokenRegistration listening =
            cancellationToken.UnsafeRegister(static waiting => ((Wakeup)waiting!).Wake(), wakeup);
        while (true)
        {
            TimeSpan left = deadline.Left(TimeSpan.MaxValue);
            bool isBounded = left != TimeSpan.MaxValue;
            Timespec until = isBounded ? Timespec.After(left, Flags.CLOCK_MONOTONIC) : default;
            number = wakeup.Sleep(target, (uint*)word, isBounded ? &until : null, expected);
            bool isEnded = target.IsClosed || cancellationToken.IsCancellationRequested;

            // R1 Race: a peer's wake-up of one sleeper comes here together with the end of this wait. Safe because: it
            // is passed on.
            if (number == 0 && isEnded) Futex.Wake((uint*)word, 1);
            cancellationToken.ThrowIfCancellationRequested();
            if (number == 0 || isEnded)
            {
                number = 0;
                return WordWaitResult.Woken;
            }

            if (number == Errno.EAGAIN)
            {
                number = 0;
                return WordWaitResult.Changed;
            }

            if (number == Errno.ETIMEDOUT)
            {
                // Earlier where no thread makes it look again: then it sleeps in slices.
                if (isBounded && deadline.Left(TimeSpan.MaxValue) == TimeSpan.Zero)
                {
                    number = 0;
                    return WordWaitResult.TimedOut;
                }
            }
            else if (number != Errno.EINTR)
            {
                return WordWaitResult.Woken;
            }
        }
    }

    /// <summary>Wakes sleepers of a word.</summary>
    /// <param name="word">Where.</param>
    /// <param name="count">At most how many.</param>
    /// <param name="woken">How many.</param>
    /// <returns>0, or the error number of futex(2).</returns>
    public static int Wake(nint word, int count, out int woken)
    {
        Debug.Assert(count > 0);
        return Futex.Wake((uint*)word, count, out woken);
    }

    /// <summary>Ends the sleeps of this process on the words of a closed target.</summary>
    public static void EndWaits(nint start, long size) => SleepWatch.WakeAll(start, start + (nint)size);

    /// <summary>What to throw for an error number.</summary>
    public static NativeIpcException Failed(string attempt, in NativeIpcKey key, int number)
        => number == Errno.EFAULT
            ? Failure.Of(NativeIpcError.InvalidSize, attempt, key, "futex", number,
                "A peer has shortened the segment since it was opened: make it anew, and let nobody truncate it.")
            : UnixErrors.Unexplained(attempt, key, "futex", number);
}
