using System.Runtime.CompilerServices;

namespace NativeIpc.Contracts;

/// <summary>How a lock is taken and given by one exchange of a word in memory: from free to taken by this object, and
/// back. The back end says where the word is and what the two values are; with any other value, say that of a word with
/// a waiter, the step fails and the caller counts itself in (<see cref="WaitObject.TryBeginUse"/>).</summary>
internal unsafe struct FastStep
{
    private nint _word;
    private ulong _free;
    private ulong _taken;

    /// <summary>Whether steps may be made.</summary>
    public readonly bool IsOpen => Volatile.Read(in _word) != 0;

    /// <summary>Lets steps be made from now on. A full barrier.</summary>
    public void Open(nint word, ulong free, ulong taken)
    {
        _free = free;
        _taken = taken;
        Interlocked.Exchange(ref _word, word);
    }

    public void Close() => Volatile.Write(ref _word, 0);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly bool TryTake()
    {
        nint word = Volatile.Read(in _word);
        return word != 0 && Interlocked.CompareExchange(ref *(ulong*)word, _taken, _free) == _free;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly bool TryGive()
    {
        nint word = Volatile.Read(in _word);
        return word != 0 && Interlocked.CompareExchange(ref *(ulong*)word, _free, _taken) == _taken;
    }
}
