namespace NativeIpc.Channels.Segments;

/// <summary>Where the words of a channel are: docs/layouts.md, word for word.</summary>
internal static class ChannelLayout
{
    internal const ulong Magic = 0x4E4148434350494E; // NIPCCHAN
    internal const ushort Version = 1;
    internal const ushort RingKind = 1;
    internal const ushort ManyRingKind = 2;
    internal const ushort TopicKind = 3;
    internal const int HeaderSize = 4096;

    internal const int VersionAt = 8;
    internal const int KindAt = 10;
    internal const int HeaderSizeAt = 12;
    internal const int CapacityAt = 16;
    internal const int SlotSizeAt = 24;
    internal const int FingerprintAt = 32;

    // System V: the key file's, on which the locks of roles are
    internal const int DeviceAt = 40;
    internal const int InodeAt = 48;

    internal const int TailAt = 128;
    internal const int EndedAt = 136;
    internal const int HeadAt = 256;
    internal const int ReaderBellAt = 384;
    internal const int WakingAt = 388;
    internal const int WakesAt = 392; // Windows, a topic: the number of the event at which its readers sleep
    internal const int WriterBellAt = 512;
    internal const int WriterNoteAt = 640;
    internal const int ReaderNoteAt = 768;

    // In a note
    internal const int TurnAt = 0;
    internal const int ProcessIdAt = 4;
    internal const int StartTimeAt = 8;
    internal const int NamespaceAt = 16;
    internal const int IsHeldAt = 24; // many-to-many: slot + 1 of whom the note is

    // Bytes of the file whose locks are roles: far past any end
    internal const long MakingByte = 1L << 62;
    internal const long WriterByte = MakingByte + 1;
    internal const long ReaderByte = MakingByte + 2;

    // System V: those of a project id begin so many bytes behind those of the one before
    internal const int ProjectShift = 32;

    // Slots of a many-to-many ring: a byte for each, and how many each side has
    internal const long FirstWriterSlotByte = MakingByte + 16;
    internal const long FirstReaderSlotByte = FirstWriterSlotByte + SlotsOfSide;
    internal const int SlotsOfSide = 1024;

    // Its turn: slot + 1 of whose it is, and whether others sleep; in the word of the end, bit 0, and the number of
    // openings in the rest
    internal const uint TurnWaiters = 1u << 31;
    internal const uint Ended = 1;
    internal const uint Opening = 2;

    // A ring
    internal const long SmallestCapacity = 4096;
    internal const long LargestCapacity = 1L << 40;
    internal const int RecordHeader = 8;
    internal const uint MessageKind = 1;
    internal const uint PaddingKind = 2;

    // A topic
    internal const int SmallestHistory = 2;
    internal const int LargestHistory = 1 << 20;
    internal const int SlotHeader = 64;
    internal const int LengthInSlot = 8;
    internal const long LargestSlot = 1L << 31;
}
