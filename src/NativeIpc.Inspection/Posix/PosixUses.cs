using System.Globalization;
using NativeIpc.Inspection.Processes;
using NativeIpc.Interop.Unix;
using NativeIpc.Linux;
using NativeIpc.Platform;
using NativeIpc.Posix.Names;
using NativeIpc.Posix.Permits;
using NativeIpc.Posix.Words;

namespace NativeIpc.Inspection.Posix;

/// <summary>What the processes that have a POSIX semaphore open do with it: which hold permits, as records in its page
/// say, and which sleep on it. Linux. A look that changes nothing: each answer was true at some moment of it.</summary>
internal static class PosixUses
{
    private static readonly string s_folder = PosixNames.Folder + "/";

    /// <summary>The same users, each with what it does. <paramref name="path"/>: the file of the semaphore. <paramref
    /// name="identity"/>: which one it is. <paramref name="users"/>: the processes that have it open.</summary>
    internal static IReadOnlyList<IpcAttachment> Of(string path, FileIdentity identity,
        IReadOnlyList<IpcAttachment> users)
    {
        if (users.Count == 0 || !GlibcSemaphore.s_isOffered) return users;
        Dictionary<long, (int Slot, int Permits)> held = ReadHeld(path, identity);
        return [.. users.Select(user => Of(user, identity, held))];
    }

    private static IpcAttachment Of(IpcAttachment user, FileIdentity identity,
        Dictionary<long, (int Slot, int Permits)> held)
    {
        // A process that holds permits and waits for more counts as waiting.
        if (ThreadsOfProcess.AnySleepsOn(user.ProcessId, address => IsMappedAt(user.ProcessId, identity, address)))
            return user with { Use = IpcUse.Waits };
        long permits = held.Count == 0 ? 0 : LockedBytes(user.ProcessId,
            identity).Select(first => held.GetValueOrDefault(first)).Distinct().Sum(slot => (long)slot.Permits);
        return permits > 0 ? user with { Use = IpcUse.Holds, Permits = (int)Math.Min(permits, int.MaxValue) } : user;
    }

    /// <summary>How many permits belong to the description that has locked a byte past the end of the file, by byte.
    /// The two bytes of one slot stand for the same permits.</summary>
    private static Dictionary<long, (int Slot, int Permits)> ReadHeld(string path, FileIdentity identity)
    {
        Dictionary<long, (int Slot, int Permits)> held = [];
        using UnixDescriptor file = Libc.OpenToLook(path, out int number);
        if (number != 0 || Libc.Status(file, out FileStatus opened) != 0) return held;
        if (opened.Identity != identity || opened.Size != Layout.SizeOfSemT) return held;
        nint page = Libc.mmap(0, Layout.SizeOfSemT, Flags.PROT_READ, Flags.MAP_SHARED,
            (int)file.DangerousGetHandle(), 0);
        if (page == Libc.MAP_FAILED) return held;
        PermitRecords.AddHeld(page, held);
        if (GlibcSemaphore.Look(page) is { Count: 0, Mark: > 0 and <= HolderSlots.Count and var mark })
            held[HolderSlots.ByteOf((int)mark - 1)] = ((int)mark, 1);
        _ = Libc.munmap(page, Layout.SizeOfSemT);
        return held;
    }

    /// <summary>Whether a process has the first page of a file mapped where an address lies.</summary>
    private static bool IsMappedAt(int process, FileIdentity file, ulong address)
    {
        foreach (string line in SystemText.Lines(string.Create(CultureInfo.InvariantCulture, $"/proc/{process}/maps")))
        {
            if (!line.Contains(s_folder, StringComparison.Ordinal)) continue;
            ReadOnlySpan<byte> text = System.Text.Encoding.UTF8.GetBytes(line);
            if (!ProcessMaps.TrySplit(text, out ulong device, out ulong inode, out long size)
                || new FileIdentity(device, inode) != file)
                continue;
            if (!ulong.TryParse(line.AsSpan(0, line.IndexOf('-')), NumberStyles.AllowHexSpecifier,
                CultureInfo.InvariantCulture, out ulong from))
                continue;
            if (address >= from && address - from < (ulong)size) return true;
        }

        return false;
    }

    /// <summary>The bytes of a file that the descriptions of a process have locked, by <c>/proc/PID/fdinfo</c>: the
    /// kernel tells of such locks no process, but their descriptor.</summary>
    private static IEnumerable<long> LockedBytes(int process, FileIdentity file)
    {
        string folder = string.Create(CultureInfo.InvariantCulture, $"/proc/{process}");
        foreach (string descriptor in SystemText.Entries(folder + "/fd"))
        {
            if (Libc.LinkText(descriptor)?.StartsWith(s_folder, StringComparison.Ordinal) != true) continue;
            if (Libc.StatusAndTimes(descriptor, followLink: true, out FileStatus status, out _) != 0
                || status.Identity != file)
                continue;
            foreach (string line in SystemText.Lines($"{folder}/fdinfo{descriptor[descriptor.LastIndexOf('/')..]}"))
            {
                // lock:	1: OFDLCK ADVISORY  READ -1 00:2c:2 2098355 2098355
                if (!line.StartsWith("lock:", StringComparison.Ordinal)
                    || !line.Contains("OFDLCK", StringComparison.Ordinal))
                    continue;
                string[] words = line.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
                if (long.TryParse(words[^2], NumberStyles.None, CultureInfo.InvariantCulture, out long first))
                    yield return first;
            }
        }
    }
}
