using System.Runtime.InteropServices;
using NativeIpc.Inspection.Looks;
using NativeIpc.Interop.Unix;
using NativeIpc.Lifetime;
using NativeIpc.SystemV;

namespace NativeIpc.Inspection.SystemV;

/// <summary>Who uses a System V object, as far as the kernel tells: the attachments of a segment, and of a set those
/// who wait for one of its semaphores and those who operated last on each.</summary>
internal static class SystemVSigns
{
    private const int MostMembers = 32_000; // SEMMSL

    /// <summary>Whether an object may be removed because nobody uses it; <see cref="IpcRemovalOutcome.Removed"/> when
    /// it may.</summary>
    internal static Removal Ask(IpcObjectInfo found, int id)
    {
        if (found.Kind == IpcObjectKind.SharedMemory)
        {
            int number = SystemVSupport.Status(id, out SegmentStatus status);
            if (SystemVSupport.IsGone(number)) return new Removal(IpcRemovalOutcome.Gone);
            if (number != 0) return CannotTell("whether anybody is attached may not be read");
            return new Removal(status.Attached != 0 ? IpcRemovalOutcome.InUse : IpcRemovalOutcome.Removed);
        }

        List<IpcSign> signs = [];
        int error = AddOfSet(id, signs);
        if (SystemVSupport.IsGone(error)) return new Removal(IpcRemovalOutcome.Gone);
        if (error != 0) return CannotTell("who waits for it may not be read");
        if (signs.Find(sign => sign.Kind == IpcSignKind.Waiting) is { } waiting)
            return new Removal(IpcRemovalOutcome.InUse, waiting.Text);
        if (signs.Count > 0) return CannotTell(signs[0].Text);
        if (SystemVSupport.SetStatusOf(id, out SetStatus set) == 0 && SystemVCounts.IsEmpty(id, set.Count))
            return CannotTell("its maker may be about to give it a count");
        if ((found.Traits & IpcObjectTraits.LockOfSegment) == 0 || found.SystemVKey is not { } key
            || !IsOurLock(id, key, found.KeyFile))
            return CannotTell("the kernel does not count who uses a System V "
                + (found.Kind == IpcObjectKind.SystemEvent ? "event" : "semaphore"));
        if (found.KeyFile is { } path && KeyFileSearch.IsLegacy(path, out _, out _))
            key = Libc.ftok(SystemVLook.LegacySibling(path, IpcObjectKind.SystemSemaphore), (int)found.Type);
        int segment = key == -1 ? -1 : Libc.shmget(key, 0, 0);
        if (segment == -1) return new Removal(IpcRemovalOutcome.Removed);
        error = SystemVSupport.Status(segment, out SegmentStatus locked);
        if (error != 0 && !SystemVSupport.IsGone(error))
            return CannotTell("whether its segment is in use may not be read");
        return new Removal(error == 0 && locked.Attached != 0 ? IpcRemovalOutcome.InUse : IpcRemovalOutcome.Removed);
    }

    /// <summary>Whether this library recorded that it made a set as the lock of a segment. Only then the users of the
    /// segment are those of the set: other programs give both the same key for other ends.</summary>
    internal static bool IsOurLock(int id, int key, string? keyFile)
        => keyFile is not null && RemovalRecord.Read(keyFile, IpcObjectKind.SystemSemaphore, key >>> 24, id).IsKnown;

    private static Removal CannotTell(string reason) => new(IpcRemovalOutcome.CannotTell, reason);

    /// <summary>Adds who waits for a set, and who operated last on one of its semaphores and lives.</summary>
    /// <returns>0, or the error number of what may not be read.</returns>
    internal static int AddOfSet(int id, List<IpcSign> signs)
    {
        int error = SystemVSupport.SetStatusOf(id, out SetStatus status);
        if (error != 0) return error;
        int waiting = 0;
        bool isForeign = false;
        HashSet<int> last = [];
        for (int number = 0; number < status.Count && number < MostMembers; number++)
        {
            int increase = Libc.semctl(id, number, Flags.GETNCNT);
            int zero = increase < 0 ? -1 : Libc.semctl(id, number, Flags.GETZCNT);
            int process = zero < 0 ? -1 : Libc.semctl(id, number, Flags.GETPID);
            if (process < 0) return Marshal.GetLastPInvokeError();
            waiting += increase + zero;

            // 0 is nobody yet, or a process of another PID namespace: what nobody has used is 0.
            if (process != 0) last.Add(process);
            else isForeign |= Libc.semctl(id, number, Flags.GETVAL) != 0; // or may not be read
        }

        if (isForeign || (last.Count == 0 && status.LastOperation != 0)) last.Add(0);
        last.Remove(Environment.ProcessId); // which knows what it does

        if (waiting > 0)
            signs.Add(new IpcSign(IpcSignKind.Waiting,
                waiting == 1 ? "A process waits for it." : $"{waiting} processes wait for it."));
        foreach (int process in last) Signs.AddProcess(IpcSignKind.LastProcess, process, "used it last", signs);
        return 0;
    }
}
