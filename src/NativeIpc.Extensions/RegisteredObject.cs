using Microsoft.Extensions.Logging;

namespace NativeIpc.Extensions;

/// <summary>What kind of object a registration is of; also an attribute of the metrics.</summary>
internal enum RegisteredKind
{
    Segment,
    Semaphore,
    Limiter,
}

/// <summary>An object that the host has open. The container makes it before the object itself, and so disposes it
/// after.</summary>
internal sealed class RegisteredObject : IDisposable
{
    private readonly RegisteredObjects _all;
    private readonly ILogger _log;
    private readonly Func<bool> _wasReplaced;
    private readonly IDisposable _opened;

    private RegisteredObject(RegisteredObjects all, ILogger log, string name, RegisteredKind kind, NativeIpcKey key,
        long size, IDisposable opened, Func<bool> wasReplaced)
    {
        _all = all;
        _log = log;
        _opened = opened;
        _wasReplaced = wasReplaced;
        Name = name;
        Kind = kind;
        Key = key;
        Size = size;
        all.Add(this);
        Log.Opened(log, kind, name, key);
    }

    public string Name { get; }

    public RegisteredKind Kind { get; }

    public NativeIpcKey Key { get; }

    /// <summary>In bytes; 0 for what is no segment.</summary>
    public long Size { get; }

    /// <summary>Whether the key leads to another object by now.</summary>
    public bool WasReplaced => _wasReplaced();

    public SharedMemory Segment => (SharedMemory)_opened;

    public SystemSemaphore Semaphore => (SystemSemaphore)_opened;

    public MachineConcurrencyLimiter Limiter => (MachineConcurrencyLimiter)_opened;

    public static RegisteredObject Open(RegisteredObjects all, ILogger log, string name, RegisteredKind kind,
        Func<IDisposable> open)
    {
        IDisposable opened;
        try
        {
            opened = open();
        }
        catch (Exception failure)
        {
            Log.NotOpened(log, failure, kind, name);
            throw;
        }

        return opened switch
        {
            SharedMemory segment => new(all, log, name, kind, segment.Key, segment.Size, segment,
                () => segment.WasReplaced),
            SystemSemaphore semaphore => new(all, log, name, kind, semaphore.Key, 0, semaphore,
                () => semaphore.WasReplaced),
            MachineConcurrencyLimiter limiter => new(all, log, name, kind, limiter.Key, 0, limiter,
                () => limiter.WasReplaced),
            _ => throw new InvalidOperationException($"{opened} is nothing that can be registered."),
        };
    }

    public void Dispose()
    {
        _opened.Dispose();
        _all.Remove(this);
        Log.Closed(_log, Kind, Name, Key);
    }
}

/// <summary>The objects that the host has open now.</summary>
internal sealed class RegisteredObjects
{
    private readonly Lock _gate = new();
    private RegisteredObject[] _open = [];

    public IReadOnlyList<RegisteredObject> Open => Volatile.Read(ref _open);

    public void Add(RegisteredObject opened)
    {
        lock (_gate) Volatile.Write(ref _open, [.. _open, opened]);
    }

    public void Remove(RegisteredObject closed)
    {
        lock (_gate) Volatile.Write(ref _open, [.. _open.Where(open => open != closed)]);
    }

    /// <summary>The object of a key; null when that is not registered here.</summary>
    public RegisteredObject? Find(in NativeIpcKey key)
    {
        foreach (RegisteredObject open in Open)
        {
            if (open.Key == key) return open;
        }

        return null;
    }
}
