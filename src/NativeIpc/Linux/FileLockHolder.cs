using System.Globalization;
using NativeIpc.Interop.Unix;
using NativeIpc.Platform;

namespace NativeIpc.Linux;

/// <summary>Looks at the process that holds a <see cref="FileLock"/>: its number, by /proc/locks, and whether it could
/// run.</summary>
/// <remarks>Linux only. Elsewhere, without /proc, and for a holder of another PID namespace nothing is seen, which
/// counts as rest.</remarks>
internal static class FileLockHolder
{
    private static readonly double s_tick = 1.0 / 100; // USER_HZ, which is 100 on every architecture that .NET runs on

    /// <param name="holder">Its process, as <see cref="FindByFile"/> gave it.</param>
    public static HolderSight Look(string? holder)
        => int.TryParse(holder, CultureInfo.InvariantCulture, out int process) && process > 0
            ? Look(holder, process) : new HolderSight(holder, IsRunnable: false, default);

    /// <summary>The holder of an open file's lock; null for nobody, or a process that is not to be seen from
    /// here.</summary>
    public static string? FindByFile(string[] lines, int file)
        => OperatingSystem.IsLinux() && Libc.Status(file, out FileStatus status) == 0
            ? Find(lines, status.Identity.Inode) : null;

    /// <summary>The holder of a file's lock, as proc_locks(5) says; null for nobody, or a process that is not to be
    /// seen from here.</summary>
    /// <remarks>By the inode alone: the device that is shown there is not the one that statx(2) tells for btrfs and
    /// overlays. Of two files with one number the first counts.</remarks>
    internal static string? Find(string[] lines, ulong inode)
    {
        string end = string.Create(CultureInfo.InvariantCulture, $":{inode}");
        foreach (string line in lines)
        {
            if (Words(line) is { } words && words[5].EndsWith(end, StringComparison.Ordinal)) return words[4];
        }

        return null;
    }

    /// <summary>Whether a process is seen to have a shared lock of a file. By device and inode: where it is of a file
    /// system that shows another device there, nothing is seen.</summary>
    internal static bool IsShared(string[] lines, FileIdentity file)
    {
        string place = string.Create(CultureInfo.InvariantCulture,
            $"{file.Device >> 32:x2}:{(uint)file.Device:x2}:{file.Inode}");
        foreach (string line in lines)
        {
            if (Words(line) is { } words && words[3] == "READ" && words[5] == place) return true;
        }

        return false;
    }

    /// <summary>The words of a line about a flock(2) that somebody has.</summary>
    private static string[]? Words(string line)
    {
        // 5: FLOCK  ADVISORY  WRITE 1234 fe:00:5767 0 EOF; a waiter's line has an arrow before FLOCK.
        string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return words.Length > 5 && words[1] == "FLOCK" ? words : null;
    }

    /// <summary>All threads are looked at: the one that holds it need not be the first one, whose state is that of the
    /// process. The thread of this process that looks is left out: it runs, which says nothing.</summary>
    private static HolderSight Look(string holder, int process)
    {
        string folder = string.Create(CultureInfo.InvariantCulture, $"/proc/{process}");
        if (SystemText.FirstLine(folder + "/stat") is not { } whole
            || !TryParse(whole, out char state, out TimeSpan processor))
            return new HolderSight(holder, IsRunnable: false, default);
        if (state == 'Z') return new HolderSight(holder, IsRunnable: false, processor);
        string self = process == Environment.ProcessId ? $"{folder}/task/{OwnThread()}" : "";
        foreach (string thread in SystemText.Folders(folder + "/task"))
        {
            if (thread != self && SystemText.FirstLine(thread + "/stat") is { } line && TryParse(line, out state, out _)
                && state is 'R' or 'D')
                return new HolderSight(holder, IsRunnable: true, processor);
        }

        return new HolderSight(holder, IsRunnable: false, processor);
    }

    /// <summary>State and time on a processor of a line of proc_pid_stat(5); the name in it may hold
    /// anything.</summary>
    internal static bool TryParse(string line, out char state, out TimeSpan processor)
    {
        state = ' ';
        processor = default;
        string[] words = line[(line.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (words.Length < 13 || words[0].Length != 1) return false;
        if (!long.TryParse(words[11], CultureInfo.InvariantCulture, out long user)
            || !long.TryParse(words[12], CultureInfo.InvariantCulture, out long system))
            return false;
        state = words[0][0];
        processor = TimeSpan.FromSeconds((user + system) * s_tick);
        return true;
    }

    private static string OwnThread()
    {
        // /proc/thread-self leads to 1234/task/1235.
        return Libc.LinkText("/proc/thread-self") is { } link ? link[(link.LastIndexOf('/') + 1)..] : "";
    }
}
