using NativeIpc;

namespace Transfer;

/// <summary>
/// Four slots in a segment; each holds a length, a sequence number (32 bits each, in the machine's order) and that many
/// bytes. Who may touch which slot is the business of the two semaphores; length 0 ends the transfer. The same in
/// samples/c/transfer.c.
/// </summary>
internal readonly struct Ring(SharedMemory segment)
{
    public const int SegmentSize = 64 * 1024;
    public const int Slots = 4;
    private const int Header = 8;

    private readonly int _slotSize = (int)(segment.Size / Slots);

    public int Capacity => _slotSize - Header;

    /// <summary>The data of a slot, to be filled in place.</summary>
    public Span<byte> Data(uint sequence) => segment.GetSpan(Offset(sequence) + Header, Capacity);

    /// <summary>Says how much of a slot is filled; its semaphore is released next, which publishes both.</summary>
    public void Seal(uint sequence, int length)
    {
        segment.GetReference<int>(Offset(sequence)) = length;
        segment.GetReference<uint>(Offset(sequence) + 4) = sequence;
    }

    /// <summary>The filled part of a slot.</summary>
    public ReadOnlySpan<byte> Filled(uint sequence)
    {
        ReadOnlySpan<byte> slot = segment.GetReadOnlySpan(Offset(sequence), _slotSize);
        uint length = BitConverter.ToUInt32(slot);
        uint found = BitConverter.ToUInt32(slot[4..]);
        if (length > Capacity || found != sequence)
            throw new IOException($"The ring is damaged: slot {found} of {length} bytes instead of slot {sequence}.");
        return slot.Slice(Header, (int)length);
    }

    private long Offset(uint sequence) => (long)(sequence % Slots) * _slotSize;
}
