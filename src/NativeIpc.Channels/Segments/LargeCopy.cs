using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace NativeIpc.Channels.Segments;

/// <summary>Copies large messages into a channel, through the caches or around them, whichever took less time lately.
/// Of one thread at a time.</summary>
/// <remarks>A store through the caches first fetches the line that a reader has, and the reader then fetches it from
/// this processor. Where the two share a cache that is cheap. Where they do not, stores around the caches take a tenth
/// of the time, for writer and reader; without a reader they take 1.7 times as long.</remarks>
internal unsafe struct LargeCopy
{
    /// <summary>The shortest message that is copied by this.</summary>
    public const int Least = 4096;

    private const int Trial = 64; // each so many copies one goes the other way
    private const int Sample = 8; // and each so many one is timed
    private const int Unit = 4096; // times are kept for so many bytes, so that messages of any length compare

    private uint _count;
    private bool _goesAround;
    private double _through;
    private double _around;

    /// <summary>Copies a message of at least <see cref="Least"/> bytes to a place that is a multiple of 8. What is
    /// stored after it is seen after it.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public void Copy(byte* place, ReadOnlySpan<byte> message)
    {
        Debug.Assert(message.Length >= Least);
        uint count = _count++;
        bool isTrial = count % Trial == Trial - 1;
        bool goesAround = _goesAround != isTrial;
        if (!Sse2.IsSupported || (count % Sample != 0 && !isTrial))
        {
            Copy(place, message, Sse2.IsSupported && goesAround);
            return;
        }

        long begin = Stopwatch.GetTimestamp();
        Copy(place, message, goesAround);
        Note(goesAround, (double)(Stopwatch.GetTimestamp() - begin) * Unit / message.Length);
    }

    private static void Copy(byte* place, ReadOnlySpan<byte> message, bool goesAround)
    {
        ref byte from = ref MemoryMarshal.GetReference(message);
        nuint length = (nuint)message.Length;
        if (!goesAround)
        {
            Unsafe.CopyBlockUnaligned(ref *place, in from, (uint)length);
            return;
        }

        // Whole lines only: a part of one would be fetched after all
        const int Line = 64;
        nuint at = (nuint)(-(nint)place & (Line - 1));
        Unsafe.CopyBlockUnaligned(ref *place, in from, (uint)at);
        for (; at + Line <= length; at += Line)
        {
            Vector128<byte> first = Vector128.LoadUnsafe(ref from, at);
            Vector128<byte> second = Vector128.LoadUnsafe(ref from, at + 16);
            Vector128<byte> third = Vector128.LoadUnsafe(ref from, at + 32);
            Vector128<byte> last = Vector128.LoadUnsafe(ref from, at + 48);
            first.StoreAlignedNonTemporal(place + at);
            second.StoreAlignedNonTemporal(place + at + 16);
            third.StoreAlignedNonTemporal(place + at + 32);
            last.StoreAlignedNonTemporal(place + at + 48);
        }

        Unsafe.CopyBlockUnaligned(ref place[at], in Unsafe.Add(ref from, at), (uint)(length - at));
        Sse.StoreFence(); // such stores keep no order with those behind them
    }

    /// <summary>Takes a time into account. One that was interrupted counts for a little only.</summary>
    private void Note(bool wentAround, double time)
    {
        ref double known = ref wentAround ? ref _around : ref _through;
        known = known == 0 ? time : known + ((Math.Min(time, 4 * known) - known) / 4);
        if (_through == 0 || _around == 0) return;
        (double here, double there) = _goesAround ? (_around, _through) : (_through, _around);
        if (there < here * 0.8) _goesAround = !_goesAround;
    }
}
