using System.CommandLine;
using NativeIpc.Tool.Arguments;
using NativeIpc.Tool.Objects;
using NativeIpc.Tool.Output;
using NativeIpc.Tool.Running;

namespace NativeIpc.Tool.Verbs;

/// <summary><c>nipc dump</c>: a whole segment to a file, all or nothing.</summary>
internal static class DumpVerb
{
    private const int ChunkSize = 1 << 20;

    private static readonly ObjectArgument s_object = new(IpcObjectKind.SharedMemory);
    private static readonly Argument<string> s_file = new("FILE")
        { Description = "The file, readable by its owner only; - for standard output" };
    private static readonly Option<bool> s_force = new("--force", "-f")
        { Description = "Replace FILE when it is there already, if it is a regular file" };
    private static readonly LockOptions s_lock = new();

    public static System.CommandLine.Command Command()
        => new Verb("dump", "Copy a segment to a file. The file is there when all of it is, or not at all.",
        "dump posix:/frames frames.bin", "dump posix:/frames frames.bin --lock --force")
    {
        s_object.Key, s_file, s_object.Type, s_object.Glob, s_force, s_lock.Lock, s_lock.Timeout,
        s_object.AllowOtherOwners,
    }
    .Needs(s_lock.Timeout, s_lock.Lock)
    .Refuses(s_force, parsed => Streams(parsed.GetValue(s_file)!), "replaces a file, and FILE is standard output.")
    .Does(parsed =>
    {
        NamedObject named = s_object.Read(parsed);
        string name = parsed.GetValue(s_file)!;
        bool streams = Streams(name);
        string file = streams ? "" : Path.GetFullPath(name);
        bool force = parsed.GetValue(s_force);
        if (!streams) CheckFolder(file);
        if (!streams) CheckTarget(file, force);
        using SharedMemory segment = named.OpenSegment(SharedMemoryAccess.Read,
            s_object.SegmentOptions(parsed, named, parsed.GetValue(s_lock.Lock), onlyLooks: true));
        CancellationToken interrupted = Interruption.Token;
        if (streams)
        {
            using Stream output = StandardStreams.OpenOutput();
            using SharedMemoryLock held = s_lock.Take(parsed, named, segment);
            // Whoever reads it may not do so for long, and a signal is to end this all the same.
            StandardStreams.Write(() => Interruption.Await(() =>
            {
                Copy(segment, output, static _ => { }, interrupted);
                return 0;
            }));
            return ExitCodes.Ok;
        }

        string unfinished = $"{file}.nipc-{Environment.ProcessId}";
        using FileStream made = Create(unfinished, file, segment.Size);
        try
        {
            using (FileStream target = made)
            {
                using SharedMemoryLock held = s_lock.Take(parsed, named, segment);
                CopyProgress.Show(Path.GetFileName(file), segment.Size,
                    progress => Copy(segment, target, progress, interrupted));
            }

            CheckFolder(file); // a moment ago all was as it should be
            CheckTarget(file, force);
            File.Move(unfinished, file, force);
            return ExitCodes.Ok;
        }
        catch (Exception failure)
        {
            File.Delete(unfinished); // nothing happens when it is not there
            if (Failures.Renamed(failure, unfinished, file) is { } renamed) throw renamed;
            throw;
        }
    });

    private static bool Streams(string file) => file is "-" or "/dev/stdout";

    /// <summary>Refuses the folder of POSIX objects: a file there is an object, and one that is replaced may be in
    /// use.</summary>
    private static void CheckFolder(string file)
    {
        if (OperatingSystem.IsLinux() && Path.GetDirectoryName(file) is { } folder && Libc.IsOfPosixObjects(folder))
            throw ToolException.Usage(
                $"'{file}' is in /dev/shm, the folder of POSIX objects, where 'nipc dump' writes nothing: a file there "
                    + $"is an object. 'nipc create shm KEY SIZE' or 'nipc restore KEY FILE --create' makes one.");
    }

    /// <summary>Refuses a target that is there, and with --force one that is no regular file: a device, a FIFO or a
    /// link is never replaced.</summary>
    private static void CheckTarget(string file, bool force)
    {
        if (!Path.Exists(file) && new FileInfo(file).LinkTarget is null) return;
        bool isFile = OperatingSystem.IsLinux()
            ? Libc.IsRegularFile(file) : File.Exists(file) && new FileInfo(file).LinkTarget is null;
        if (!isFile)
        {
            throw new ToolException(ExitCodes.Conflict,
                $"'{file}' is no regular file, and only such a one is replaced. 'nipc dump KEY -' writes to standard "
                    + $"output, which can be redirected there.");
        }

        if (!force) throw new ToolException(ExitCodes.Conflict, $"'{file}' is there already. --force replaces it.");
    }

    private static FileStream Create(string unfinished, string file, long size)
    {
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write,
            Share = FileShare.None, BufferSize = 0, PreallocationSize = size };
        // As closed as a segment is by default
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        try
        {
            return new FileStream(unfinished, options);
        }
        catch (Exception failure) when (Failures.Renamed(failure, unfinished, file) is { } renamed)
        {
            throw renamed;
        }
    }

    private static void Copy(SharedMemory segment, Stream target, Action<long> progress, CancellationToken cancellation)
    {
        byte[] chunk = new byte[(int)Math.Min(ChunkSize, segment.Size)];
        for (long offset = 0; offset < segment.Size;)
        {
            cancellation.ThrowIfCancellationRequested();
            Span<byte> part = chunk.AsSpan(0, (int)Math.Min(chunk.Length, segment.Size - offset));
            segment.Read(offset, part);
            target.Write(part);
            offset += part.Length;
            progress(offset);
        }
    }
}
