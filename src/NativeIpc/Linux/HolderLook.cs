using System.Diagnostics;

namespace NativeIpc.Linux;

/// <summary>The looks of one wait at the holder of a file lock: the process is looked for in <see cref="LockTable"/>
/// seldom, its state often.</summary>
internal struct HolderLook
{
    private readonly int _file;
    private long _since = Stopwatch.GetTimestamp();
    private string? _holder;
    private bool _isKnown;

    /// <summary>Whether the last look has read who the holder is.</summary>
    public bool IsRead { get; private set; }

    /// <param name="file">The open file whose lock is waited for.</param>
    public HolderLook(int file) => _file = file;

    /// <summary>What is seen of the holder now; null before the first reading of the table.</summary>
    public HolderSight? Try()
    {
        LockTable.Reading? reading = LockTable.OfProcess.After(_since);
        IsRead = reading is not null;
        if (reading is not null) Find(reading);
        return _isKnown ? FileLockHolder.Look(_holder) : null;
    }

    /// <summary>What is seen of the process that was the holder after a moment; null when it is too early for another
    /// reading.</summary>
    public HolderSight? TryAfter(long moment)
    {
        if (LockTable.OfProcess.After(moment) is not { } reading) return null;
        Find(reading);
        return FileLockHolder.Look(_holder);
    }

    private void Find(LockTable.Reading reading)
    {
        _holder = FileLockHolder.FindByFile(reading.Lines, _file);
        _since = reading.Taken;
        _isKnown = true;
    }
}
