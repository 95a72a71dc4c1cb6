using NativeIpc.Channels.Segments;

namespace NativeIpc.Channels;

public sealed partial class SharedRingWriter
{
    /// <summary>Writes a message, waiting for room as long as it takes.</summary>
    /// <param name="message">The bytes; none will do.</param>
    /// <param name="cancellationToken">Ends the wait; nothing was written then.</param>
    /// <exception cref="ArgumentOutOfRangeException">It is longer than <see cref="LongestMessage"/>.</exception>
    /// <exception cref="InvalidOperationException">A place is reserved and neither committed nor
    /// abandoned.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <exception cref="SharedChannelException">Damaged.</exception>
    /// <exception cref="ObjectDisposedException">It is disposed, before or meanwhile.</exception>
    public void Write(ReadOnlySpan<byte> message, CancellationToken cancellationToken = default)
    {
        if (!TryWrite(message)) TryWrite(message, Timeout.InfiniteTimeSpan, cancellationToken);
    }

    /// <summary>Writes a message, waiting for room at most for a time, on the monotonic clock.</summary>
    /// <remarks>What was appended before is shown first, since the reader could make no room otherwise. Before it
    /// sleeps, the call tries for up to 50 µs, if that has paid lately.</remarks>
    /// <param name="message">The bytes; none will do.</param>
    /// <param name="timeout">The longest wait; zero tries once, <see cref="Timeout.InfiniteTimeSpan"/> waits for
    /// ever.</param>
    /// <param name="cancellationToken">Ends the wait; nothing was written then.</param>
    /// <returns>False when the time passed.</returns>
    /// <exception cref="ArgumentOutOfRangeException">It is longer than <see cref="LongestMessage"/>, or
    /// <paramref name="timeout"/> is negative and not infinite, or over 2^31-1 ms.</exception>
    /// <exception cref="InvalidOperationException">A place is reserved and neither committed nor
    /// abandoned.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <exception cref="SharedChannelException">Damaged.</exception>
    /// <exception cref="ObjectDisposedException">It is disposed, before or meanwhile.</exception>
    public bool TryWrite(ReadOnlySpan<byte> message, TimeSpan timeout, CancellationToken cancellationToken = default)
    {
        var until = new Until(timeout);
        if (TryWrite(message)) return true;
        _bell.Enter();
        try
        {
            if (_turn is not null) return WriteInTurn(message, until, cancellationToken);
            do
            {
                Flush();
                AwaitSome();
                if (!_bell.Wait(until, cancellationToken)) return false;
            }
            while (!TryWrite(message));
            return true;
        }
        finally
        {
            _bell.Leave();
        }
    }

    /// <summary>Writes a message, waiting for room without a thread.</summary>
    /// <param name="message">The bytes; they must stay as they are until the task has ended.</param>
    /// <param name="cancellationToken">Ends the wait; nothing was written then.</param>
    /// <returns>A task that ends when the message is in the ring.</returns>
    /// <inheritdoc cref="Write(ReadOnlySpan{byte}, CancellationToken)" path="/exception"/>
    public ValueTask WriteAsync(ReadOnlyMemory<byte> message, CancellationToken cancellationToken = default)
        => TryWrite(message.Span) ? ValueTask.CompletedTask : WriteSlowAsync(message, cancellationToken);

    /// <summary>Writes a message, waiting for room without a thread at most for a time.</summary>
    /// <param name="message">The bytes; they must stay as they are until the task has ended.</param>
    /// <param name="timeout">The longest wait; zero tries once, <see cref="Timeout.InfiniteTimeSpan"/> waits for
    /// ever.</param>
    /// <param name="cancellationToken">Ends the wait; nothing was written then.</param>
    /// <returns>A task that says whether the message is in the ring; false when the time passed.</returns>
    /// <inheritdoc cref="TryWrite(ReadOnlySpan{byte}, TimeSpan, CancellationToken)" path="/exception"/>
    public ValueTask<bool> TryWriteAsync(ReadOnlyMemory<byte> message, TimeSpan timeout,
        CancellationToken cancellationToken = default)
    {
        var until = new Until(timeout);
        return TryWrite(message.Span) ? new ValueTask<bool>(true) : WriteUntilAsync(message, until, cancellationToken);
    }

    // A full ring has enough to be read. A writer that looks for room for one message again and again takes the line of
    // the head from the reader after each one.
    private static void AwaitSome()
    {
        if (SpinHabit.s_canSpin) Thread.SpinWait(SpinHabit.MostGathers);
    }

    /// <summary>Whether it is disposed.</summary>
    internal bool IsClosed => Volatile.Read(ref _isClosed) != 0;

    /// <summary>Waits without a thread until there is room for a message of so many bytes.</summary>
    internal async ValueTask WaitForRoomAsync(int length, CancellationToken cancellationToken)
    {
        _bell.Enter();
        try
        {
            CheckFree();
            CheckLength(length);
            if (_turn is not null)
            {
                await AwaitRoomInTurnAsync(length, cancellationToken).ConfigureAwait(false);
                return;
            }

            Flush();
            while (!TryMakeRoom(length))
            {
                Flush();
                await _bell.WaitAsync(new Until(Timeout.InfiniteTimeSpan), cancellationToken).ConfigureAwait(false);
                CheckFree();
            }
        }
        finally
        {
            _bell.Leave();
        }
    }

    private async ValueTask WriteSlowAsync(ReadOnlyMemory<byte> message, CancellationToken cancellationToken)
        => await WriteUntilAsync(message, new Until(Timeout.InfiniteTimeSpan), cancellationToken).ConfigureAwait(false);

    private async ValueTask<bool> WriteUntilAsync(ReadOnlyMemory<byte> message, Until until,
        CancellationToken cancellationToken)
    {
        _bell.Enter();
        try
        {
            if (_turn is not null)
                return await WriteInTurnAsync(message, until, cancellationToken).ConfigureAwait(false);
            while (!TryWrite(message.Span))
            {
                Flush();
                if (!await _bell.WaitAsync(until, cancellationToken).ConfigureAwait(false)) return false;
            }

            return true;
        }
        finally
        {
            _bell.Leave();
        }
    }
}
