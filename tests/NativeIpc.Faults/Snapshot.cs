using System.Globalization;

namespace NativeIpc.Faults;

/// <summary>What of the system this process has, and what of it has names: of the objects of this run, not of other
/// programs.</summary>
internal sealed class Snapshot
{
    private readonly Dictionary<int, string> _descriptors;
    private readonly Dictionary<string, int> _mappings;
    private readonly HashSet<string> _named;

    private Snapshot(Dictionary<int, string> descriptors, Dictionary<string, int> mappings, HashSet<string> named)
    {
        _descriptors = descriptors;
        _mappings = mappings;
        _named = named;
    }

    /// <summary>What stays until somebody removes it: names, segments, sets, key files.</summary>
    public IReadOnlySet<string> Named => _named;

    public static Snapshot Take() => new(Descriptors(), Mappings(), FindNamed());

    /// <summary>What there is more, or less, than before.</summary>
    /// <param name="before">An earlier look.</param>
    /// <param name="isNamed">Whether each one is something that stays.</param>
    public IEnumerable<(string What, bool IsNamed)> DifferencesFrom(Snapshot before)
    {
        foreach ((int descriptor, string target) in _descriptors)
        {
            if (!before._descriptors.ContainsKey(descriptor))
                yield return ($"descriptor {descriptor} is left: {target}", false);
        }

        foreach ((int descriptor, string target) in before._descriptors)
        {
            if (!_descriptors.ContainsKey(descriptor))
                yield return ($"descriptor {descriptor} was closed, and is somebody else's: {target}", false);
        }

        foreach (string place in _mappings.Keys.Union(before._mappings.Keys))
        {
            int more = _mappings.GetValueOrDefault(place) - before._mappings.GetValueOrDefault(place);
            if (more != 0)
                yield return ($"{(more > 0 ? "left" : "too many unmapped")}: {Math.Abs(more)} mapping(s) of {place}",
                    false);
        }

        foreach (string name in _named.Except(before._named)) yield return ($"left: {name}", true);
        foreach (string name in before._named.Except(_named))
            yield return ($"removed, and is somebody else's: {name}", true);
    }

    // But for the runtime's own: a part of .NET (and of the library, for the lines of a stack) that is needed for the
    // first time to describe a failure, and the pipe by which one thread that starts another one waits for it, on
    // whatever thread, and the file by which it gives that one a name. The library has no pipes (pipe2(2) is called by
    // nothing of it), no assemblies, and names no thread by a file.
    private static Dictionary<int, string> Descriptors()
    {
        Dictionary<int, string> found = [];
        foreach (int descriptor in Injector.Descriptors())
        {
            string? target = Target(descriptor);
            bool isRuntimes = target?.EndsWith(".dll", StringComparison.Ordinal) == true
                || target?.EndsWith(".pdb", StringComparison.Ordinal) == true
                || target?.StartsWith("pipe:", StringComparison.Ordinal) == true
                || (target?.StartsWith($"/proc/{Environment.ProcessId}/task/", StringComparison.Ordinal) == true
                    && target.EndsWith("/comm", StringComparison.Ordinal));
            // Null: closed since, so it is not left
            if (target is not null && !isRuntimes) found.Add(descriptor, target);
        }

        return found;
    }

    private static string? Target(int descriptor)
    {
        try
        {
            return new FileInfo($"/proc/self/fd/{descriptor}").LinkTarget;
        }
        catch (IOException)
        {
            return null;
        }
    }

    private static Dictionary<string, int> Mappings()
    {
        Dictionary<string, int> found = [];
        foreach (string line in File.ReadLines("/proc/self/maps"))
        {
            int path = line.AsSpan().IndexOf('/');
            if (path < 0) path = line.IndexOf("anon_inode:", StringComparison.Ordinal);
            if (path < 0) continue;
            string place = line[path..];
            if (!place.StartsWith("/dev/shm/", StringComparison.Ordinal)
                && !place.StartsWith("/SYSV", StringComparison.Ordinal)
                && !place.StartsWith("/dev/zero", StringComparison.Ordinal)
                && !place.StartsWith("anon_inode:", StringComparison.Ordinal))
                    continue;

            // The number of a file without a name differs each time.
            if (place.StartsWith("/dev/shm/#", StringComparison.Ordinal))
                place = "a file of /dev/shm made without a name";
            found[place] = found.GetValueOrDefault(place) + 1;
        }

        return found;
    }

    private static HashSet<string> FindNamed()
    {
        HashSet<string> found = [];
        foreach (string path in Directory.EnumerateFileSystemEntries("/dev/shm"))
        {
            if (path.Contains(Place.Prefix, StringComparison.Ordinal)) found.Add(path);
        }

        foreach (string path in Directory.EnumerateFileSystemEntries(Place.KeyFiles)) found.Add(path);
        foreach ((string kind, int id) in SystemVObjects()) found.Add($"System V {kind} {id}");
        return found;
    }

    /// <summary>The System V objects whose keys have this run's project id.</summary>
    public static IEnumerable<(string Kind, int Id)> SystemVObjects()
    {
        foreach (string kind in new[] { "shm", "sem" })
        {
            foreach (string line in File.ReadLines($"/proc/sysvipc/{kind}").Skip(1))
            {
                string[] fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
                int key = int.Parse(fields[0], CultureInfo.InvariantCulture);
                if ((key >> 24 & 0xFF) == (int)Place.SystemV)
                    yield return (kind, int.Parse(fields[1], CultureInfo.InvariantCulture));
            }
        }
    }
}
