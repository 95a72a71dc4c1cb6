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

    /// <param name="file">The open file whose lock is waited for.</param>
    public HolderLook(int file) => _file = file;

    /// <summary>What is seen of the holder now; null before the first reading of the table.</summary>
    public HolderSight? Try()
    {
        if (LockTable.OfProcess.After(_since) is { } reading) Find(reading);
        return _isKnown ? FileLockHolder.Look(_holder) : null;
    }

    /// <summary>What is seen of the process that is the holder at this moment.</summary>
    public HolderSight Anew()
    {
        Find(LockTable.OfProcess.Now());
        return FileLockHolder.Look(_holder);
    }

    private void Find(LockTable.Reading reading)
    {
        _holder = FileLockHolder.FindByFile(reading.Lines, _file);
        _since = reading.Taken;
        _isKnown = true;
    }
}
