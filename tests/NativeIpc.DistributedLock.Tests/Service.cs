using System.Reflection;
using Medallion.Threading;
using NativeIpc.DistributedLock.Testing;
using Xunit;

namespace NativeIpc.DistributedLock.Tests;

/// <summary>What stands behind locks and semaphores in a test class: started once for the class, and ended with
/// it.</summary>
public abstract class Service : IDisposable
{
    private readonly List<PeerProcess> _peers = [];

    private IDistributedLockProvider? _provider;

    /// <summary>Longer than anything takes here; a wait that needs it has failed.</summary>
    internal static TimeSpan Watchdog { get; } = Patience.Seconds(60);

    internal static string Repository { get; } = Metadata("Repository");

    /// <summary>Words by which another process opens the same provider.</summary>
    public abstract IReadOnlyList<string> Words { get; }

    /// <summary>A provider of this process.</summary>
    public IDistributedLockProvider Locks => _provider ??= ProviderChoice.Open(Words);

    /// <summary>The same for semaphores.</summary>
    public IDistributedSemaphoreProvider Semaphores => (IDistributedSemaphoreProvider)Locks;

    /// <summary>Skips the test where the service cannot be had.</summary>
    public virtual void Require()
    {
    }

    /// <summary>Takes a lock away from its holder, by what can happen to this kind of lock.</summary>
    public abstract void LoseLock(string name);

    /// <summary>Disposes a handle that has lost what it held.</summary>
    public virtual void DisposeLost(IDistributedSynchronizationHandle handle) => handle.Dispose();

    /// <summary>Takes a permit away from each holder of a semaphore.</summary>
    public abstract void LoseSemaphore(string name);

    /// <summary>Removes what a name has left.</summary>
    public abstract void Clean(string name);

    /// <summary>A second process.</summary>
    internal PeerProcess Peer()
    {
        string name = "NativeIpc.DistributedLock.Peer" + (OperatingSystem.IsWindows() ? ".exe" : "");
        PeerProcess peer = PeerProcess.Start(Path.Combine(Metadata("PeerFolder"), name), [.. Words]);
        _peers.Add(peer);
        return peer;
    }

    /// <summary>Ends what a test has started, and removes what its names have left.</summary>
    internal void EndTest(IEnumerable<string> names)
    {
        foreach (PeerProcess peer in _peers) peer.Dispose();
        _peers.Clear();
        foreach (string name in names) Clean(name);
    }

    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Ends the service.</summary>
    protected abstract void Dispose(bool disposing);

    internal static string Metadata(string key)
        => typeof(Service).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(data => data.Key == key)
            .Value!;
}

/// <summary>This library over keys of a type. Nothing may be left at its end.</summary>
public abstract class NativeService(NativeIpcKeyType type) : Service
{
    public override IReadOnlyList<string> Words { get; } =
        ProviderChoice.Native(type, $"{TestNames.NextName()}.");

    public NativeIpcKeyType Type => type;

    public NativeIpcDistributedSynchronizationProvider Provider => (NativeIpcDistributedSynchronizationProvider)Locks;

    public override void LoseLock(string name) => Assert.True(Provider.RemoveLock(name));

    public override void LoseSemaphore(string name) => Assert.True(Provider.RemoveSemaphore(name));

    public override void Clean(string name)
    {
        Provider.RemoveLock(name);
        Provider.RemoveSemaphore(name);
    }

    protected override void Dispose(bool disposing)
    {
        string prefix = Words[2];
        string[] left = [.. IpcObjects.Enumerate(new IpcEnumerationOptions()).Objects.Select(found => $"{found.Key}")
            .Where(key => key.Contains(prefix, StringComparison.Ordinal))];
        Assert.True(left.Length == 0, $"Left in the system after the tests: {string.Join(", ", left)}");
    }
}

public sealed class PosixService() : NativeService(NativeIpcKeyType.PosixRealtime);

public sealed class SystemVService() : NativeService(NativeIpcKeyType.SystemV);
