using static NativeIpc.Interop;

namespace NativeIpc.Backends.SystemV;

/// <summary>The semaphores of a System V set.</summary>
internal static class SystemVUses
{
    private const int MostMembers = 32_000; // SEMMSL

    internal static IReadOnlyList<IpcSetMember> MembersOf(int id, int count)
    {
        var members = new IpcSetMember[Math.Clamp(count, 0, MostMembers)];
        for (int number = 0; number < members.Length; number++)
        {
            members[number] = new IpcSetMember(
                Ask(id, number, Flags.GETVAL), Ask(id, number, Flags.GETNCNT), Ask(id, number, Flags.GETZCNT), Ask(id,
                    number, Flags.GETPID));
        }

        return members;
    }

    /// <summary>Null for what may not be read, or has gone.</summary>
    private static int? Ask(int id, int number, int command)
        => Libc.semctl(id, number, command) is >= 0 and var answer ? answer : null;
}
