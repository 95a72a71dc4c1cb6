using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace NativeIpc.NamedObjects;

/// <summary>A segment, open as long as its map or one of its views is.</summary>
internal sealed class MappedSegment(SharedMemory memory)
{
    private int _users = 1; // the map

    public long Size => memory.Size;

    public bool CanWrite => memory.Access == SharedMemoryAccess.ReadWrite;

    /// <summary>Counts a view in; false when all have ended.</summary>
    public bool TryUse()
    {
        for (int users = Volatile.Read(ref _users); users > 0;)
        {
            int seen = Interlocked.CompareExchange(ref _users, users + 1, users);
            if (seen == users) return true;
            users = seen;
        }

        return false;
    }

    /// <summary>Ends a use. <paramref name="mayWait"/>: false on the thread of the finalizers.</summary>
    public void EndUse(bool mayWait = true)
    {
        if (Interlocked.Decrement(ref _users) != 0) return;
        if (mayWait) memory.Dispose();
        else ThreadPool.UnsafeQueueUserWorkItem(static memory => memory.Dispose(), memory, preferLocal: false);
    }

    /// <summary>Where the bytes are.</summary>
    public unsafe nint Start => (nint)Unsafe.AsPointer(in memory.GetReadOnlyReference<byte>(0));
}

/// <summary>The bytes of one view.</summary>
internal sealed class SegmentView : SafeBuffer
{
    private readonly MappedSegment _segment;
    private bool _isDisposing;

    /// <summary>Takes over a use of the segment.</summary>
    public SegmentView(MappedSegment segment, long offset, long size)
        : base(ownsHandle: true)
    {
        _segment = segment;
        SetHandle(segment.Start + (nint)offset);
        Initialize((ulong)size);
    }

    protected override void Dispose(bool disposing)
    {
        _isDisposing = disposing;
        base.Dispose(disposing);
    }

    protected override bool ReleaseHandle()
    {
        _segment.EndUse(mayWait: _isDisposing);
        return true;
    }
}
