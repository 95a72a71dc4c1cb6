using System.Globalization;
using NativeIpc.Inspection;
using NativeIpc.Tool.Arguments;
using NativeIpc.Tool.Output;
using NativeIpc.Tool.Running;

namespace NativeIpc.Tool.Objects;

/// <summary>Everything about one object, a line each, for <c>show</c>.</summary>
internal static class ObjectSheet
{
    private const int MostMembers = 32;

    public static IEnumerable<(string Label, string Value)> Of(IpcObjectInfo found)
    {
        DateTimeOffset now = TimeProvider.System.GetUtcNow();
        bool isSegment = found.Kind == IpcObjectKind.SharedMemory;
        bool isEvent = found.Kind == IpcObjectKind.SystemEvent;
        yield return (KeyOptions.NounOf(found.Kind), ObjectColumns.Name(found));
        if (found.Key.IsValid) yield return ("native key", PrintableText.Of(found.Key.NativeKey));
        if (found.Key.LegacyKey.Length > 0) yield return ("legacy key", PrintableText.Of(found.Key.LegacyKey));
        if (OtherTextOf(found) is { } other) yield return ("the same as", PrintableText.Of(other));
        if (isSegment && LockOf(found) is { } lockKey) yield return ("its lock", PrintableText.Of(lockKey));
        string gone = NamedObject.HasNoName(found) ? " (deleted)" : "";
        yield return ("native name", PrintableText.Of(found.Type == NativeIpcKeyType.PosixRealtime
            ? $"/dev/shm/{found.NativeName}{gone}" : found.NativeName));
        if (found.SystemVId is { } id) yield return ("id", Text($"{id} (ipcs {(isSegment ? "-m" : "-s")} -i {id})"));
        if (Ftok(found) is { } ftok) yield return ("ftok", ftok);
        if (isSegment || found.Type == NativeIpcKeyType.PosixRealtime)
            yield return ("size", found.Size is { } size ? Text($"{size} bytes") : "not known");
        if (isEvent)
            yield return ("state", found is { IsSet: { } isSet, ResetMode: { } mode }
                ? $"{(isSet ? "set" : "unset")}, {WordOf(mode)} reset" : "not known");
        else if (!isSegment)
            yield return ("value", found.Value?.ToString(CultureInfo.InvariantCulture) ?? "not known");
        foreach ((string, string) line in Members(found)) yield return line;
        if (found.LostPermits is > 0)
            yield return ("lost",
                Text($"{found.LostPermits} (of killed holders: 'nipc doctor --fix' gives them back)"));
        bool isWindows = found.Type == NativeIpcKeyType.Windows; // which has neither modes nor groups
        if (!isWindows)
            yield return ("mode", found.Mode is { } bits
                ? $"{ObjectReport.Mode4(bits)} ({Letters(bits)})" : "not known");
        yield return ("owner", isWindows ? found.OwnerName ?? "not known" : Account(found.OwnerName, found.OwnerId));
        if (!isWindows) yield return ("group", Account(found.GroupName, found.GroupId));
        if (found.CreatorId is not null || found.CreatorProcessId is not null)
            yield return ("creator", string.Join(", ", [
                .. found.CreatorId is { } creator ? [Text($"uid {creator}")] : (string[])[],
                .. found.CreatorProcessId is { } pid ? [Text($"pid {pid}{Ended(pid)}")]
                    : isSegment ? ["pid not known here (another PID namespace)"] : (string[])[]]));
        if (found.LastProcessId is { } last) yield return ("last user", Text($"pid {last}{Ended(last)}"));
        if (found.Created is { } created) yield return ("created", Time(created, now));
        if (found.LastUsed is { } used) yield return ("last used", Time(used, now));
        if (found is { AttachmentCount: null, Type: NativeIpcKeyType.PosixRealtime })
            yield return ("attached", found.IsInUse == true ? "by processes that are not seen from here" : "not known");
        else if (found.AttachmentCount is { } count)
            yield return ("attached", found.Type.IsSystemV
                ? Text($"{count} {(count == 1 ? "time" : "times")}") : isWindows
                    ? Text($"by {count} {(count == 1 ? "handle" : "handles")} (Windows does not tell whose)")
                    : Text($"by {count} {(count == 1 ? "process" : "processes")}"));
        foreach ((string, string) line in Users(found)) yield return line;
        if (found.Traits != 0) yield return ("flags", string.Join(", ", ObjectReport.Words(found.Traits)));
        foreach (IpcSign sign in found.Signs) yield return ("evidence", PrintableText.Of(sign.Text));
        foreach (string unreadable in found.Unreadable) yield return ("unreadable", unreadable);
        foreach (string limit in LimitsNear(found)) yield return ("limit", limit);
    }

    /// <summary>The processes that have it open; of a semaphore apart who holds permits, who waits, and of whom neither
    /// is known.</summary>
    private static IEnumerable<(string Label, string Value)> Users(IpcObjectInfo found)
    {
        foreach (Group<IpcUse, IpcAttachment> alike in found.Attachments.GroupBy(user => user.Use)
            .OrderByDescending(group => group.Key == IpcUse.Holds).ThenByDescending(group => group.Key))
        {
            string label = alike.Key switch
            {
                IpcUse.Holds => "holders",
                IpcUse.Waits => "waiters",
                _ when found.Kind != IpcObjectKind.SharedMemory => "others",
                _ => "",
            };
            foreach (IpcAttachment user in alike)
            {
                string permits = user.Permits == 0 ? ""
                    : user.Permits == 1 ? " (1 permit)" : Text($" ({user.Permits} permits)");
                yield return (label, Text($"{user.ProcessId} {PrintableText.Of(user.ProcessName)}{permits}"));
                label = "";
            }
        }

        if (found is { Type: NativeIpcKeyType.PosixRealtime, Waiting: > 0 and var waiting })
            yield return ("waiting", Text($"{waiting} {(waiting == 1 ? "thread" : "threads")}, killed ones included"));
    }

    /// <summary>The semaphores of a System V set, as <c>ipcs -s -i</c> shows them.</summary>
    private static IEnumerable<(string Label, string Value)> Members(IpcObjectInfo found)
    {
        if (found.MemberCount is not { } count) yield break;
        yield return ("members", Text($"{count}"));
        for (int i = 0; i < Math.Min(found.Members.Count, MostMembers); i++)
        {
            IpcSetMember member = found.Members[i];
            string last = member.LastProcessId switch
            {
                null => "not known",
                0 => "none",
                { } process => Text($"{process}{Ended(process)}"),
            };
            string waiting = Text($"waiting {Known(member.Waiting)}, waiting for zero {Known(member.WaitingForZero)}");
            yield return (Text($"  {i}"), Text($"value {Known(member.Value)}, {waiting}, last pid {last}"));
        }

        if (found.Members.Count > MostMembers)
            yield return ("", Text($"… and {found.Members.Count - MostMembers} more (--json shows all)"));
    }

    private static string Known(int? number) => number?.ToString(CultureInfo.InvariantCulture) ?? "?";

    /// <summary>How the System V key comes about; null for other types, and where no file is known.</summary>
    public static string? Ftok(IpcObjectInfo found)
        => found.KeyFile is { } file ? $"{found.NativeName} = ftok(\"{PrintableText.Of(file)}\", {(int)found.Type})"
            : null;

    /// <summary>The limits that matter for an object and are nearly reached.</summary>
    public static IReadOnlyList<string> LimitsNear(IpcObjectInfo found)
        => [.. IpcObjects.GetLimits().Where(
            limit => limit.IsNear && limit.Name.StartsWith("kernel.", StringComparison.Ordinal) == found.Type.IsSystemV)
            .Select(limit => Text($"{limit.Name}: {limit.Used} of {limit.Maximum} {limit.Unit} are used"))];

    /// <summary>The key with the true path of its file, where the key names it through a link: System V knows the file
    /// and not its path, so both are the same object, and compare as different keys. Qt 6.11 keeps links in the folder
    /// of legacy keys, Qt 6.8 does not.</summary>
    private static string? OtherTextOf(IpcObjectInfo found)
    {
        if (!found.Key.IsValid || !found.Type.IsSystemV || OperatingSystem.IsWindows()) return null;
        string path = Libc.Resolved(found.Key.NativeKey);
        return path == found.Key.NativeKey
            ? null : Text($"{new NativeIpcKey(path, found.Type)} (the same file, without links)");
    }

    /// <summary>A mode, as <c>create event</c> takes it.</summary>
    public static string WordOf(EventResetMode mode) => mode == EventResetMode.AutoReset ? "auto" : "manual";

    private static string? LockOf(IpcObjectInfo found)
    {
        if (!found.Key.IsValid) return null;
        NativeIpcKey key = NativeIpcKeyRules.Current.LockKey(found.Key);
        return NativeIpcKeyRules.Current.FindViolation(key, IpcObjectKind.SystemSemaphore) is null
            ? key.ToString() : null;
    }

    private static string Account(string? name, long? id)
        => name is null ? id?.ToString(CultureInfo.InvariantCulture) ?? "not known" : Text($"{name} ({id})");

    private static string Ended(int process)
        => !OperatingSystem.IsLinux() || Libc.HasProcess(process) ? "" : ", which has ended";

    private static string Time(DateTimeOffset time, DateTimeOffset now)
        => Text($"{time.ToLocalTime():yyyy-MM-dd HH:mm:ss zzz} ({ObjectColumns.Age(now - time)} ago)");

    private static string Letters(UnixFileMode mode)
    {
        const string all = "rwxrwxrwx";
        return string.Concat(all.Select((letter, i) => ((int)mode & (0x100 >> i)) != 0 ? letter : '-'));
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
