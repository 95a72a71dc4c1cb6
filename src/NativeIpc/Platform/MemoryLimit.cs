using System.Globalization;
using NativeIpc.Interop.Unix;

namespace NativeIpc.Platform;

/// <summary>
/// The least memory that a control group of this process may take, its own or one above it, as far as they can be seen:
/// <c>cgroups(7)</c>.
/// A process that takes more is not refused but killed, and the pages of a segment count for whoever touches them
/// first.
/// </summary>
/// <param name="File">The file that says so: <c>memory.max</c>, or <c>memory.limit_in_bytes</c> of version 1.</param>
/// <param name="Bytes">Memory and swap together, in bytes.</param>
/// <param name="Used">What it has taken of that and the kernel cannot drop, in bytes; null when that is not
/// told.</param>
internal sealed record MemoryLimit(string File, long Bytes, long? Used)
{
    private const long Unlimited = long.MaxValue;

    // Version 1 writes "no limit" as the largest whole number of pages, which depends on their size.
    private const long LargestReal = long.MaxValue / 2;

    /// <summary>The tightest limit; null when there is none, or none that can be seen.</summary>
    /// <param name="root">What stands before /proc and /sys: nothing, but in tests.</param>
    public static MemoryLimit? Find(string root = "")
    {
        if (!OperatingSystem.IsLinux()) return null;
        if (Read(root, "/proc/self/cgroup") is not { } groups
            || Read(root, "/proc/self/mountinfo") is not { } mounts) return null;
        MemoryLimit? tightest = null;
        long? swap = null;
        foreach ((string mountPoint, string group, bool isSecond) in Hierarchies(groups, mounts))
        {
            // From the own group up to the mount. What is above the mount is another namespace's, and not to be seen.
            for (string at = group; ; at = at[..at.LastIndexOf('/')])
            {
                string folder = mountPoint + at;
                string file = $"{folder}/{(isSecond ? "memory.max" : "memory.limit_in_bytes")}";
                if (Number(root, file) is { } memory && memory <= LargestReal)
                {
                    swap ??= Swap(root);
                    long bytes = isSecond
                        ? Sum(memory, Math.Min(Number(root, $"{folder}/memory.swap.max") ?? Unlimited, swap.Value))
                        : Math.Min(Number(root, $"{folder}/memory.memsw.limit_in_bytes") ?? Unlimited,
                            Sum(memory, swap.Value));
                    if (bytes < (tightest?.Bytes ?? Unlimited)) tightest =
                        new MemoryLimit(file, bytes, Taken(root, folder, isSecond));
                }

                // Before Linux 5.11 a group of version 1 counts for those above it only if that was asked for.
                if (at.Length == 0
                    || (!isSecond
                    && Number(root, $"{mountPoint}{at[..at.LastIndexOf('/')]}/memory.use_hierarchy") == 0)) break;
            }
        }

        return tightest;
    }

    /// <summary>Where the groups of the memory controller are mounted, and the own group below that; "" for the mount
    /// itself.</summary>
    private static IEnumerable<(string MountPoint, string Group, bool IsSecond)> Hierarchies(string groups,
        string mounts)
    {
        foreach (string line in groups.Split('\n'))
        {
            // Hierarchy, controllers, path; version 2 has no controllers here.
            if (line.Split(':', 3) is not [_, var controllers, var path]) continue;
            bool isSecond = controllers.Length == 0;
            if (!isSecond && !controllers.Split(',').Contains("memory")) continue;
            foreach (string mount in mounts.Split('\n'))
            {
                // proc(5): id, parent, major:minor, root, place, options, fields that may be missing, a dash, type,
                // source, options.
                int dash = mount.IndexOf(" - ", StringComparison.Ordinal);
                if (dash < 0 || mount[..dash].Split(' ') is not [_, _, _, var top, var place, ..]) continue;
                if (mount[(dash + 3)..].Split(' ') is not [var type, _, var options, ..]) continue;
                if (isSecond ? type != "cgroup2" : type != "cgroup" || !options.Split(',').Contains("memory")) continue;
                if (Below(Unescaped(top), path) is { } group) yield return (Unescaped(place).TrimEnd('/'), group,
                    isSecond);
            }
        }
    }

    /// <summary>A group's path below the group that is mounted; null when it is not below it: then the mount shows
    /// other groups.</summary>
    private static string? Below(string top, string path)
    {
        // outside of the cgroup namespace
        if (path.Contains("/..", StringComparison.Ordinal)
            || top.Contains("/..", StringComparison.Ordinal)) return null;
        string start = top.TrimEnd('/');
        string group = path.TrimEnd('/');
        if (!group.StartsWith(start, StringComparison.Ordinal)) return null;
        string rest = group[start.Length..];
        return rest.Length == 0 || rest[0] == '/' ? rest : null;
    }

    /// <summary>What cannot be dropped: memory of programs and of segments.</summary>
    private static long? Taken(string root, string folder, bool isSecond)
    {
        if (Read(root, folder + "/memory.stat") is not { } text) return null;
        string[] names = isSecond ? ["anon", "shmem"] : ["total_rss", "total_shmem", "total_swap"];
        long taken = isSecond ? Number(root, folder + "/memory.swap.current") ?? 0 : 0;
        foreach (string line in text.Split('\n'))
        {
            if (line.Split(' ') is [var name, var value] && names.Contains(name)
                && long.TryParse(value, CultureInfo.InvariantCulture, out long bytes)) taken = Sum(taken, bytes);
        }

        return taken;
    }

    /// <summary>The swap of the machine: a group that may take any amount of it gets no more than there is.</summary>
    private static long Swap(string root)
    {
        const string head = "SwapTotal:";
        string? line = Read(root, "/proc/meminfo") is { } all
            ? Array.Find(SystemText.LinesOf(all), static line => line.StartsWith(head, StringComparison.Ordinal))
            : null;
        return line is not null
            && long.TryParse(line[head.Length..].Replace("kB", "", StringComparison.Ordinal),
            CultureInfo.InvariantCulture, out long kibibytes) ? kibibytes * 1024
            : Unlimited; // not told: then nothing is refused for it
    }

    /// <summary>The number in a file; null when there is none: no such file, no right to read it, or "max".</summary>
    private static long? Number(string root, string file)
        => ulong.TryParse(Read(root, file)?.Trim(), CultureInfo.InvariantCulture, out ulong number)
            ? (long)Math.Min(number, long.MaxValue) : null;

    private static string? Read(string root, string file) => Libc.TextOf(root + file, out _);

    private static long Sum(long one, long other) => other > Unlimited - one ? Unlimited : one + other;

    /// <summary>mountinfo writes a space, a tabulator, a line's end and a backslash as three octal digits.</summary>
    private static string Unescaped(string text)
        => text.Contains('\\')
            ? text.Replace("\\040", " ", StringComparison.Ordinal).Replace("\\011", "\t",
                StringComparison.Ordinal).Replace("\\012", "\n", StringComparison.Ordinal).Replace("\\134", "\\",
                StringComparison.Ordinal)
            : text;
}
