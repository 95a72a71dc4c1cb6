namespace NativeIpc.Foreign;

/// <summary>What the system holds under a key, also when a peer has removed the key file: numbers are noted at the
/// start.</summary>
internal sealed class Seen
{
    private readonly NativeIpcKey _key;
    private readonly NativeIpcKey _lockKey;
    private readonly int _number;
    private readonly int _lockNumber;

    internal Seen(in NativeIpcKey key)
    {
        _key = key;
        _lockKey = SystemObjects.LockKey(key);
        if (!key.Type.IsSystemV) return;
        _number = SystemObjects.Ftok(_key);
        _lockNumber = SystemObjects.Ftok(_lockKey);
    }

    /// <summary>S the segment, L the semaphore or lock, F the key file, f the lock's own key file (legacy
    /// keys).</summary>
    internal string State => _key.Type.IsSystemV
        ? (SystemObjects.SegmentExists(_number) ? "S" : "") + (SystemObjects.SemaphoreExists(_lockNumber) ? "L" : "")
            + (File.Exists(_key.NativeKey) ? "F" : "")
            + (_lockKey.NativeKey != _key.NativeKey && File.Exists(_lockKey.NativeKey) ? "f" : "")
        : (SystemObjects.SegmentExists(_key) ? "S" : "") + (SystemObjects.SemaphoreExists(_lockKey) ? "L" : "");
}
