using System.CommandLine;
using NativeIpc.Tool.Arguments;
using NativeIpc.Tool.Objects;
using NativeIpc.Tool.Output;
using NativeIpc.Tool.Running;

namespace NativeIpc.Tool.Verbs;

/// <summary><c>nipc restore</c>: the bytes of a file into a segment.</summary>
internal static class RestoreVerb
{
    private const int ChunkSize = 1 << 20;

    private static readonly ObjectArgument s_object = new(IpcObjectKind.SharedMemory);
    private static readonly Argument<string> s_file = new("FILE")
        { Description = "The file, such as 'nipc dump' writes; - for standard input" };
    private static readonly Option<bool> s_create = new("--create", "-c")
        { Description = "Make the segment, as large as the file" };
    private static readonly Option<UnixFileMode> s_mode = Values.Mode();
    private static readonly LockOptions s_lock = new();

    public static System.CommandLine.Command Command() => new Verb("restore",
        "Copy a file into a segment, which must be large enough. With --create an interrupted copy leaves no segment.",
        "restore posix:/frames frames.bin", "restore posix:/frames frames.bin --create --mode 660")
    {
        s_object.Key, s_file, s_object.Type, s_object.Glob, s_create, s_mode, s_lock.Lock, s_lock.Timeout,
        s_object.AllowOtherOwners,
    }
    .Needs(s_lock.Timeout, s_lock.Lock)
    .Needs(s_mode, s_create)
    .Excludes(s_object.Glob, s_create, "a pattern finds what is there, and --create makes a segment.")
    .Refuses(s_object.AllowOtherOwners, parsed => parsed.GetValue(s_create),
        "is for a segment that is there, and --create makes one.")
    .Does(parsed =>
    {
        string name = parsed.GetValue(s_file)!;
        bool isInput = name is "-" or "/dev/stdin";
        if (isInput && parsed.GetValue(s_object.Key) == "-")
            throw ToolException.Usage("Standard input cannot be both: give the KEY, or the FILE.");
        NamedObject named = Named(parsed);
        if (Directory.Exists(name))
            throw new ToolException(ExitCodes.Failure,
                $"'{name}' is a folder, and no file with the bytes of a segment.");
        CancellationToken interrupted = Interruption.Token;
        using Stream source = isInput ? OpenInput() : Interruption.Await(
            () => new FileStream(name, new FileStreamOptions { BufferSize = 0 })); // a FIFO waits for its writer
        bool creates = parsed.GetValue(s_create);
        if (creates && OperatingSystem.IsWindows())
            throw new ToolException(ExitCodes.Unsupported,
                "Windows removes a segment with its last handle, so it would end with this command. Make it with "
                    + "'nipc create shm --hold', then restore without --create.");
        if (creates) Keeping.CheckSegment(named.Key);
        bool isStream = !source.CanSeek || source.Length == 0; // devices and files of /proc tell no length
        if (creates && isStream && source.CanSeek)
            throw ToolException.Usage(
                $"'{name}' is empty or does not tell its size, and a segment has at least 1 byte.");
        if (creates && isStream)
            throw ToolException.Usage(
                $"How much will come from '{name}' is not known before its end, and so not how large the segment is to "
                    + $"be. Make it with 'nipc create shm KEY SIZE', then restore without --create.");
        SharedMemoryOptions options = s_object.SegmentOptions(parsed, named, parsed.GetValue(s_lock.Lock),
            onlyLooks: false) with { Mode = parsed.GetValue(s_mode) };
        using SharedMemory segment = creates ? SharedMemory.CreateNew(named.Key, source.Length, options)
            : named.OpenSegment(SharedMemoryAccess.ReadWrite, options);
        try
        {
            // All of a stream, before the lock is taken and the first byte is written
            long room = segment.Size;
            List<ReadOnlyMemory<byte>>? all = isStream
                ? Interruption.Await(() => ReadAll(source, room, interrupted)) : null;
            long length = all?.Sum(chunk => (long)chunk.Length) ?? source.Length;
            if (length > room)
                throw new ToolException(ExitCodes.Limit,
                    $"{(isStream ? $"More bytes come from '{name}' than" : $"'{name}' has {length} bytes and")} "
                        + $"{named.Name} {(isStream ? "has, which are" : "only")} {room}. Nothing was written.");
            using SharedMemoryLock held = s_lock.Take(parsed, named, segment);
            CopyProgress.Show(Path.GetFileName(name), length,
                progress => Copy(all ?? Chunks(source), name, segment, progress, interrupted));
            return ExitCodes.Ok;
        }
        catch when (creates)
        {
            SharedMemory.Remove(named.Key);
            throw;
        }
    });

    private static Stream OpenInput()
        => OperatingSystem.IsWindows() || !Libc.WasClosed(0) ? Console.OpenStandardInput()
            : throw new ToolException(ExitCodes.Failure, "Standard input is closed.");

    /// <summary>What is to be made has a key; what is there may be named in any way.</summary>
    private static NamedObject Named(ParseResult parsed)
    {
        if (!parsed.GetValue(s_create)) return s_object.Read(parsed);
        string text = parsed.GetValue(s_object.Key)!;
        NativeIpcKey key = KeyArguments.ReadNew(text, parsed.GetValue(s_object.Type), IpcObjectKind.SharedMemory);
        ObjectArgument.Echo(text, parsed.GetValue(s_object.Type), key.ToString());
        return NamedObject.Of(key);
    }

    /// <summary>A stream to its end, but no more than a little over what fits.</summary>
    private static List<ReadOnlyMemory<byte>> ReadAll(Stream source, long room, CancellationToken cancellation)
    {
        List<ReadOnlyMemory<byte>> all = [];
        long length = 0;
        foreach (ReadOnlyMemory<byte> chunk in Chunks(source))
        {
            cancellation.ThrowIfCancellationRequested();
            all.Add(chunk.ToArray());
            length += chunk.Length;
            if (length > room) break;
        }

        return all;
    }

    /// <summary>The bytes of a file or a stream; each part stands until the next one.</summary>
    private static IEnumerable<ReadOnlyMemory<byte>> Chunks(Stream source)
    {
        byte[] chunk = new byte[ChunkSize];
        while (source.Read(chunk) is var count and > 0) yield return chunk.AsMemory(0, count);
    }

    private static void Copy(IEnumerable<ReadOnlyMemory<byte>> chunks, string name, SharedMemory segment,
        Action<long> progress, CancellationToken cancellation)
    {
        long offset = 0;
        foreach (ReadOnlyMemory<byte> chunk in chunks)
        {
            cancellation.ThrowIfCancellationRequested();
            if (chunk.Length > segment.Size - offset)
                throw new ToolException(ExitCodes.Limit,
                    $"'{name}' has grown meanwhile, over the {segment.Size} bytes of {segment.Key}.");
            segment.Write(offset, chunk.Span);
            offset += chunk.Length;
            progress(offset);
        }
    }
}
