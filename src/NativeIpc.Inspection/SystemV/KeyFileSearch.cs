using NativeIpc.Interop.Unix;
using NativeIpc.Keys;
using NativeIpc.Platform;
using NativeIpc.SystemV;

namespace NativeIpc.Inspection.SystemV;

/// <summary>Finds the files that System V keys were made of: one pass over the folders where they are kept, whatever
/// the number of objects. Linux.</summary>
/// <remarks>A key holds 16 bits of the inode and 8 of the device, so other files may have it as well: an empty regular
/// file is taken first, as Qt and this library make them; another one only if it is older than the object. A FIFO, a
/// socket or a device is none: programs call ftok with files and folders, and runtimes make many FIFOs and sockets in
/// the temporary folder, which get the inodes of key files that were removed.</remarks>
internal sealed class KeyFileSearch
{
    /// <summary>A file that may be a key file.</summary>
    /// <param name="Path">Its path.</param>
    /// <param name="Status">What it is.</param>
    /// <param name="Born">When it was made, as far as the file system says.</param>
    internal readonly record struct Candidate(string Path, FileStatus Status, DateTimeOffset Born)
    {
        /// <summary>Whether it looks as Qt and this library make them.</summary>
        internal bool IsTypical => Status.IsRegularFile && Status.Size == 0;
    }

    private readonly Dictionary<int, List<Candidate>> _byNumber = [];
    private readonly List<Candidate> _lone = [];
    private readonly Dictionary<(int Device, uint Owner), DateTimeOffset> _youngestLone = [];

    /// <summary>Files that lead to none of the objects and are probably key files: by their folder or by one of Qt's
    /// legacy names.</summary>
    internal IReadOnlyList<Candidate> Lone => _lone;

    /// <summary>Looks at the files of some folders, or at one file.</summary>
    /// <param name="keys">The keys of all objects.</param>
    /// <param name="files">The files, and whether each is in a folder that is there for key files, unlike /tmp.</param>
    internal KeyFileSearch(HashSet<int> keys, IEnumerable<(string Path, bool IsKeyFolder)> files)
    {
        HashSet<int> numbers = [.. keys.Where(key => key != 0).Select(NumberOf)];
        HashSet<FileIdentity> seen = [];
        foreach ((string path, bool isKeyFolder) in files)
        {
            // Where no object has a key, /tmp with its thousands of files has only Qt's legacy key files to tell of.
            if (numbers.Count == 0 && !isKeyFolder && !IsLegacy(path, out _, out _)) continue;
            if (Libc.StatusAndTimes(path, followLink: true, out FileStatus status, out FileTimes times) != 0
                || !(status.IsRegularFile || status.IsDirectory) || !seen.Add(status.Identity))
                continue;
            var candidate = new Candidate(path, status, times.Born ?? times.Changed);
            // Minor device number, as ftok takes it; confirmed by ftok itself
            int number = (int)(((status.Identity.Device & 0xFF) << 16) | (status.Identity.Inode & 0xFFFF));
            if (!numbers.Contains(number))
            {
                if (candidate.IsTypical && (isKeyFolder || IsLegacy(path, out _, out _))) AddLone(candidate);
            }
            else if (_byNumber.TryGetValue(number, out List<Candidate>? others))
            {
                others.Add(candidate);
            }
            else
            {
                _byNumber.Add(number, [candidate]);
            }
        }
    }

    /// <summary>The files of the folders in which key files are kept.</summary>
    internal static IEnumerable<(string Path, bool IsKeyFolder)> FilesOf(IReadOnlyList<string> more)
    {
        UserDirectories directories = UserDirectories.OfThisProcess();
        string[] keyFolders = [directories.RuntimeDirectory().Path, .. more, .. Entries("/run/user") ?? []];
        string[] others = [directories.TemporaryDirectory(), "/tmp"];
        foreach (string folder in keyFolders.Concat(others).Where(folder => folder.Length > 0).Distinct())
        {
            bool isKeyFolder = keyFolders.Contains(folder);
            foreach (string file in Entries(folder) ?? []) yield return (file, isKeyFolder);
        }
    }

    /// <summary>Whether a key file of an owner on a device leads to no object and was made after a time.</summary>
    internal bool HasYoungerLone(int device, uint owner, DateTimeOffset time)
        => _youngestLone.TryGetValue((device, owner), out DateTimeOffset born) && born > time;

    private void AddLone(in Candidate file)
    {
        _lone.Add(file);
        var place = ((int)(file.Status.Identity.Device & 0xFF), file.Status.Uid);
        if (!_youngestLone.TryGetValue(place, out DateTimeOffset born) || born < file.Born)
            _youngestLone[place] = file.Born;
    }

    /// <summary>The file that a key was made of; null when none is known.</summary>
    internal Candidate? Find(in SystemVTable.Row row, out bool isShared)
    {
        isShared = false;
        Candidate? best = null;
        int project = (row.Key >> 24) & 0xFF;
        if (row.Key == 0 || project == 0 || !_byNumber.TryGetValue(NumberOf(row.Key), out List<Candidate>? candidates))
            return null;
        DateTimeOffset made = DateTimeOffset.FromUnixTimeSeconds(row.Change + 1);
        foreach (Candidate candidate in candidates)
        {
            if (!candidate.IsTypical && candidate.Born > made) continue;
            if (Libc.ftok(candidate.Path, project) != row.Key) continue;
            isShared |= candidate.IsTypical && best is { IsTypical: true };
            if (best is not { } other || Rank(candidate, row.Uid) > Rank(other, row.Uid)) best = candidate;
        }

        return best;
    }

    private static int Rank(in Candidate candidate, uint owner)
        => (candidate.IsTypical ? 2 : 0) + (RealIds.Users.AreSame(candidate.Status.Uid, owner) ? 1 : 0)
            + (IsLegacy(candidate.Path, out _, out _) ? 1 : 0);

    /// <summary>Whether a key file has one of Qt's legacy names.</summary>
    internal static bool IsLegacy(string path, out IpcObjectKind kind, out string original)
    {
        string name = Path.GetFileName(path);
        kind = IpcObjectKind.SharedMemory;
        if (NameRules.IsLegacyName(name, kind, out original)) return true;
        kind = IpcObjectKind.SystemSemaphore;
        return NameRules.IsLegacyName(name, kind, out original);
    }

    private static int NumberOf(int key) => key & 0xFFFFFF;

    // null: missing, or another user's.
    private static IEnumerable<string>? Entries(string folder)
        => Libc.NamesIn(folder, out _)?.Where(PathText.IsText).Select(name => Path.Combine(folder, name));
}
