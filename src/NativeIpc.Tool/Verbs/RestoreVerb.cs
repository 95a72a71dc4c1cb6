using System.CommandLine;
using NativeIpc.Tool.Arguments;
using NativeIpc.Tool.Objects;
using NativeIpc.Tool.Output;

namespace NativeIpc.Tool.Verbs;

/// <summary><c>nipc restore</c>: the bytes of a file into a segment.</summary>
internal static class RestoreVerb
{
    private const int ChunkSize = 1 << 20;

    private static readonly ObjectArgument s_object = new(IpcObjectKind.SharedMemory);
    private static readonly Argument<string> s_file = new("FILE")
        { Description = "The file, such as 'nipc dump' writes" };
    private static readonly Option<bool> s_create = new("--create",
        "-c") { Description = "Make the segment, as large as the file" };
    private static readonly Option<UnixFileMode> s_mode = Values.Mode();
    private static readonly LockOptions s_lock = new();

    public static Command Command() => new Verb("restore",
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
        NamedObject named = Named(parsed);
        CancellationToken interrupted = Interruption.Token;
        if (Directory.Exists(parsed.GetValue(s_file)))
            throw new ToolException(ExitCodes.Failure,
                $"'{parsed.GetValue(s_file)}' is a folder, and no file with the bytes of a segment.");
        using FileStream source = new(parsed.GetValue(s_file)!, new FileStreamOptions { BufferSize = 0 });
        bool creates = parsed.GetValue(s_create);
        if (creates && OperatingSystem.IsWindows())
            throw new ToolException(ExitCodes.Unsupported,
                "Windows removes a segment with its last handle, so it would end with this command. Make it with "
                    + "'nipc create shm --hold', then restore without --create.");
        if (creates) Keeping.CheckSegment(named.Key);
        if (creates && source.Length == 0)
            throw ToolException.Usage($"'{source.Name}' is empty, and a segment has at least 1 byte.");
        SharedMemoryOptions options = s_object.SegmentOptions(parsed, named, parsed.GetValue(s_lock.Lock),
            onlyLooks: false) with { Mode = parsed.GetValue(s_mode) };
        using SharedMemory segment = creates ? SharedMemory.CreateNew(named.Key, source.Length, options)
            : named.OpenSegment(SharedMemoryAccess.ReadWrite, options);
        try
        {
            if (source.Length > segment.Size)
                throw new ToolException(ExitCodes.Limit,
                    $"'{source.Name}' has {source.Length} bytes and {named.Name} only {segment.Size}. Nothing was "
                        + $"written.");
            using SharedMemoryLock held = s_lock.Take(parsed, segment);
            CopyProgress.Show(Path.GetFileName(source.Name), source.Length,
                progress => Copy(source, segment, progress, interrupted));
            return ExitCodes.Ok;
        }
        catch when (creates)
        {
            SharedMemory.Remove(named.Key);
            throw;
        }
    });

    /// <summary>What is to be made has a key; what is there may be named in any way.</summary>
    private static NamedObject Named(ParseResult parsed)
    {
        if (!parsed.GetValue(s_create)) return s_object.Read(parsed);
        string text = parsed.GetValue(s_object.Key)!;
        NativeIpcKey key = KeyArguments.ReadNew(text, parsed.GetValue(s_object.Type), IpcObjectKind.SharedMemory);
        ObjectArgument.Echo(text, parsed.GetValue(s_object.Type), key.ToString());
        return NamedObject.Of(key);
    }

    private static void Copy(FileStream source, SharedMemory segment, Action<long> progress,
        CancellationToken cancellation)
    {
        byte[] chunk = new byte[(int)Math.Clamp(source.Length, 1, ChunkSize)];
        for (long offset = 0; source.Read(chunk) is var count and > 0; progress(offset))
        {
            cancellation.ThrowIfCancellationRequested();
            if (count > segment.Size - offset)
                throw new ToolException(ExitCodes.Limit,
                    $"'{source.Name}' has grown meanwhile, over the {segment.Size} bytes of {segment.Key}.");
            segment.Write(offset, chunk.AsSpan(0, count));
            offset += count;
        }
    }
}
