using System.Diagnostics;
using NativeIpc.Errors;
using NativeIpc.Holding;

namespace NativeIpc;

/// <summary>
/// A permit of a <see cref="SystemSemaphore"/> that is given back when this is disposed: <c>using
/// (semaphore.Enter())</c>. A copy is the same permit: however often and on whatever thread it is disposed, the permit
/// is given back once. <c>default</c> holds nothing.
/// </summary>
/// <remarks>
/// <para>When the semaphore is disposed first, that Dispose gives the permit back; disposing the permit then does
/// nothing. So dispose the semaphore last, or what it protects is open to others while the code in the scope still
/// runs.</para>
/// <para>A permit that nobody disposes stays taken until the semaphore is disposed, as one that was taken by
/// <see cref="SystemSemaphore.Acquire()"/> and never released.</para>
/// <para>Thread safety: every member may be called from any thread at any time.</para>
/// </remarks>
[DebuggerDisplay("{ToString(),nq}")]
public readonly struct SystemSemaphorePermit : IDisposable, IEquatable<SystemSemaphorePermit>
{
    private readonly PermitSlot? _slot;
    private readonly long _ticket;

    internal SystemSemaphorePermit(PermitSlot slot, long ticket)
    {
        _slot = slot;
        _ticket = ticket;
    }

    /// <summary>Whether the permit is still to be given back: false for <c>default</c>, after Dispose of any copy, and
    /// after Dispose of the semaphore.</summary>
    public bool IsHeld => _slot is not null && _slot.Holds(_ticket);

    /// <summary>Gives the permit back, once.</summary>
    /// <exception cref="NativeIpcException">As <see cref="SystemSemaphore.Release(int)"/>; the permit counts as given
    /// back all the same.</exception>
    /// <exception cref="InvalidOperationException">With <see cref="SystemSemaphoreOptions.Robust"/>: a peer has reset
    /// the semaphore, so that it is not held any more.</exception>
    public void Dispose() => _slot?.GiveBack(_ticket);

    /// <summary>What it is, the key of the semaphore, and whether the permit is held, for logs and debuggers.</summary>
    /// <returns>For instance <c>SystemSemaphorePermit posix:/name (held)</c>. The form may change.</returns>
    public override string ToString() => _slot is null ? $"{nameof(SystemSemaphorePermit)} (none)"
        : $"{nameof(SystemSemaphorePermit)} {Failure.Name(_slot.Key)} ({(IsHeld ? "held" : "given back")})";

    /// <inheritdoc/>
    public bool Equals(SystemSemaphorePermit other) => ReferenceEquals(_slot, other._slot) && _ticket == other._ticket;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is SystemSemaphorePermit other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(_slot, _ticket);

    /// <summary>Whether both are the same permit.</summary>
    public static bool operator ==(SystemSemaphorePermit left, SystemSemaphorePermit right) => left.Equals(right);

    /// <summary>Whether they are different permits.</summary>
    public static bool operator !=(SystemSemaphorePermit left, SystemSemaphorePermit right) => !left.Equals(right);
}
