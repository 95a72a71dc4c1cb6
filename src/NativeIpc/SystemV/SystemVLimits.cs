using System.Globalization;
using NativeIpc.Interop.Unix;
using NativeIpc.Platform;

namespace NativeIpc.SystemV;

/// <summary>Which of the kernel's limits of System V objects is in the way: asked only after a call has failed, for the
/// message. Whole sentences.</summary>
internal static class SystemVLimits
{
    // Both look again before they remove.
    private static readonly string s_segmentLeftovers = OperatingSystem.IsLinux()
        ? "remove leftovers ('nipc list -k shm -t systemv --unused' shows them, 'nipc rm shmid:ID' removes one)"
        : "remove leftovers (ipcs -m, ipcrm -m)";

    private static readonly string s_setLeftovers = OperatingSystem.IsLinux()
        ? "remove leftovers ('nipc list -k sem -t systemv' shows all sets, 'nipc rm semid:ID' removes one)"
        : "remove leftovers (ipcs -s, ipcrm -s)";

    private const string SemFile = "/proc/sys/kernel/sem";
    private static readonly string[] s_semNames =
        ["SEMMSL, its first number", "SEMMNS, its second number", "SEMOPM, its third number",
        "SEMMNI, its fourth number"];

    private enum Sem
    {
        SemaphoresOfASet,
        AllSemaphores,
        StepsOfAnOperation,
        Sets,
    }

    /// <summary>A limit's value, to follow its name; empty when it is not known.</summary>
    internal static string Value(string name)
        => Find(name) is { } limit ? string.Create(CultureInfo.InvariantCulture, $" = {limit.Maximum}") : "";

    /// <summary>shmget found no room.</summary>
    internal static string WhyNoSegment(long size)
    {
        if (Find("kernel.shmmni") is { } most && most.Used >= most.Maximum)
            return string.Create(CultureInfo.InvariantCulture,
                $"The system has all {most.Maximum} segments that kernel.shmmni allows: {s_segmentLeftovers}, or "
                    + $"raise it (sysctl -w kernel.shmmni={most.Maximum * 2}).");
        if (Find("kernel.shmall") is { } pages)
            return string.Create(CultureInfo.InvariantCulture,
                $"Together with the {pages.Used} pages of all segments, {size} bytes are more than the "
                    + $"{pages.Maximum} pages that kernel.shmall allows: {s_segmentLeftovers}, or "
                    + $"raise it (sysctl -w kernel.shmall=…).");
        return $"A System V limit is reached (kernel.shmmni segments, kernel.shmall pages): {s_segmentLeftovers}, or "
            + $"raise "
            + "it.";
    }

    /// <summary>semget found no room for another set.</summary>
    internal static string WhyNoSemaphore(int size)
    {
        string remedy = $"{s_setLeftovers}, or raise it";
        if (Find("kernel.sem (SEMMNI)") is { } sets && sets.Used >= sets.Maximum)
            return string.Create(CultureInfo.InvariantCulture,
                $"The system has all {sets.Maximum} semaphore sets that kernel.sem allows "
                    + $"({s_semNames[(int)Sem.Sets]}): {remedy} ({Raise(Sem.Sets, sets.Maximum * 2)}).");
        if (Find("kernel.sem (SEMMNS)") is { } all)
            return string.Create(CultureInfo.InvariantCulture,
                $"Of the {all.Maximum} semaphores that kernel.sem allows in all sets together "
                    + $"({s_semNames[(int)Sem.AllSemaphores]}), {all.Used} are there, and {size} more were asked "
                    + $"for: {remedy} ({Raise(Sem.AllSemaphores, Math.Max(all.Maximum * 2, 32000))}).");
        return $"A System V limit is reached (kernel.sem: sets and semaphores): {remedy}.";
    }

    /// <summary>semget takes no set as large as that.</summary>
    internal static string WhyNoSetOf(int size)
        => string.Create(CultureInfo.InvariantCulture,
            $"A set may have {Number(Sem.SemaphoresOfASet)} semaphores at most (kernel.sem, "
                + $"{s_semNames[(int)Sem.SemaphoresOfASet]}), and this one needs "
                + $"{size}{(size == SystemVLocks.Size ? ", as every lock does" : "")}: raise it "
                + $"({Raise(Sem.SemaphoresOfASet, 250)}).");

    /// <summary>semop does not do as many steps at once.</summary>
    internal static string WhyTooManySteps()
        => string.Create(CultureInfo.InvariantCulture,
            $"An operation may have {Number(Sem.StepsOfAnOperation)} steps at most (kernel.sem, "
                + $"{s_semNames[(int)Sem.StepsOfAnOperation]}), and this one needs more: raise it "
                + $"({Raise(Sem.StepsOfAnOperation, 32)}).");

    private static Limit? Find(string name)
    {
        foreach (Limit limit in Read())
        {
            if (limit.Name == name) return limit;
        }

        return null;
    }

    private static long PagesOf(List<SystemVTable.Row> segments)
    {
        long page = Environment.SystemPageSize, pages = 0;
        foreach (SystemVTable.Row row in segments) pages += (row.Size + page - 1) / page;
        return pages;
    }

    /// <summary>A limit that the system sets.</summary>
    internal sealed record Limit(string Name, string Description, long? Used, long Maximum, string Unit);

    /// <summary>The limits that the system tells; empty where it tells none.</summary>
    internal static IEnumerable<Limit> Read()
    {
        if (!OperatingSystem.IsLinux()) yield break;
        List<SystemVTable.Row> segments;
        List<SystemVTable.Row> sets;
        try
        {
            segments = SystemVTable.Read(IpcObjectKind.SharedMemory);
            sets = SystemVTable.Read(IpcObjectKind.SystemSemaphore);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            Shortage.Note(failure);
            yield break; // no System V here
        }

        if (Setting("shmmni") is { } most)
            yield return new Limit("kernel.shmmni", "System V segments", segments.Count, most, "segments");
        if (Setting("shmall") is { } all)
            yield return new Limit("kernel.shmall", "memory of all System V segments together",
                PagesOf(segments), all, "pages");
        if (Setting("shmmax") is { } largest)
            yield return new Limit("kernel.shmmax", "size of one System V segment", null, largest, "bytes");
        if (SystemText.FirstLine("/proc/sys/kernel/sem")?.Split('\t', ' ') is [_, var all1, _, var sets1]
            && long.TryParse(all1, out long semaphores) && long.TryParse(sets1, out long mostSets))
        {
            yield return new Limit("kernel.sem (SEMMNI)", "System V semaphore sets", sets.Count, mostSets, "sets");
            yield return new Limit("kernel.sem (SEMMNS)", "System V semaphores in all sets together",
                sets.Sum(row => (long)row.Count), semaphores, "semaphores");
        }
    }

    private static long? Setting(string name)
        => ulong.TryParse(SystemText.FirstLine($"/proc/sys/kernel/{name}"), out ulong number)
            ? (long)Math.Min(number, long.MaxValue) : null;

    private static string[] Numbers()
        => SystemText.FirstLine(SemFile)?.Split((char[])['\t', ' '], StringSplitOptions.RemoveEmptyEntries) ?? [];

    private static string Number(Sem place) => Numbers() is { Length: 4 } numbers ? numbers[(int)place] : "too few";

    private static string Raise(Sem place, long value)
    {
        string[] numbers = Numbers();
        if (numbers.Length != 4) return "sysctl kernel.sem";
        numbers[(int)place] = value.ToString(CultureInfo.InvariantCulture);
        return $"sysctl -w kernel.sem=\"{string.Join(' ', numbers)}\"";
    }
}
