using System.CommandLine;
using NativeIpc.Tool.Arguments;
using NativeIpc.Tool.Objects;
using NativeIpc.Tool.Output;

namespace NativeIpc.Tool.Verbs;

/// <summary><c>nipc read</c>: the bytes of a segment, to standard output.</summary>
internal static class ReadVerb
{
    private const int ChunkSize = 64 * 1024; // a multiple of a line of the hexdump

    private static readonly ObjectArgument s_object = new(IpcObjectKind.SharedMemory);
    private static readonly Option<long?> s_offset = Values.SizeOption("--offset", "BYTES",
        "Where to start (default 0; 0x10, 4k)", "-o");
    private static readonly Option<long?> s_length = Values.SizeOption("--length", "BYTES",
        "How many bytes (default: to the end)", "-n");
    private static readonly Option<bool> s_hex = new("--hex", "-x")
        { Description = "A hexdump; the default on a terminal" };
    private static readonly Option<bool> s_raw = new("--raw", "-r")
        { Description = "The bytes as they are, on a terminal too" };
    private static readonly LockOptions s_lock = new();

    public static Command Command()
        => new Verb("read", "Print the bytes of a segment. To a terminal, as a hexdump; else as they are.",
        "read posix:/frames", "read posix:/frames --offset 0x100 --length 64", "read posix:/frames --lock > frames.bin")
    {
        s_object.Key, s_object.Type, s_object.Glob, s_offset, s_length, s_hex, s_raw, s_lock.Lock, s_lock.Timeout,
        s_object.AllowOtherOwners,
    }
    .Excludes(s_hex, s_raw, "give one of them.")
    .Needs(s_lock.Timeout, s_lock.Lock)
    .Does(parsed =>
    {
        NamedObject named = s_object.Read(parsed);
        bool hex = parsed.GetValue(s_hex) || (!parsed.GetValue(s_raw) && !Console.IsOutputRedirected);
        bool locks = parsed.GetValue(s_lock.Lock); // which a lock needs: Windows opens its semaphore for writing anyway
        using SharedMemory segment = named.OpenSegment(SharedMemoryAccess.Read,
            s_object.SegmentOptions(parsed, named, locks, onlyLooks: true));
        (long offset, long length) = Range(segment, parsed.GetValue(s_offset), parsed.GetValue(s_length));
        using SharedMemoryLock held = s_lock.Take(parsed, named, segment);
        // Whoever reads it may not do so for long, and a signal, which gives the lock back, is to end this all the
        // same.
        if (locks) Interruption.Await(() => Print(segment, offset, length, hex));
        else Print(segment, offset, length, hex);
        return ExitCodes.Ok;
    });

    private static long Print(SharedMemory segment, long offset, long length, bool hex)
    {
        using Stream output = StandardStreams.OpenOutput();
        byte[] chunk = new byte[(int)Math.Min(ChunkSize, Math.Max(length, 1))];
        for (long end = offset + length; offset < end;)
        {
            Span<byte> part = chunk.AsSpan(0, (int)Math.Min(chunk.Length, end - offset));
            segment.Read(offset, part);
            if (hex) WriteHex(offset, part);
            else Write(output, part);
            offset += part.Length;
        }

        return offset;
    }

    /// <summary>What was asked for, within the segment.</summary>
    public static (long Offset, long Length) Range(SharedMemory segment, long? offset, long? length)
    {
        long start = offset ?? 0;
        if (start > segment.Size || (length is { } count && count > segment.Size - start))
            throw ToolException.Usage(
                $"{segment.Key} has {segment.Size} bytes: "
                    + $"offset {start}{(length is null ? "" : $" and length {length}")} is past its end.");
        return (start, length ?? (segment.Size - start));
    }

    private static void Write(Stream output, ReadOnlySpan<byte> bytes)
    {
        try
        {
            output.Write(bytes);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw StandardStreams.Failed(failure);
        }
    }

    private static void WriteHex(long offset, ReadOnlySpan<byte> bytes)
    {
        for (int i = 0; i < bytes.Length; i += HexLines.BytesPerLine)
            Console.Out.WriteLine(HexLines.Line(offset + i, HexLines.Part(bytes, i)));
    }
}
