using System.Diagnostics;

namespace NativeIpc;

/// <summary>Which one a wait for any of several has taken (<see cref="SystemWait"/>).</summary>
/// <remarks><c>default</c> is that of a wait whose time has passed.</remarks>
[DebuggerDisplay("{ToString(),nq}")]
public readonly struct SystemWaitResult : IEquatable<SystemWaitResult>
{
    private readonly int _number; // one more than the index

    internal SystemWaitResult(int index, SharedMemoryLock scope)
    {
        Debug.Assert(index >= 0);
        _number = index + 1;
        Lock = scope;
    }

    /// <summary>Which of the targets was taken, from 0 on; -1 when the time passed.</summary>
    public int Index => _number - 1;

    /// <summary>Whether the time passed; nothing was taken then.</summary>
    public bool TimedOut => _number == 0;

    /// <summary>The scope of the lock, where a segment's lock was taken: dispose it to release the lock. Holds nothing
    /// otherwise, and may be disposed all the same.</summary>
    public SharedMemoryLock Lock { get; }

    /// <summary>Which one, for logs and debuggers.</summary>
    /// <returns>For instance <c>SystemWaitResult (2)</c>. The form may change.</returns>
    public override string ToString()
        => TimedOut ? $"{nameof(SystemWaitResult)} (timed out)" : $"{nameof(SystemWaitResult)} ({Index})";

    /// <inheritdoc/>
    public bool Equals(SystemWaitResult other) => _number == other._number && Lock.Equals(other.Lock);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is SystemWaitResult other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(_number, Lock);

    /// <summary>Whether both are of the same taking.</summary>
    public static bool operator ==(SystemWaitResult left, SystemWaitResult right) => left.Equals(right);

    /// <summary>Whether they are of different takings.</summary>
    public static bool operator !=(SystemWaitResult left, SystemWaitResult right) => !left.Equals(right);
}
