using NativeIpc.Inspection.Processes;
using NativeIpc.Interop.Unix;
using NativeIpc.Keys;
using NativeIpc.Platform;
using NativeIpc.Posix.Names;

namespace NativeIpc.Inspection.Posix;

internal sealed partial class PosixLook
{
    /// <summary>Objects without a name that processes still have.</summary>
    public IEnumerable<IpcObjectInfo> Gone()
    {
        if (census.Processes is not { } scan
            || Libc.Status(PosixNames.Folder, followLink: true, out FileStatus folder) != 0)
            yield break;
        foreach ((FileIdentity identity, ProcessScan.GoneFile gone) in scan.Gone)
        {
            // Of another mount namespace, or linked after it was opened.
            if (identity.Device != folder.Identity.Device || _named.Contains(identity)) continue;
            bool isSemaphore = Libraries.IsGlibc && gone.Name.StartsWith(SemaphorePrefix, StringComparison.Ordinal);
            int error = Libc.StatusAndTimes(gone.ProcFile, followLink: true, out FileStatus status,
                out FileTimes times);
            bool isKnown = error == 0 && status.Identity == identity;
            if (isKnown && status.Links > 0) continue; // a name that came back, or another link
            IReadOnlyList<IpcAttachment> users = scan.UsersOf(identity);
            bool isNameless = gone.Name.StartsWith('#');

            // It may still be in the making.
            if (isNameless && users.Count < 2
                && (!isKnown || TimeProvider.System.GetUtcNow() - times.Written < s_longestMaking))
                continue;
            bool isEvent = gone.Name.StartsWith(UsableKey.EventPrefix, StringComparison.Ordinal);
            string bare = isSemaphore ? gone.Name[SemaphorePrefix.Length..] : gone.Name;
            isSemaphore |= isNameless && isKnown && status.Size == Layout.SizeOfSemT;
            IpcObjectKind kind = isEvent ? IpcObjectKind.SystemEvent
                : isSemaphore ? IpcObjectKind.SystemSemaphore : IpcObjectKind.SharedMemory;
            if (!census.Options.Wants(kind)) continue;
            yield return new IpcObjectInfo
            {
                Kind = kind,
                Type = NativeIpcKeyType.PosixRealtime,
                NativeName = PathText.Show(gone.Name),
                RawName = gone.Name,
                Size = isKnown ? status.Size : gone.MappedSize > 0 ? gone.MappedSize : null,
                Mode = isKnown ? (UnixFileMode)status.Permissions : null,
                OwnerId = isKnown ? RealIds.Users.Known(status.Uid) : null,
                OwnerName = isKnown ? census.Accounts.User(status.Uid) : null,
                GroupId = isKnown ? RealIds.Groups.Known(status.Gid) : null,
                GroupName = isKnown ? census.Accounts.Group(status.Gid) : null,
                AttachmentCount = users.Count,
                Attachments = users,
                Created = isKnown ? times.Born ?? times.Changed : null,
                LastUsed = isKnown ? times.Written : null,
                Traits = IpcObjectTraits.Removed
                    | (NameRules.IsLegacyName(bare, kind, out _) ? IpcObjectTraits.LegacyName : IpcObjectTraits.None),
                Unreadable = isKnown
                    ? [] : ["Its owner and mode are told only to root; its size is what a process has mapped of it."],
                File = (identity.Device, identity.Inode),
            };
        }
    }
}
