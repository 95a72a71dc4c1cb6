using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using NativeIpc.Errors;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.Contracts;

/// <summary>
/// An attached segment: the handle is its address. Disposing it detaches when the last call that has a reference on it
/// ends, so that a Dispose on one thread never unmaps under another one inside <c>Read</c>, <c>Write</c> or an access
/// scope.
/// </summary>
internal abstract class Segment : SafeHandle
{
    protected Segment(in NativeIpcKey key, nint address, long size, SharedMemoryAccess access, bool createdNew)
        : base(-1, ownsHandle: true)
    {
        Key = key;
        Size = size;
        Access = access;
        CreatedNew = createdNew;
        SetHandle(address);
    }

    public NativeIpcKey Key { get; }

    /// <exception cref="ObjectDisposedException">It is closed. The public type is above this room: its name is what
    /// callers read.</exception>
    public static void ThrowIfClosed([DoesNotReturnIf(true)] bool isClosed)
    {
        if (isClosed) throw ClosedError();

        static ObjectDisposedException ClosedError() => new("NativeIpc." + nameof(SharedMemory));
    }

    /// <summary>In bytes, as the system reports it.</summary>
    public long Size { get; }

    public SharedMemoryAccess Access { get; }

    public bool CreatedNew { get; }

    public override bool IsInvalid => handle == -1;

    /// <summary>Closes the lock that was opened through this attachment, which gives it back: for an instance that
    /// nobody disposed.</summary>
    public Action? CloseLock { get; set; }

    /// <summary>Whether the finalizer releases the handle, which may not wait for anybody: it serves the whole
    /// process.</summary>
    protected bool IsFinalizing { get; private set; }

    protected override void Dispose(bool disposing)
    {
        if (!disposing) IsFinalizing = true;
        base.Dispose(disposing);
    }

    /// <summary>Gives up a reference in a finalizer: if it was the last one, the rest is done as there.</summary>
    public void ReleaseFromFinalizer()
    {
        IsFinalizing = true;
        DangerousRelease();
    }

    /// <summary>The address of the first byte; the caller holds a reference, or trusts its own caller not to dispose
    /// meanwhile.</summary>
    public unsafe byte* Pointer => (byte*)handle;

    /// <summary>A part of the bytes, checked against the size.</summary>
    public unsafe Span<byte> Slice(long offset, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        if (length > Size - offset) ThrowOutside(offset, length);
        return new Span<byte>(Pointer + offset, length);
    }

    /// <summary>Copies bytes out, checked against the size, and where peers can shorten the object without touching
    /// what is gone.</summary>
    public virtual void CopyOut(long offset, Span<byte> destination)
        => Slice(offset, destination.Length).CopyTo(destination);

    /// <summary>Copies bytes in; see <see cref="CopyOut"/>.</summary>
    public virtual void CopyIn(long offset, ReadOnlySpan<byte> source) => source.CopyTo(Slice(offset, source.Length));

    /// <summary>The size that the system reports now; InvalidSize when it has become smaller. Objects that cannot
    /// change give what they had.</summary>
    public virtual long VerifySize() => Size;

    protected void CheckRange(long offset, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        if (length > Size - offset) ThrowOutside(offset, length);
    }

    /// <summary>A value in the bytes, checked against the size and for alignment.</summary>
    public unsafe ref T At<T>(long offset)
        where T : unmanaged
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        if (sizeof(T) > Size - offset) ThrowOutside(offset, sizeof(T));
        int alignment = sizeof(Aligned<T>) - sizeof(T);
        if (offset % alignment != 0) ThrowMisaligned<T>(offset, alignment); // segments start at a page
        return ref *(T*)(Pointer + offset);
    }

    private struct Aligned<T>
        where T : unmanaged
    {
#pragma warning disable CS0169, CS0649, IDE0044, IDE0051 // only the layout matters
        private byte _before;
        private T _value;
#pragma warning restore CS0169, CS0649, IDE0044, IDE0051
    }

    [DoesNotReturn]
    private void ThrowOutside(long offset, int length)
        => throw new ArgumentOutOfRangeException(nameof(offset), offset,
            $"{length} bytes at offset {offset} reach past the end of the segment {Failure.Describe(Key)}, which "
                + $"has {Size} bytes.");

    [DoesNotReturn]
    private static void ThrowMisaligned<T>(long offset, int alignment)
        => throw new ArgumentException(
            $"Offset {offset} is not a multiple of {alignment}, the alignment of {typeof(T).Name}: reads and writes "
                + $"there would not be atomic, or fail. Copy with Read and Write instead.", nameof(offset));

    /// <summary>Opens or makes the lock that Qt uses for this segment, value 1 when new. Never touches the count of one
    /// that exists.</summary>
    /// <param name="bound">How long peers are waited for that are making or removing it.</param>
    public abstract SemaphoreObject OpenLock(in PeerBound bound);

    /// <summary>The lock that was opened is the one to be used from now on.</summary>
    public virtual void NoteLock(SemaphoreObject opened)
    {
    }

    /// <summary>
    /// Whether the name of the lock still leads to the lock that was opened, told without a system call; null where the
    /// system does not say.
    /// </summary>
    public abstract INameWatch? WatchLock(SemaphoreObject opened);

    /// <summary>Which object the system attached this process to, in a form of the back end's own, to tell objects
    /// apart; empty where the system does not say.</summary>
    public virtual string ObjectIdentity => "";

    /// <summary>Whether the key leads to another object by now, or to none, where the system says so. The caller has
    /// entered.</summary>
    public virtual bool WasReplaced => false;

    /// <summary>Removes the name now, where removing does not need to detach first. Called once, before the handle is
    /// disposed.</summary>
    public virtual void LetGo()
    {
    }
}
