using Microsoft.Extensions.Logging;

namespace NativeIpc.Extensions;

/// <summary>What kind of object a registration is of; also an attribute of the metrics.</summary>
internal enum RegisteredKind
{
    Segment,
    Semaphore,
    Limiter,
}

/// <summary>An object that the host has open.</summary>
/// <remarks>The container disposes what services were given, the segment itself, too: that may come before this one is
/// disposed, and after the services that it was given to.</remarks>
internal sealed class RegisteredObject : IDisposable
{
    private readonly RegisteredObjects _all;
    private readonly ILogger _log;
    private readonly Func<bool> _wasReplaced;
    private readonly IDisposable _opened;
    private readonly NativeIpcKey[] _semaphores; // the keys of those that belong to it

    private RegisteredObject(RegisteredObjects all, ILogger log, string name, RegisteredKind kind, NativeIpcKey key,
        long size, IDisposable opened, Func<bool> wasReplaced, params NativeIpcKey[] semaphores)
    {
        _all = all;
        _log = log;
        _opened = opened;
        _wasReplaced = wasReplaced;
        _semaphores = semaphores;
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
                () => segment.WasReplaced, NativeIpcKeyRules.Current.LockKey(segment.Key)),
            SystemSemaphore semaphore => new(all, log, name, kind, semaphore.Key, 0, semaphore,
                () => semaphore.WasReplaced, semaphore.Key),
            MachineConcurrencyLimiter limiter => new(all, log, name, kind, limiter.Key, 0, limiter,
                () => limiter.WasReplaced, limiter.Key, limiter.CollectingKey),
            _ => throw new InvalidOperationException($"{opened} is nothing that can be registered."),
        };
    }

    /// <summary>Whether a key of a kind leads to it, or to a semaphore that belongs to it.</summary>
    public bool Has(IpcObjectKind kind, in NativeIpcKey key)
        => kind == IpcObjectKind.SharedMemory ? Kind == RegisteredKind.Segment && Key == key
            : Array.IndexOf(_semaphores, key) >= 0;

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

    /// <summary>The object that has the key of a kind; null when it is not registered here.</summary>
    /// <remarks>The lock of a segment is a semaphore, and may be registered as one, too: that one is meant
    /// then.</remarks>
    public RegisteredObject? Find(IpcObjectKind kind, in NativeIpcKey key)
    {
        RegisteredObject? found = null;
        foreach (RegisteredObject open in Volatile.Read(ref _open))
        {
            if (!open.Has(kind, key)) continue;
            found = open;
            if (open.Kind != RegisteredKind.Segment) break;
        }

        return found;
    }
}
