using System.Globalization;
using NativeIpc.Interop.Unix;
using NativeIpc.Platform;

namespace NativeIpc.Linux;

/// <summary>What is done to mappings whose users may still be there.</summary>
internal static class Mapping
{
    /// <summary>Replaces an attached segment, or a semaphore's page, by empty private memory in one call, so that
    /// threads which still touch it at the end of the process never find it gone. Linux only.</summary>
    internal static bool Replace(nint address, long size)
    {
        nuint length =
            (nuint)((size + Environment.SystemPageSize - 1) / Environment.SystemPageSize * Environment.SystemPageSize);
        int flags = Flags.MAP_PRIVATE | Flags.MAP_ANONYMOUS | Flags.MAP_FIXED | Flags.MAP_NORESERVE;
        return Libc.mmap(address, length, Flags.PROT_READ | Flags.PROT_WRITE, flags, -1, 0) == address;
    }

    /// <summary>
    /// Whether a mapping of a file begins at an address, as proc_pid_maps(5) says; no where it does not say.
    /// Linux only.
    /// </summary>
    internal static bool IsOf(nint address, FileIdentity file)
    {
        string start = string.Create(CultureInfo.InvariantCulture, $"{address:x}-");
        string inode = file.Inode.ToString(CultureInfo.InvariantCulture);
        foreach (string line in SystemText.Lines("/proc/self/maps"))
        {
            // 7f2f0a000000-7f2f0a001000 rw-s 00000000 00:1a 1234    /dev/shm/sem.x
            if (!line.StartsWith(start, StringComparison.Ordinal)) continue;
            string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            return words.Length > 4 && words[4] == inode;
        }

        return false;
    }
}
