using System.Runtime.InteropServices;

namespace NativeIpc.Interop.Unix;

/// <summary>
/// Sleeps on any number of words at once, each of which ends by itself: io_uring(7) with futex waits, Linux 6.7.
/// Where futex_waitv(2) joins and leaves every word each time (80 ns for each in waking alone), here the woken one
/// only is joined anew.
/// </summary>
/// <remarks>Opened by any thread; everything after that by the one that has called <see cref="Start"/>. A word is
/// looked at when it is submitted, and its memory is not touched after that.</remarks>
internal sealed unsafe class FutexRing : IDisposable
{
    private const int Entries = 256;

    private readonly int _descriptor;
    private readonly byte* _rings;
    private readonly nuint _ringsLength;
    private readonly UringEntry* _entries;
    private readonly uint* _submitHead, _submitTail, _doneHead, _doneTail;
    private readonly uint _submitMask, _doneMask;
    private readonly UringResult* _results;
    private uint _tail;

    private FutexRing(int descriptor, in UringParams parameters)
    {
        _descriptor = descriptor;
        nuint submission = parameters.sq_off.array + ((nuint)parameters.sq_entries * sizeof(uint));
        nuint completion = parameters.cq_off.cqes + ((nuint)parameters.cq_entries * (nuint)sizeof(UringResult));
        _ringsLength = Math.Max(submission, completion); // one mapping for both, since Linux 5.4
        _rings = Map(_ringsLength, IoUring.IORING_OFF_SQ_RING);
        _entries = (UringEntry*)Map(EntriesLength, IoUring.IORING_OFF_SQES);
        if (!IsMapped) return;
        _submitHead = (uint*)(_rings + parameters.sq_off.head);
        _submitTail = (uint*)(_rings + parameters.sq_off.tail);
        _submitMask = *(uint*)(_rings + parameters.sq_off.ring_mask);
        _doneHead = (uint*)(_rings + parameters.cq_off.head);
        _doneTail = (uint*)(_rings + parameters.cq_off.tail);
        _doneMask = *(uint*)(_rings + parameters.cq_off.ring_mask);
        _results = (UringResult*)(_rings + parameters.cq_off.cqes);
        var order = (uint*)(_rings + parameters.sq_off.array);
        for (uint i = 0; i < parameters.sq_entries; i++) order[i] = i;
    }

    private static nuint EntriesLength => Entries * (nuint)sizeof(UringEntry);

    private bool IsMapped => _rings is not null && _entries is not null;

    private byte* Map(nuint length, long offset)
    {
        nint address = Libc.mmap(0, length, Flags.PROT_READ | Flags.PROT_WRITE,
            Flags.MAP_SHARED | Flags.MAP_POPULATE, _descriptor, offset);
        return address == Libc.MAP_FAILED ? null : (byte*)address;
    }

    /// <summary>Opens one; null where there is none: an older kernel, a filter, no descriptor or memory.
    /// Close-on-exec.</summary>
    internal static FutexRing? TryOpen()
    {
        var parameters = new UringParams
            { flags = IoUring.IORING_SETUP_R_DISABLED | IoUring.IORING_SETUP_SINGLE_ISSUER
                | IoUring.IORING_SETUP_DEFER_TASKRUN };
        int descriptor = Libc.AboveStandard(
            (int)Libc.syscall_io_uring_setup(IoUring.SetupNumber, Entries, &parameters), closesOnExec: true);
        if (descriptor < 0) return null;
        var ring = new FutexRing(descriptor, parameters);
        if (ring.IsMapped) return ring;
        ring.Dispose();
        return null;
    }

    /// <summary>Whether the kernel has such sleeps: one on a word with another value ends at once and says
    /// so.</summary>
    internal static bool IsOffered()
    {
        using FutexRing? ring = TryOpen();
        uint word = 1;
        return ring is not null && ring.Start() && ring.TryWait(1, &word, 0, isPrivate: true)
            && ring.Sleep(TimeSpan.FromSeconds(1)) == 0
            && ring.TryReap(out ulong number, out int result) && number == 1 && result == -Errno.EAGAIN;
    }

    /// <summary>Makes the calling thread the one that uses it.</summary>
    internal bool Start() => Libc.syscall_io_uring_register(IoUring.RegisterNumber, _descriptor,
        (nint)IoUring.IORING_REGISTER_ENABLE_RINGS, null, 0) == 0;

    /// <summary>Joins a word with the next <see cref="Sleep"/>, if it has the value then; otherwise the result is
    /// EAGAIN. False when there is no room: sleep first.</summary>
    internal bool TryWait(ulong number, uint* word, uint value, bool isPrivate)
        => TryPut(new UringEntry
        {
            opcode = IoUring.OpFutexWait,
            fd = Flags.FUTEX_32 | (isPrivate ? Flags.FUTEX_PRIVATE_FLAG : 0),
            addr = (ulong)word,
            off = value,
            addr3 = uint.MaxValue,
            user_data = number,
        });

    /// <summary>Ends what has a number: its result comes in any case, and the cancelling's own under another
    /// number.</summary>
    internal bool TryCancel(ulong number, ulong own)
        => TryPut(new UringEntry { opcode = IoUring.IORING_OP_ASYNC_CANCEL, fd = -1, addr = number,
            user_data = own });

    private bool TryPut(in UringEntry entry)
    {
        if (_tail - Volatile.Read(ref *_submitHead) >= Entries)
        {
            _ = Enter(0, 0, null, 0);
            if (_tail - Volatile.Read(ref *_submitHead) >= Entries) return false;
        }

        _entries[_tail & _submitMask] = entry;
        Volatile.Write(ref *_submitTail, ++_tail);
        return true;
    }

    /// <summary>Submits; what should fail comes with the next <see cref="Sleep"/>.</summary>
    internal void Submit()
    {
        if (_tail != Volatile.Read(ref *_submitHead)) _ = Enter(0, 0, null, 0);
    }

    /// <summary>Submits, and sleeps until there is a result or the time has passed.</summary>
    /// <returns>0, or the error number.</returns>
    internal int Sleep(TimeSpan longest)
    {
        Timespec duration = new() { tv_sec = longest.Ticks / TimeSpan.TicksPerSecond,
            tv_nsec = longest.Ticks % TimeSpan.TicksPerSecond * TimeSpan.NanosecondsPerTick };
        var wait = new UringWait { ts = &duration };
        return Enter(longest > TimeSpan.Zero ? 1 : 0, IoUring.IORING_ENTER_GETEVENTS | IoUring.IORING_ENTER_EXT_ARG,
            &wait, sizeof(UringWait));
    }

    private int Enter(nint least, uint flags, UringWait* wait, nint size)
    {
        uint toSubmit = _tail - Volatile.Read(ref *_submitHead);
        return Libc.syscall_io_uring_enter(IoUring.EnterNumber, _descriptor, (nint)toSubmit, least, (nint)flags,
            wait, size) >= 0 ? 0 : Marshal.GetLastPInvokeError();
    }

    /// <summary>Takes a result: 0 for a wake-up, or the error number below zero.</summary>
    internal bool TryReap(out ulong number, out int result)
    {
        uint head = *_doneHead;
        (number, result) = (0, 0);
        if (head == Volatile.Read(ref *_doneTail)) return false;
        UringResult done = _results[head & _doneMask];
        (number, result) = (done.user_data, done.res);
        Volatile.Write(ref *_doneHead, head + 1);
        return true;
    }

    public void Dispose()
    {
        if (_entries is not null) _ = Libc.munmap((nint)_entries, EntriesLength);
        if (_rings is not null) _ = Libc.munmap((nint)_rings, _ringsLength);
        _ = Libc.close_number(_descriptor);
    }
}
