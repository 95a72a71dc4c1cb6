using System.Runtime.InteropServices;
using NativeIpc;

namespace Transfer;

/// <summary>What the command line asked for.</summary>
internal sealed record Choices(string File, NativeIpcKeyType[] Types, bool DotnetChild, bool CChild, bool Corrupt)
{
    private const string Usage = """
        Moves a picture from one process to another through a topic (NativeIpc.Channels), through the death of the
        process that draws. Then a file, through 64 KiB of shared memory, flow-controlled by two semaphores.

        usage: demo.sh [--only picture|copies] [--frames FILE] [--window] [--type TYPE]... [--child dotnet|c] [FILE]

          --only    the moving picture, or the copies; default: both
          --frames  draws the pictures of a file, in the format PPM, as this makes them:
                    ffmpeg -i FILM -vf scale=640:-2 -f image2pipe -c:v ppm FILE; default: a simulation
          --window  shows them in a window of Qt 6; default: in the terminal
          FILE      the file to copy; default: the largest library of this .NET installation
          --type    posix, systemv, systemv-N or windows; default: all that this machine supports
          --child   the language of the process that gets the copy; default: both, C when there is a compiler

        Exit code: 0 all went well and nothing is left behind, 1 it did not, 2 wrong usage, 130 interrupted.
        """;

    public static Choices Parse(string[] args)
    {
        string? file = null, child = null;
        bool corrupt = false;
        var types = new List<NativeIpcKeyType>();
        for (int i = 0; i < args.Length; i++)
        {
            switch (args[i])
            {
                case "-h" or "--help": throw new UsageException(Usage) { IsHelp = true };
                case "--type": types.Add(ParseType(Value(args, ref i))); break;
                case "--child": child = Value(args, ref i); break;
                case "--corrupt": corrupt = true; break; // for the tests: one bit is turned on the way
                case "--" when i == args.Length - 2 && file is null: file = args[++i]; break;
                case ['-', _, ..]: throw new UsageException($"Unknown option: {args[i]}\n\n{Usage}");
                default:
                    if (file is not null) throw new UsageException($"One file at a time.\n\n{Usage}");
                    file = args[i];
                    break;
            }
        }

        if (child is not (null or "dotnet" or "c")) throw new UsageException($"--child is dotnet or c.\n\n{Usage}");
        file ??= LargestLibrary();
        if (!System.IO.File.Exists(file)) throw new UsageException($"There is no such file: {file}");
        return new Choices(file, types.Count > 0 ? [.. types] : SupportedTypes(), child is null or "dotnet",
            child is null or "c", corrupt);
    }

    private static string Value(string[] args, ref int i)
        => ++i < args.Length ? args[i] : throw new UsageException($"{args[i - 1]} needs a value.\n\n{Usage}");

    public static NativeIpcKeyType ParseType(string text)
    {
        if (!NativeIpcKey.TryParse(text + ":/x", out NativeIpcKey key))
            throw new UsageException($"Not a key type: {text}\n\n{Usage}");
        return IsSupported(key.Type) ? key.Type
            : throw new UsageException($"This machine does not support keys of type {text}.");
    }

    public static NativeIpcKeyType[] SupportedTypes()
    {
        // Any project id from 1 to 255 is a System V type of its own; 'T' stands for all that are not Qt's 'Q'.
        NativeIpcKeyType[] all = [NativeIpcKeyType.PosixRealtime, NativeIpcKeyType.SystemV,
            NativeIpcKeyType.FromProjectId('T'), NativeIpcKeyType.Windows];
        NativeIpcKeyType[] supported = Array.FindAll(all, IsSupported);
        return supported.Length > 0 ? supported : throw new UsageException("This machine supports no type of key.");
    }

    private static bool IsSupported(NativeIpcKeyType type)
        => SharedMemory.IsKeyTypeSupported(type) && SystemSemaphore.IsKeyTypeSupported(type);

    /// <summary>A real file of some size that is there wherever this program runs.</summary>
    public static string LargestLibrary()
    {
        // Of a program without a runtime (native AOT): its own
        string folder = RuntimeEnvironment.GetRuntimeDirectory();
        FileInfo? largest = new DirectoryInfo(folder).EnumerateFiles("*.dll").MaxBy(file => file.Length);
        return largest?.FullName ?? Environment.ProcessPath!;
    }
}

/// <summary>The command line is wrong, or asks for help.</summary>
internal sealed class UsageException(string message) : Exception(message)
{
    public bool IsHelp { get; init; }
}
