using NativeIpc.Errors;
using NativeIpc.Interop.Unix;

namespace NativeIpc.Linux;

/// <summary>
/// Watches whether names still lead to the files they led to (<see cref="FileWatch"/>). Linux only; asking costs a read
/// of memory.
/// </summary>
/// <remarks>The first few questions are answered by a look at the name; then the watch begins. The gate is for
/// beginning and ending the watch.</remarks>
internal sealed class NameWatch : IFileListener, IDisposable
{
    private readonly Lock _gate = new();
    private readonly string _path;
    private readonly FileIdentity _identity;
    // A caller that asks a few times only, as one that opens a lock, takes it once and goes, is better served by
    // looking than by a watch, which costs as much as all of that.
    private const int LooksBeforeWatching = 8;

    private int _number = -1;
    private int _looks;
    private int _news; // how often the file was said to have changed
    private int _newsSeen;
    private bool _isDisposed;
    private volatile bool _isTold;
    private volatile bool _hasChanged;

    private NameWatch(string path, FileIdentity identity)
    {
        _path = path;
        _identity = identity;
    }

    public bool HasChanged
    {
        get
        {
            if (_hasChanged) return true;
            if (!_isTold) Look();
            else if (Volatile.Read(ref _news) is var news && news != Volatile.Read(ref _newsSeen)) LookAgain(news);
            return _hasChanged;
        }
    }

    public bool IsTold => _isTold && Volatile.Read(ref _news) == Volatile.Read(ref _newsSeen);

    /// <summary>Watches a name that leads to a file; null where names are not told apart. Where the kernel does not
    /// tell, each caller looks.</summary>
    public static NameWatch? TryWatch(string path, FileIdentity identity)
        => OperatingSystem.IsLinux() ? new NameWatch(path, identity) : null;

    private void Look()
    {
        if (Interlocked.Increment(ref _looks) > LooksBeforeWatching)
        {
            using var reports = HeldReports.Begin();
            lock (_gate)
            {
                if (!_isTold && !_isDisposed) Begin();
            }
        }

        // R1 Race: the name changes before the watch stands. Safe because: this look comes after it.
        LookAgain(Volatile.Read(ref _news)); // the next caller looks again where it could not tell
    }

    private void Begin()
    {
        _number = FileWatch.Add(_path, this, "each use of the lock looks at its name instead");
        if (_number == -1)
        {
            _looks = int.MinValue; // asking again at once would not help
            return;
        }

        // R4 Race: the name changed before the watch stood, and another thread asks before the look that comes now.
        // Safe because: there is news until one look has succeeded.
        Interlocked.Increment(ref _news);
        _isTold = true;
    }

    // The look is left to the next caller that asks: the file may be on a network, and the thread that tells serves the
    // whole process.
    // R2 Race: Dispose comes first. Safe because: to count does no harm.
    void IFileListener.FileChanged()
    {
        Interlocked.Increment(ref _news);
        Interlocked.Increment(ref NameChanges.s_count); // after what it tells of
    }

    private void LookAgain(int news)
    {
        // R3 Race: there is more news meanwhile. Safe because: only what came before the look counts as seen.
        if (TryCompare()) Volatile.Write(ref _newsSeen, news);
    }

    /// <summary>Looks at the name; false when the look could not tell.</summary>
    private bool TryCompare()
    {
        if (_hasChanged) return true;
        int number = Libc.Status(_path, followLink: true, out FileStatus now);

        // The kernel tells of a removal a moment before it takes the name away, and of nothing after that while the
        // file is open somewhere: so a file without a link counts as gone, although its name still leads to it.
        if (number == 0 && now.Identity == _identity && now.Links > 0) return true;
        if (number is not (0 or Errno.ENOENT)) return false; // not told is not gone
        _hasChanged = true;
        Interlocked.Increment(ref NameChanges.s_count); // after what it tells of
        return true;
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _isDisposed = true;
            if (_number != -1) FileWatch.Remove(_number, this);
        }
    }
}

/// <summary>How often any watched file was said to have changed, or was seen to have: as long as it stays, no answer of
/// a watch becomes another one.</summary>
internal static class NameChanges
{
    // Read in every lock: a property of a class that is initialised at its first use would ask each time whether it is.
#pragma warning disable CA2211
    internal static int s_count;
#pragma warning restore CA2211
}
