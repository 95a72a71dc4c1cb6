using System.Globalization;
using NativeIpc.Inspection;
using NativeIpc.Tool.Arguments;

namespace NativeIpc.Tool.Objects;

/// <summary>Whether somebody has an object open; unknown is not no.</summary>
internal enum ObjectUse
{
    Unknown,
    Nobody,
    Somebody,
}

/// <summary>An object in the picture: its lines of text.</summary>
internal sealed record ObjectNode(IReadOnlyList<string> Lines, bool IsSegment, ObjectUse Use);

/// <summary>A process in the picture.</summary>
internal sealed record ProcessNode(int Pid, string Name);

/// <summary>Who has what open, and which semaphore is the lock of which segment.</summary>
internal sealed record ObjectGraph(IReadOnlyList<ObjectNode> Objects, IReadOnlyList<ProcessNode> Processes,
    IReadOnlyList<(int Pid, int Object)> Uses, IReadOnlyList<(int Segment, int Lock)> Locks)
{
    /// <summary>The numbers of objects are their places in the list.</summary>
    public static ObjectGraph Of(IReadOnlyList<IpcObjectInfo> objects)
    {
        SortedDictionary<int, ProcessNode> processes = [];
        List<(int, int)> uses = [], locks = [];
        Dictionary<string, int> segments = [];
        for (int at = 0; at < objects.Count; at++)
        {
            IpcObjectInfo found = objects[at];
            if (found.Kind == IpcObjectKind.SharedMemory && found.Key.IsValid) segments[found.Key.ToString()] = at;
            foreach (IpcAttachment user in found.Attachments)
            {
                processes.TryAdd(user.ProcessId, new ProcessNode(user.ProcessId, user.ProcessName));
                uses.Add((user.ProcessId, at));
            }
        }

        for (int at = 0; at < objects.Count; at++)
        {
            IpcObjectInfo found = objects[at];
            bool isLock = found.Kind == IpcObjectKind.SystemSemaphore
                && (found.Traits & IpcObjectTraits.LockOfSegment) != 0;
            if (isLock && segments.TryGetValue(found.Key.ToString(), out int segment)) locks.Add((segment, at));
        }

        return new ObjectGraph([.. objects.Select(NodeOf)], [.. processes.Values], [.. uses.Distinct()], locks);
    }

    private static ObjectNode NodeOf(IpcObjectInfo found)
    {
        bool isSegment = found.Kind == IpcObjectKind.SharedMemory;
        string extent = isSegment ? ObjectColumns.Size(found.Size)
            : found.Kind == IpcObjectKind.SystemEvent ? ObjectColumns.State(found)
            : $"={found.Value?.ToString(CultureInfo.InvariantCulture) ?? "?"}";
        List<string> lines = [NamedObject.NameOf(found), $"{KeyOptions.WordOf(found.Kind)} {extent}"];
        int unseen = (found.AttachmentCount ?? 0) - found.Attachments.Count;
        if (unseen > 0) lines.Add(string.Create(CultureInfo.InvariantCulture, $"and {unseen} unseen"));
        if (string.Join(' ', ObjectReport.Words(found.Traits)) is { Length: > 0 } words) lines.Add(words);
        bool? isUsed = found.AttachmentCount > 0 || found.Attachments.Count > 0
            ? true : found.IsInUse ?? (found.AttachmentCount is 0 ? false : null);
        return new ObjectNode(lines, isSegment,
            isUsed switch { true => ObjectUse.Somebody, false => ObjectUse.Nobody, null => ObjectUse.Unknown });
    }
}
