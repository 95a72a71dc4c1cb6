using NativeIpc.Interop.Unix;
using NativeIpc.Linux;
using NativeIpc.SystemV;

namespace NativeIpc.Inspection.SystemV;

/// <summary>The semaphores of a System V set.</summary>
internal static class SystemVUses
{
    private const int MostMembers = 32_000; // SEMMSL

    internal static IReadOnlyList<IpcSetMember> MembersOf(in SystemVTable.Row row)
    {
        int id = row.Id;
        bool seesAll = ProcessMaps.SeesEveryProcess;
        var members = new IpcSetMember[Math.Clamp(row.Count, 0, MostMembers)];
        for (int number = 0; number < members.Length; number++)
        {
            int? value = Ask(id, number, Flags.GETVAL), last = Ask(id, number, Flags.GETPID);
            // 0 is nobody, or a process of another PID namespace.
            if (last == 0 && !seesAll && (value != 0 || row.LastUse != 0)) last = null;
            members[number] = new IpcSetMember(value, Ask(id, number, Flags.GETNCNT), Ask(id, number, Flags.GETZCNT),
                last);
        }

        return members;
    }

    /// <summary>How many threads wait for any member, as far as that may be read.</summary>
    internal static int CountWaiting(IReadOnlyList<IpcSetMember> members)
        => members.Sum(member => (member.Waiting ?? 0) + (member.WaitingForZero ?? 0));

    /// <summary>Null for what may not be read, or has gone.</summary>
    private static int? Ask(int id, int number, int command)
        => Libc.semctl(id, number, command) is >= 0 and var answer ? answer : null;
}
