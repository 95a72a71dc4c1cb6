using NativeIpc.Inspection;
using NativeIpc.Tool.Arguments;
using NativeIpc.Tool.Objects;
using NativeIpc.Tool.Running;

namespace NativeIpc.Tool.Removal;

/// <summary>Why an object stays: in use, not known, or failed; and what the user can do.</summary>
internal static class Refusals
{
    public static RemovalResult InUse(IpcObjectInfo found, string? reason, bool isNamed)
    {
        RemovalOutcome of = RemovalOutcome.Of(found, "in-use");
        string force = !isNamed ? "" : $" {WhyNotForced(found) ?? "End its users, or give --force."}";
        return new(of with { Users = UserReport.Of(found.Attachments),
            Message = $"{of.Name} is in use{UsersOf(found, reason)}.{force}" }, ExitCodes.Conflict);
    }

    public static RemovalResult CannotTell(IpcObjectInfo found, string? reason, bool isNamed)
    {
        RemovalOutcome of = RemovalOutcome.Of(found, "cannot-tell");
        string force = !isNamed ? "" : $" {WhyNotForced(found) ?? "--force removes it all the same."}";
        return new(of with { Message = $"Whether {of.Name} is in use cannot be told: {reason?.TrimEnd('.')}.{force}" },
            ExitCodes.Unsupported);
    }

    public static RemovalResult Failed(in NativeIpcKey key, IpcObjectKind? kind, string outcome, int code,
        string message)
        => new(Of(key, kind, outcome) with { Message = message }, code);

    public static RemovalOutcome Of(in NativeIpcKey key, IpcObjectKind? kind, string outcome)
        => new(key.ToString(), WordOf(kind), outcome) { Key = key };

    public static RemovalResult Failed(in NativeIpcKey key, IpcObjectKind? kind, NativeIpcException failure)
        => Failed(key, kind, "failed", ExitCodes.For(failure.Error), Failures.Describe(failure));

    public static string? WordOf(IpcObjectKind? kind) => kind is { } known ? KeyOptions.WordOf(known) : null;

    /// <summary>Why --force would not remove it, in a sentence; null where it does, as far as can be told
    /// before.</summary>
    private static string? WhyNotForced(IpcObjectInfo found)
    {
        if (OperatingSystem.IsWindows()) return null;
        if (OperatingSystem.IsLinux() && found.Type == NativeIpcKeyType.PosixRealtime)
        {
            if (Libc.IsReadOnly("/dev/shm")) return "/dev/shm is mounted read-only here, so nothing can be removed.";
            const UnixFileMode others = UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;
            if ((File.GetUnixFileMode("/dev/shm") & (others | UnixFileMode.StickyBit)) == others) return null;
        }

        uint user = Libc.geteuid();
        return user == 0 || found.OwnerId is not { } owner || owner == user || found.CreatorId == user ? null
            : $"Only its owner{(found.CreatorId is null ? "" : ", its creator")} and root may remove it.";
    }

    private static string UsersOf(IpcObjectInfo found, string? reason)
    {
        if (found.Attachments.Count > 0)
            return " by "
                + string.Join(", ", found.Attachments.Select(user => $"{user.ProcessId} ({user.ProcessName})"));
        if (found.AttachmentCount > 0)
            return $" ({found.AttachmentCount} attached, by processes that this user may not see)";
        reason ??= found.Signs.FirstOrDefault(sign => sign.Kind == IpcSignKind.Waiting)?.Text;
        return reason is null
            ? " by processes that are not seen from here (in another container), or is the lock of a segment that is"
            : $": {reason.TrimEnd('.')}";
    }
}
