using System.Buffers.Binary;

namespace NativeIpc.Channels.Peer;

/// <summary>Messages that tell what they are: who wrote them, which in order, and a checksum. As the peers in C and
/// Python make them: u64 writer, u64 number, bytes (number + place, modulo 256), u64 sum.</summary>
public static class Message
{
    public const int Shortest = 24;

    /// <summary>Fills the bytes of a message.</summary>
    public static void Fill(Span<byte> message, ulong writer, ulong number)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(message, writer);
        BinaryPrimitives.WriteUInt64LittleEndian(message[8..], number);
        for (int i = 16; i < message.Length - 8; i++) message[i] = (byte)(number + (ulong)i);
        BinaryPrimitives.WriteUInt64LittleEndian(message[^8..], Sum(message[..^8]));
    }

    /// <summary>The writer and the number; throws for one that is torn.</summary>
    public static (ulong Writer, ulong Number) Read(ReadOnlySpan<byte> message)
    {
        if (message.Length < Shortest
            || BinaryPrimitives.ReadUInt64LittleEndian(message[^8..]) != Sum(message[..^8]))
        {
            throw new InvalidDataException($"A message of {message.Length} bytes is torn.");
        }

        return (BinaryPrimitives.ReadUInt64LittleEndian(message),
            BinaryPrimitives.ReadUInt64LittleEndian(message[8..]));
    }

    private static ulong Sum(ReadOnlySpan<byte> bytes)
    {
        ulong sum = 14695981039346656037;
        foreach (byte one in bytes) sum = (sum ^ one) * 1099511628211;
        return sum;
    }
}
