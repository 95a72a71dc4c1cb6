using System.Diagnostics;
using NativeIpc.Errors;
using NativeIpc.Holding;

namespace NativeIpc;

/// <summary>
/// Holds the lock of a segment until it is disposed. A copy is the same scope: however often and on whatever thread it
/// is disposed, the lock is released once. <c>default</c> holds nothing.
/// </summary>
[DebuggerDisplay("{ToString(),nq}")]
public readonly struct SharedMemoryLock : IDisposable, IEquatable<SharedMemoryLock>
{
    private readonly SegmentLock? _lock;
    private readonly long _ticket;

    internal SharedMemoryLock(SegmentLock segmentLock, long ticket)
    {
        _lock = segmentLock;
        _ticket = ticket;
    }

    /// <summary>
    /// Whether a peer removed, replaced or reset the lock while this scope held it, or just before: another process may
    /// be, or have been, inside at the same time, so the data may be inconsistent. Noticed on Linux, a moment after it
    /// happens, and on System V also when the scope ends (ask again then); elsewhere always false.
    /// </summary>
    public bool WasReplaced => _lock?.WasReplaced(_ticket) == true;

    /// <summary>
    /// Whether the holder before this one was killed while it held the lock, so that the data may be inconsistent: the
    /// scope holds the lock all the same, and the next holder is not told again. See docs/crashes.md for what each back
    /// end notices.
    /// </summary>
    public bool WasAbandoned => _lock?.WasAbandoned(_ticket) == true;

    /// <summary>Releases the lock, once.</summary>
    /// <exception cref="NativeIpcException">The system refused; LockError or Unknown.</exception>
    public void Dispose() => _lock?.Release(_ticket);

    /// <summary>What it is, the key of the lock, and whether the scope still holds it, for logs and
    /// debuggers.</summary>
    /// <returns>For instance <c>SharedMemoryLock posix:/name (held)</c>. The form may change.</returns>
    public override string ToString()
    {
        if (_lock is null) return $"{nameof(SharedMemoryLock)} (none)";
        string state = _lock.Holds(_ticket) ? "held" : "released";
        return $"{nameof(SharedMemoryLock)} {Failure.Name(_lock.Semaphore.Key)} ({state})";
    }

    /// <inheritdoc/>
    public bool Equals(SharedMemoryLock other) => ReferenceEquals(_lock, other._lock) && _ticket == other._ticket;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is SharedMemoryLock other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(_lock, _ticket);

    /// <summary>Whether both are the same scope.</summary>
    public static bool operator ==(SharedMemoryLock left, SharedMemoryLock right) => left.Equals(right);

    /// <summary>Whether they are different scopes.</summary>
    public static bool operator !=(SharedMemoryLock left, SharedMemoryLock right) => !left.Equals(right);
}
