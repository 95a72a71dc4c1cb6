using System.Runtime.CompilerServices;
using NativeIpc.Channels.Segments;

namespace NativeIpc.Channels;

public sealed partial class SharedRingReader
{
    private PlaceMemory? _place;

    /// <summary>Gives the next message, waiting for it at most for a time, on the monotonic clock.</summary>
    /// <remarks>Before it sleeps, the call tries for up to 50 µs, if that has paid lately. While messages come several
    /// at a time, it lets them gather for up to a microsecond before it looks for more: then the two processors pass
    /// the ring's memory to each other less often.</remarks>
    /// <param name="timeout">The longest wait; zero tries once, <see cref="Timeout.InfiniteTimeSpan"/> waits for
    /// ever.</param>
    /// <param name="message">Its bytes, as by <see cref="TryRead(out ReadOnlySpan{byte})"/>.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>False when the time passed, or nothing more comes (<see cref="IsCompleted"/>).</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="timeout"/> is negative and not infinite, or over
    /// 2^31-1 ms.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <exception cref="SharedChannelException">Damaged.</exception>
    /// <exception cref="ObjectDisposedException">It is disposed, before or meanwhile.</exception>
    public bool TryRead(TimeSpan timeout, out ReadOnlySpan<byte> message, CancellationToken cancellationToken = default)
    {
        var until = new Until(timeout);
        if (_cursor == _tail && timeout != TimeSpan.Zero) Gather();
        if (TryRead(out message)) return true;
        _bell.Enter();
        try
        {
            if (_turn is not null) return AwaitTurn(until, cancellationToken) && TryReadInTurn(out message);
            do
            {
                if (!_bell.Wait(until, cancellationToken) || IsCompleted) return false;
            }
            while (!TryRead(out message));
            return true;
        }
        finally
        {
            _bell.Leave();
        }
    }

    /// <summary>Waits without a thread until there is a message. Many-to-many: another reader may be given it first, so
    /// wait again when <see cref="TryRead(out ReadOnlySpan{byte})"/> says that there is none.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>A task that says whether there is one; false when nothing more comes
    /// (<see cref="IsCompleted"/>).</returns>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <exception cref="SharedChannelException">Damaged.</exception>
    /// <exception cref="ObjectDisposedException">It is disposed, before or meanwhile.</exception>
#pragma warning disable RS0026 // the other one begins with a timeout, of another type
    public ValueTask<bool> WaitToReadAsync(CancellationToken cancellationToken = default)
#pragma warning restore RS0026
        => WaitToReadAsync(Timeout.InfiniteTimeSpan, cancellationToken);

    /// <summary>Waits without a thread until there is a message, at most for a time.</summary>
    /// <param name="timeout">The longest wait; zero looks once, <see cref="Timeout.InfiniteTimeSpan"/> waits for
    /// ever.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>A task that says whether there is one; false when the time passed, or nothing more comes
    /// (<see cref="IsCompleted"/>).</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="timeout"/> is negative and not infinite, or over
    /// 2^31-1 ms.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <exception cref="SharedChannelException">Damaged.</exception>
    /// <exception cref="ObjectDisposedException">It is disposed, before or meanwhile.</exception>
#pragma warning disable RS0026 // the other one has no timeout
    public ValueTask<bool> WaitToReadAsync(TimeSpan timeout, CancellationToken cancellationToken = default)
#pragma warning restore RS0026
    {
        var until = new Until(timeout);
        CheckOpen();
        bool isThere = _turn is null ? TryFind(out _) : IsThereInTurn();
        return isThere ? new ValueTask<bool>(true) : WaitUntilAsync(until, cancellationToken);
    }

    /// <summary>Gives the messages one after the other, as they come.</summary>
    /// <param name="cancellationToken">Ends the enumeration.</param>
    /// <returns>The messages. Each is valid until the next one is asked for, and is released then: in place, so it is
    /// not copied. The enumeration ends when nothing more comes.</returns>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <exception cref="SharedChannelException">Damaged.</exception>
    /// <exception cref="ObjectDisposedException">It is disposed, before or meanwhile.</exception>
    public async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadAllAsync(
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        while (true)
        {
            while (TryReadMemory(out ReadOnlyMemory<byte> message))
            {
                yield return message;
                _place?.Clear();
                Release();
                cancellationToken.ThrowIfCancellationRequested();
            }

            if (!await WaitToReadAsync(cancellationToken).ConfigureAwait(false)) yield break;
        }
    }

    /// <summary>Waits until there is a message; false when nothing more comes.</summary>
    internal bool WaitToRead()
    {
        _bell.Enter();
        try
        {
            if (_turn is not null)
            {
                if (!AwaitTurn(new Until(Timeout.InfiniteTimeSpan), CancellationToken.None)) return false;
                LetGo();
                return true;
            }

            while (_bell.Wait(new Until(Timeout.InfiniteTimeSpan), CancellationToken.None))
            {
                if (IsCompleted) return false;
                if (TryFind(out _)) return true;
            }

            return false;
        }
        finally
        {
            _bell.Leave();
        }
    }

    private async ValueTask<bool> WaitUntilAsync(Until until, CancellationToken cancellationToken)
    {
        _bell.Enter();
        try
        {
            if (_turn is not null)
            {
                if (!await AwaitTurnAsync(until, cancellationToken).ConfigureAwait(false)) return false;
                LetGo();
                return true;
            }

            while (await _bell.WaitAsync(until, cancellationToken).ConfigureAwait(false))
            {
                if (IsCompleted) return false;
                if (TryFind(out _)) return true;
            }

            return false;
        }
        finally
        {
            _bell.Leave();
        }
    }

    /// <summary>The same as <see cref="TryRead(out ReadOnlySpan{byte})"/>, as memory that is valid as long.</summary>
    internal bool TryReadMemory(out ReadOnlyMemory<byte> memory)
    {
        memory = default;
        if (!TryRead(out ReadOnlySpan<byte> message)) return false;
        memory = Delivery == SharedRingDelivery.AtMostOnce ? _copy.AsMemory(0, message.Length)
            : (_place ??= new PlaceMemory()).Set(message);
        return true;
    }
}
