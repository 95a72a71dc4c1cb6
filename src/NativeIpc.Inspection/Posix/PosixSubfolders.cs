using System.Globalization;
using NativeIpc.Inspection.Looks;
using NativeIpc.Interop.Unix;
using NativeIpc.Posix.Names;

namespace NativeIpc.Inspection.Posix;

/// <summary>The files in folders of <c>/dev/shm</c>, where programs keep shared memory of their own (corosync, JACK).
/// No key leads there: shm_open(3) takes no slash.</summary>
/// <remarks>
/// R1 Race: the owner of a folder puts a link or a mount in its place while it is looked at. Safe because: each folder
/// is opened without following a link and is then compared with what was seen before, and what is in it is asked for by
/// its descriptor. Only folders of the file system of <c>/dev/shm</c> are opened: another one could keep this waiting.
/// </remarks>
internal sealed class PosixSubfolders(Census census, PosixLook looker)
{
    private const int Deepest = 8;

    private int _unseen;

    /// <summary>Adds the files of some folders, and of those in them.</summary>
    internal void AddTo(IReadOnlyList<string> names)
    {
        if (names.Count == 0) return;
        if (Libc.Status(PosixNames.Folder, followLink: true, out FileStatus root) != 0) return;
        foreach (string name in names) Walk($"{PosixNames.Folder}/{name}", name, root.Identity.Device, depth: 1);
        if (_unseen == 0) return;
        string which = _unseen == 1 ? "One folder" : string.Create(CultureInfo.InvariantCulture, $"{_unseen} folders");
        census.Note($"{which} in {PosixNames.Folder} could not be looked into.",
            $"No folder is entered that is a mount of its own, lies more than {Deepest} deep, or whose mode keeps this "
                + "user out. Root may enter the last.");
    }

    private void Walk(string path, string name, ulong device, int depth)
    {
        int error = Libc.StatusAndTimes(path, followLink: false, out FileStatus seen, out _);
        if (error is Errno.ENOENT or Errno.ENOTDIR || (error == 0 && !seen.IsDirectory)) return; // gone meanwhile
        if (error != 0 || seen.Identity.Device != device || depth > Deepest)
        {
            _unseen++;
            return;
        }

        using UnixDescriptor folder = Libc.OpenToLook(path, out error);
        bool isOpen = error == 0 && Libc.Status(folder, out FileStatus opened) == 0 && opened.Identity == seen.Identity;
        List<string> names = [];
        if (!isOpen || Libc.ForEachEntry(folder, entry => names.Add(PathText.Decode(entry))) != 0)
        {
            _unseen++;
            return;
        }

        // What stands behind the descriptor, whatever has the folder's name by now.
        string inside = string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{folder.DangerousGetHandle()}/");
        foreach (string entry in names)
        {
            if (Libc.StatusAndTimes(inside + entry, followLink: false, out FileStatus status, out FileTimes times) != 0)
                continue;
            if (status.IsDirectory) Walk(inside + entry, $"{name}/{entry}", device, depth + 1);
            else if (status.IsRegularFile) census.Add(looker.DescribeBelow($"{name}/{entry}", status, times));
        }
    }
}
