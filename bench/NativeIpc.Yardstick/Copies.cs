using System.Runtime.InteropServices;

namespace NativeIpc.Yardstick;

/// <summary>
/// Moving data to and from a segment of 64 MiB: through its span, and as variants through the calls that are safe
/// against a racing Dispose (<c>@write</c>: Read and Write; <c>@reference</c>: GetReadOnlyReference for each word).
/// </summary>
internal static unsafe class Copies
{
    private const ulong Words = (ulong)Harness.Big / 8;
    private static ulong s_sink;

    public static void Run(string name)
    {
        NativeIpcKey key = Harness.SegmentKey(name, "copy");
        SharedMemory.Remove(key);
        using SharedMemory segment = SharedMemory.CreateNew(key, Harness.Big);
        byte* own = (byte*)NativeMemory.AlignedAlloc((nuint)Harness.Big, 4096);
        new Span<byte>(own, (int)Harness.Big).Fill(2);
        segment.Span.Fill(1);
        Harness.Print(name, Harness.Measure(
            name.StartsWith("rand", StringComparison.Ordinal) ? Reading(name, segment) : Copying(name, segment, own)));
        NativeMemory.AlignedFree(own);
    }

    private static Action<long> Copying(string name, SharedMemory segment, byte* own)
    {
        int length = name.Contains("4k", StringComparison.Ordinal) ? 4096 : (int)Harness.Big;
        bool into = !name.Contains("out64m", StringComparison.Ordinal), outOf = !name.Contains("in64m",
            StringComparison.Ordinal);
        if (name.EndsWith("@write", StringComparison.Ordinal))
        {
            return n =>
            {
                while (n-- > 0)
                {
                    if (into) segment.Write(0, new ReadOnlySpan<byte>(own, length));
                    if (outOf) segment.Read(0, new Span<byte>(own, length));
                }
            };
        }

        return n =>
        {
            while (n-- > 0)
            {
                if (into) new ReadOnlySpan<byte>(own, length).CopyTo(segment.GetSpan(0, length));
                if (outOf) segment.GetReadOnlySpan(0, length).CopyTo(new Span<byte>(own, length));
            }
        };
    }

    private static Action<long> Reading(string name, SharedMemory segment)
    {
        if (name.EndsWith("@reference", StringComparison.Ordinal))
        {
            return n =>
            {
                ulong x = 88172645463325252, sum = 0;
                while (n-- > 0)
                {
                    x = Next(x);
                    sum += segment.GetReadOnlyReference<ulong>((long)(x & (Words - 1)) * 8);
                }

                s_sink = sum;
            };
        }

        return n =>
        {
            ulong x = 88172645463325252, sum = 0;
            ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(segment.ReadOnlySpan);
            while (n-- > 0)
            {
                x = Next(x);
                sum += words[(int)(x & (Words - 1))];
            }

            s_sink = sum;
        };
    }

    public static ulong Next(ulong x)
    {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        return x;
    }
}
