using System.Diagnostics;
using System.Runtime.Versioning;
using System.Security.Cryptography;
using NativeIpc;
using NativeIpc.Channels;

namespace Transfer.Pictures;

/// <summary>A picture moves from a process that draws to one that shows it, through the death of the first
/// one.</summary>
internal static class Show
{
    // Of the terminal. What is larger costs slow connections more than it shows.
    private const int LeastColumns = 40, LeastRows = 13, MostColumns = 120, MostRows = 40;

    // For how long each of the two drawers is seen. On a busy machine there are fewer pictures in that time.
    private const int Frames = 80, LeastFrames = 5;
    private static readonly TimeSpan s_time = TimeSpan.FromSeconds(4);

    /// <summary>Shows it.</summary>
    /// <returns>Whether all went well; also when it cannot be shown here, which is said.</returns>
    public static async Task<bool> RunAsync(ShowChoices choices, CancellationToken cancellation)
    {
        if (!OperatingSystem.IsLinux())
        {
            Console.WriteLine("The moving picture is skipped: SharedTopic is for Linux.");
            return true;
        }

        using var program = new ViewerProgram();
        ProcessStartInfo? start = await program.FindAsync(choices.InWindow, cancellation);
        if (start is null)
        {
            Console.WriteLine("The moving picture is skipped: "
                + (choices.InWindow ? "there is no Qt 6 with a C++ compiler." : "there is no C compiler, nor Python."));
            return true;
        }

        string unique = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4));
        NativeIpcKey key = SharedMemory.PlatformSafeKeyUncut($"demo-{unique}", NativeIpcKeyType.PosixRealtime);
        bool isGood = await RunAsync(choices, start, key, cancellation);
        string[] left = Array.FindAll(["/dev/shm" + key.NativeKey, "/dev/shm/sem." + key.NativeKey.TrimStart('/')],
            File.Exists);
        if (left.Length > 0) Console.WriteLine($"FAIL  left behind: {string.Join(", ", left)}");
        return isGood && left.Length == 0;
    }

    [SupportedOSPlatform("linux")]
    private static async Task<bool> RunAsync(ShowChoices choices, ProcessStartInfo program, NativeIpcKey key,
        CancellationToken cancellation)
    {
        int width, height, length;
        using (IArtist artist = Drawer.NewArtist(choices.Frames))
            (width, height, length) = (artist.Width, artist.Height, Drawer.MessageLength(artist));

        // The demo handles the ending signals itself (Demo.RunAsync): first the others end, then the topic goes.
        using var topic = SharedTopic.CreateNew(key, length,
            options: new SharedMemoryOptions { RemoveAtProcessExit = false });
        (int Columns, int Rows)? terminal = choices.InWindow ? null : TerminalSize();
        using Worker viewer = Worker.StartViewer(program, key, terminal);
        string language = choices.InWindow ? "C++ with Qt" : program.FileName == "python3" ? "Python" : "C";
        Console.WriteLine($"A picture of {width} x {height} moves from .NET to {language}, process {viewer.Id}, "
            + $"through {key}");
        using Worker first = Worker.StartDrawer(key, choices.Frames);
        await WatchAsync(viewer, first, cancellation);

        await first.KillAsync(cancellation);
        viewer.Tell($"Process {first.Id} was killed by SIGKILL.");
        using Worker second = Worker.StartDrawer(key, choices.Frames);
        Report next = await NextAsync(viewer, second, cancellation);
        Report atEnd = await WatchAsync(viewer, second, cancellation);

        await second.EndAsync(cancellation);
        while (!atEnd.IsEnd) atEnd = await viewer.ReadAsync(cancellation);
        await viewer.EndAsync(cancellation);
        if (terminal is not { Columns: > 0 })
        {
            Console.WriteLine($"Process {first.Id} was killed by SIGKILL. Process {second.Id} took over and went on "
                + $"with frame {next.Number}.");
        }

        double speed = atEnd.Time > TimeSpan.Zero ? atEnd.Bytes / 1e6 / atEnd.Time.TotalSeconds : 0;
        Console.WriteLine($"{atEnd.Frames} frames, {atEnd.Bytes / 1e6:N0} MB, {speed:N0} MB/s, each of them whole, "
            + $"{atEnd.Missed} missed.");
        if (next.TookOver) return true;
        Console.WriteLine("FAIL  the new process was not told that the one before was killed.");
        return false;
    }

    /// <summary>Until a process has drawn for some time, and some pictures.</summary>
    private static async Task<Report> WatchAsync(Worker viewer, Worker drawer, CancellationToken cancellation)
    {
        Report report = await NextAsync(viewer, drawer, cancellation);
        long started = Stopwatch.GetTimestamp();
        for (int i = 1; i < Frames && (i < LeastFrames || Stopwatch.GetElapsedTime(started) < s_time); i++)
            report = await NextAsync(viewer, drawer, cancellation);
        return report;
    }

    /// <summary>The next picture of one process.</summary>
    private static async Task<Report> NextAsync(Worker viewer, Worker drawer, CancellationToken cancellation)
    {
        while (true)
        {
            Task<Report> read = viewer.ReadAsync(cancellation);
            if (await Task.WhenAny(read, drawer.Ended) == drawer.Ended && !read.IsCompleted)
                throw await drawer.EndedEarlyAsync(cancellation);
            Report report = await read;
            if (report.IsEnd) throw await viewer.EndedEarlyAsync(cancellation);
            if (report.Drawer == drawer.Id) return report;
        }
    }

    /// <summary>The room for the picture and the lines below it; 0 where nothing is to be drawn.</summary>
    private static (int Columns, int Rows) TerminalSize()
    {
        if (Console.IsOutputRedirected || Environment.GetEnvironmentVariable("NO_COLOR") is { Length: > 0 }
            || Environment.GetEnvironmentVariable("TERM") is null or "" or "dumb")
        {
            return (0, 0);
        }

        int columns = Math.Min(Console.WindowWidth, MostColumns), rows = Math.Min(Console.WindowHeight - 1, MostRows);
        return columns < LeastColumns || rows < LeastRows ? (0, 0) : (columns, rows);
    }
}
