using System.CommandLine;
using System.Text;
using NativeIpc.Tool.Arguments;
using NativeIpc.Tool.Objects;

namespace NativeIpc.Tool.Verbs;

/// <summary><c>nipc write</c>: bytes into a segment.</summary>
internal static class WriteVerb
{
    private static readonly ObjectArgument s_object = new(IpcObjectKind.SharedMemory);
    private static readonly Option<long?> s_offset = Values.SizeOption("--offset", "BYTES",
        "Where to start (default 0; 0x10, 4k)", "-o");
    private static readonly Option<string?> s_text = new("--text", "-s") { HelpName = "TEXT",
        Description = "Write this text, as UTF-8, without a zero at its end" };
    private static readonly Option<string?> s_hex = new("--hex", "-x") { HelpName = "DIGITS",
        Description = "Write these bytes: 00ff10, or '00 ff 10'" };
    private static readonly LockOptions s_lock = new();

    public static Command Command() => new Verb("write",
        "Write standard input, text or bytes into a segment. What does not fit is refused, and nothing is written "
            + "then.",
        "write posix:/frames < frames.bin", "write posix:/frames --offset 0x10 --hex '01 00 00 00'",
        "write posix:/frames --lock --text hello")
    {
        s_object.Key, s_object.Type, s_object.Glob, s_offset, s_text, s_hex, s_lock.Lock, s_lock.Timeout,
        s_object.AllowOtherOwners,
    }
    .Excludes(s_text, s_hex, "give one of them.")
    .Needs(s_lock.Timeout, s_lock.Lock)
    .Does(parsed =>
    {
        NamedObject named = s_object.Read(parsed);
        byte[]? given = parsed.GetValue(s_text) is { } text
            ? Encoding.UTF8.GetBytes(text) : parsed.GetValue(s_hex) is { } digits ? ParseHex(digits) : null;
        using SharedMemory segment = named.OpenSegment(SharedMemoryAccess.ReadWrite,
            s_object.SegmentOptions(parsed, named, parsed.GetValue(s_lock.Lock), onlyLooks: false));
        (long offset, long room) = ReadVerb.Range(segment, parsed.GetValue(s_offset), null);
        ReadOnlySpan<byte> bytes = given ?? ReadInput(room);
        if (bytes.Length > room)
            throw new ToolException(ExitCodes.Limit,
                $"{named.Name} has room for {room} bytes from offset {offset}, and there are more. "
                    + "Nothing was written.");
        using SharedMemoryLock held = s_lock.Take(parsed, named, segment);
        segment.Write(offset, bytes);
        return ExitCodes.Ok;
    });

    /// <summary>Standard input to its end, but no more than one byte over what fits: all of it is read before the first
    /// byte is written.</summary>
    private static ReadOnlySpan<byte> ReadInput(long room)
    {
        using Stream input = Console.OpenStandardInput();
        using var all = new MemoryStream();
        byte[] chunk = new byte[64 * 1024];
        while (all.Length <= room && input.Read(chunk) is var count and > 0) all.Write(chunk, 0, count);
        return all.GetBuffer().AsSpan(0, (int)all.Length);
    }

    private static byte[] ParseHex(string digits)
    {
        string bare = string.Concat(digits.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        if (bare.StartsWith("0x", StringComparison.OrdinalIgnoreCase)) bare = bare[2..];
        try
        {
            return Convert.FromHexString(bare);
        }
        catch (FormatException)
        {
            throw ToolException.Usage(
                $"'{digits}' are no bytes in hexadecimal. Give two digits for each: 00ff10, or '00 ff 10'.");
        }
    }
}
