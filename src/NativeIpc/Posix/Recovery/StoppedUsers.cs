using NativeIpc.Interop.Unix;
using NativeIpc.Linux;

namespace NativeIpc.Posix.Recovery;

/// <summary>Which users of a lock are stopped, so that they do not step aside (<see cref="SteppingAside"/>): tells why
/// a lock is not freed. Linux.</summary>
/// <remarks>
/// A slot notes its process by the number in that process's own PID namespace. The number is believed only if the
/// process that has it here shows the file among its mappings: one of another namespace does not, and one that this
/// user may not look at counts as unseen.
/// </remarks>
internal static class StoppedUsers
{
    // A user that comes and goes between two looks more often than this counts as unseen.
    private const int MostLooks = 4;

    /// <summary>Adds what is known to a status.</summary>
    internal static LockStatus AddTo(LockStatus status, SteppingAside handle)
    {
        if (handle.FindUsers() is not { } unknown) return status;
        var stopped = new List<int>();
        for (int look = 1; look <= MostLooks; look++)
        {
            for (int i = unknown.Count - 1; i >= 0; i--)
            {
                int process = unknown[i].Process;
                if (!ProcessMaps.HasMapped(process, handle.Identity)) continue;
                if (IsStopped(process) is not { } isStopped) continue;
                if (isStopped && !stopped.Contains(process)) stopped.Add(process);
                unknown.RemoveAt(i);
            }

            // R1 Race: a user steps aside or ends between the look at its slot and the one at its mappings. Safe
            // because: its slot is looked at again, and it is unseen only if it still has that.
            if (unknown.Count == 0 || look == MostLooks || handle.FindUsers() is not { } now) break;
            for (int i = unknown.Count - 1; i >= 0; i--)
            {
                if (!now.Contains(unknown[i])) unknown.RemoveAt(i);
            }
        }

        stopped.Sort();
        return status with { StoppedProcesses = stopped, UnseenUsers = unknown.Count };
    }

    /// <summary>Whether a process is in state T or t; null when that cannot be told, or it has ended.</summary>
    private static bool? IsStopped(int process)
    {
        if (Libc.TextOf($"/proc/{process}/stat", out _) is not { } text) return null;
        int state = text.LastIndexOf(')') + 2; // its name, in brackets, may have brackets
        return state < text.Length ? text[state] is 'T' or 't' : null;
    }
}
