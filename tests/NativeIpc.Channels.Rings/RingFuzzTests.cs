using System.Globalization;
using System.Runtime.CompilerServices;
using Xunit;

namespace NativeIpc.Channels.Rings;

/// <summary>Garbage in the control words: an error or sound messages, no access outside the segment (pages that nobody
/// may touch stand on both sides of it), no endless loop. <c>NATIVEIPC_FUZZ_HEADERS=10000000</c> for the full
/// number.</summary>
[NeedsLinux("Channels are there on Linux.")]
public class RingFuzzTests : ChannelTests
{
    private const int Short = 200_000;

    internal static int Headers { get; } = int.TryParse(
        Environment.GetEnvironmentVariable("NATIVEIPC_FUZZ_HEADERS"), NumberStyles.None, CultureInfo.InvariantCulture,
        out int given) ? given : IsLong ? 10_000_000 : Short;

    // In short, both types of key together have as many.
    private static readonly int s_each = Headers == Short ? Short / 2 : Headers;

    private static readonly int[] s_words = [128, 136, 256, 384, 512, 640, 648, 656, 664, 768, 776, 784, 792];

    // Of a ring of many to many: free, kept, slots that somebody has, or nobody, or that there are not
    private static readonly uint[] s_turns = [0, 1, 2, 3, 1024, 1025, 1u << 31, (1u << 31) + 1, uint.MaxValue];

    [Theory]
    [InlineData(SharedRingForm.OneToOne)]
    [InlineData(SharedRingForm.ManyToMany)]
    public unsafe void Garbage_in_the_control_words_is_told_and_leads_nowhere(SharedRingForm form)
    {
        const int Capacity = 4096;
        NativeIpcKey key = NextKey();
        using SharedRing owner = SharedRing.CreateNew(key, Capacity, form);
        using SharedMemory raw = SharedMemory.OpenExisting(key);
        using SharedRing ring = Guards.Open(() => SharedRing.OpenExisting(key));
        byte* start = (byte*)Unsafe.AsPointer(ref raw.GetReference<byte>(0));
        byte[] sound = Sound(ring, raw);
        byte* data = DataOf(ring, raw);
        Random random = NewRandom();
        int damaged = 0, read = 0;
        for (int i = 0; i < s_each; i++)
        {
            sound.CopyTo(raw.Span);
            bool isLate = random.Next(2) == 0; // while both are open
            if (!isLate) Mutate(start, random);
            try
            {
                using SharedRingWriter? writer = random.Next(2) == 0 ? ring.OpenWriter() : null;
                using SharedRingReader reader = ring.OpenReader(
                    random.Next(3) == 0 ? SharedRingDelivery.AtMostOnce : SharedRingDelivery.AtLeastOnce);
                if (isLate)
                {
                    if (random.Next(2) == 0) reader.TryRead(out _);
                    Mutate(start, random);
                }

                int steps = 0;
                while (reader.TryRead(out ReadOnlySpan<byte> message) && steps++ < 2 * Capacity / 8)
                {
                    if (reader.Delivery == SharedRingDelivery.AtLeastOnce) CheckPlace(message, data);
                    read++;
                    if (random.Next(2) == 0) reader.Release();
                }

                Assert.True(steps <= Capacity / 8, "More messages than there is room for.");
                for (int j = random.Next(8); writer is not null && j > 0; j--)
                {
                    int length = random.Next(writer.LongestMessage + 1);
                    if (!writer.TryReserve(length, out Span<byte> place)) break;
                    CheckPlace(place, data);
                    place.Fill(1);
                    writer.Commit();
                }

                reader.Release();
            }
            catch (SharedChannelException told) when (told.Error == SharedChannelError.Damaged)
            {
                damaged++;
            }

            Assert.Equal((SharedChannelPeerState.None, SharedChannelPeerState.None),
                (Sane(() => ring.Writer), Sane(() => ring.Reader)));
        }

        Assert.True(damaged > s_each / 20 && read > s_each / 20, $"{damaged} damaged, {read} messages.");

        // Nobody has a role or a turn; what the note says of the last one, and the turn, is the peer's to write.
        static SharedChannelPeerState Sane(Func<SharedChannelPeer> look)
        {
            try
            {
                SharedChannelPeerState state = look().State;
                return state == SharedChannelPeerState.Killed ? SharedChannelPeerState.None : state;
            }
            catch (SharedChannelException told) when (told.Error == SharedChannelError.Damaged)
            {
                return SharedChannelPeerState.None;
            }
        }
    }

    [Fact]
    public void Garbage_in_the_head_of_the_segment_is_told_when_it_is_opened()
    {
        NativeIpcKey key = NextKey();
        using SharedRing ring = SharedRing.CreateNew(key, 4096);
        using SharedMemory raw = SharedMemory.OpenExisting(key);
        byte[] sound = Sound(ring, raw);
        Random random = NewRandom();
        var hasty = new SharedMemoryOptions { PeerTimeout = TimeSpan.Zero };
        for (int i = 0; i < Math.Max(2000, Headers / 100); i++)
        {
            sound.CopyTo(raw.Span);
            for (int j = random.Next(1, 4); j > 0; j--)
            {
                ref ulong word = ref raw.GetReference<ulong>(8 * random.Next(5));
                word = random.Next(3) switch
                {
                    0 => word ^ (1UL << random.Next(64)),
                    1 => 1UL << random.Next(64),
                    _ => (ulong)random.NextInt64(),
                };
            }

            try
            {
                using SharedRing opened = SharedRing.OpenExisting(key, hasty);
                Assert.Equal(4096, opened.Capacity);
                using SharedRingReader reader = opened.OpenReader();
                while (reader.TryRead(out _)) reader.Release();
            }
            catch (SharedChannelException told) when (told.Error is SharedChannelError.OtherContent
                or SharedChannelError.Damaged or SharedChannelError.HalfMade)
            {
                // As it should be.
            }
        }
    }

    private static unsafe void CheckPlace(ReadOnlySpan<byte> place, byte* data)
    {
        if (place.IsEmpty) return;
        fixed (byte* first = place) Assert.True(first >= data && first + place.Length <= data + 4096);
    }

    /// <summary>Where the ring's own mapping has the data.</summary>
    private static unsafe byte* DataOf(SharedRing ring, SharedMemory raw)
    {
        using SharedRingWriter writer = ring.OpenWriter();
        using SharedRingReader reader = ring.OpenReader();
        while (reader.TryRead(out _)) reader.Release();
        Assert.True(writer.TryReserve(8, out Span<byte> place));
        ulong tail = raw.GetReference<ulong>(128);
        fixed (byte* first = place) return first - 8 - (tail % 4096);
    }

    /// <summary>A ring with some messages that has been round.</summary>
    private static byte[] Sound(SharedRing ring, SharedMemory raw)
    {
        using SharedRingWriter writer = ring.OpenWriter();
        using SharedRingReader reader = ring.OpenReader();
        for (int i = 0; i < 30; i++)
        {
            while (!writer.TryWrite(Bytes(i * 13, i)))
            {
                reader.TryRead(out _);
                reader.Release();
            }
        }

        return raw.Span.ToArray();
    }

    private static unsafe void Mutate(byte* start, Random random)
    {
        ulong tail = *(ulong*)(start + 128), head = *(ulong*)(start + 256);
        for (int i = random.Next(1, 4); i > 0; i--)
        {
            ulong* word = (ulong*)(start + (random.Next(3) switch
            {
                0 => s_words[random.Next(s_words.Length)],
                1 => random.Next(2) == 0 ? 128 : 256,
                _ => 4096 + (8 * random.Next(512)), // records among them
            }));
            if ((byte*)word - start is 640 or 768 && random.Next(2) == 0)
            {
                *(uint*)word = s_turns[random.Next(s_turns.Length)];
                continue;
            }

            *word = random.Next(6) switch
            {
                0 => *word ^ (1UL << random.Next(64)),
                1 => tail + (ulong)(8 * random.Next(-600, 600)),
                2 => head + (ulong)random.Next(-5000, 5000),
                3 => (uint)random.Next(5000) | (1UL << 32),
                4 => (uint)random.Next(5000) | (2UL << 32),
                _ => (ulong)random.NextInt64() << random.Next(2),
            };
        }
    }
}
