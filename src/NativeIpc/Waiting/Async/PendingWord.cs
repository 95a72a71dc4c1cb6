using System.Runtime.InteropServices;
using NativeIpc.Contracts;
using NativeIpc.Interop.Unix;

namespace NativeIpc.Waiting.Async;

/// <summary>One asynchronous wait on a word of a segment. Linux only.</summary>
/// <remarks>It has a queue of its own, since each wait expects a value of its own. The word is read by a call that
/// finds out when a peer has shortened the file it is in.</remarks>
internal sealed unsafe class PendingWord : WaitObject, IAwaitable<WordWaitResult?>
{
    private readonly Segment _segment;
    private readonly long _offset;
    private readonly uint _expected;
    private readonly Func<ObjectDisposedException> _disposed;
    private int _isWoken;

    /// <param name="segment">With a reference for this, which gives it back.</param>
    /// <param name="offset">Where the word is, checked.</param>
    /// <param name="expected">The value at which to wait.</param>
    /// <param name="disposed">What a wait gets when the segment is disposed.</param>
    public PendingWord(Segment segment, long offset, uint expected, Func<ObjectDisposedException> disposed)
        : base(segment.Key)
    {
        _segment = segment;
        _offset = offset;
        _expected = expected;
        _disposed = disposed;
        Queue = new WaitQueue<WordWaitResult?>(this);
    }

    public WaitQueue<WordWaitResult?> Queue { get; }

    /// <inheritdoc cref="WaitObject.Kind"/>
    public override IpcObjectKind Kind => IpcObjectKind.SharedMemory;

    public bool IsTold => false;

    public IWaitSignal Signal { get; } =
        FutexDispatcher.IsOfferedForEvents ? FutexDispatcher.s_any : WaitPoller.s_instance;

    public override nint WaitWord => (nint)(_segment.Pointer + _offset);

    public nint Word => WaitWord;

    public override uint Look() => _expected;

    public WaitObject BeginUse() => TryBeginUse() ? this : throw Disposed();

    public void NoteWoken() => Volatile.Write(ref _isWoken, 1);

    public bool TryTake(uint seen, out WordWaitResult? taken, out bool isHeldUp)
    {
        isHeldUp = false;
        taken = null;
        if (Interlocked.Exchange(ref _isWoken, 0) != 0)
        {
            taken = WordWaitResult.Woken;
            return true;
        }

        uint now = 0;
        _segment.CopyOut(_offset, MemoryMarshal.AsBytes(new Span<uint>(ref now)));
        if (now != _expected) taken = WordWaitResult.Changed;
        return taken is not null;
    }

    /// <inheritdoc/>
    /// <remarks>R1 Race: it was woken, and has ended otherwise. Safe because: the kernel watches no longer, and what it
    /// said of a wake-up is noted: that is passed on.</remarks>
    public override void RemoveWaiter()
    {
        if (Interlocked.Exchange(ref _isWoken, 0) != 0) Futex.Wake((uint*)WaitWord, 1);
    }

    public void AwaitMoment()
    {
    }

    public ObjectDisposedException Disposed() => _disposed();

    protected override void Close() => _segment.DangerousRelease();
}
