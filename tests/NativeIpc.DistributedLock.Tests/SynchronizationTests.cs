using Medallion.Threading;
using Xunit;

namespace NativeIpc.DistributedLock.Tests;

/// <summary>What both bodies of tests share: unique names, other processes, and the end of both.</summary>
public abstract class SynchronizationTests<TService> : IClassFixture<TService>, IDisposable
    where TService : Service
{
    private readonly List<string> _names = [];

    protected SynchronizationTests(TService service)
    {
        service.Require();
        Service = service;
    }

    protected TService Service { get; }

    private protected static TimeSpan Watchdog => Tests.Service.Watchdog;

    /// <summary>A name that nobody has used.</summary>
    protected string NextName(string end = "") => Track(TestNames.NextName() + end);

    /// <summary>Removes what a name of the test's own making has left, too.</summary>
    protected string Track(string name)
    {
        _names.Add(name);
        return name;
    }

    /// <summary>Acquires, with the watchdog as the longest wait.</summary>
    private protected static IDistributedSynchronizationHandle Soon(IDistributedLock of) => of.Acquire(Watchdog);

    private protected static IDistributedSynchronizationHandle Soon(IDistributedSemaphore of) => of.Acquire(Watchdog);

    /// <summary>Has another process begin a wait.</summary>
    private protected static void Begin(PeerProcess peer, string command)
    {
        peer.Post(command);
        peer.Await("acquiring");
    }

    /// <summary>Has another process acquire, which must succeed.</summary>
    private protected static void Take(PeerProcess peer, string command)
    {
        Begin(peer, command);
        Assert.Equal("true", peer.Answer());
    }

    private protected static void AssertLost(CancellationToken token)
    {
        // Not by its wait handle: DistributedLock.Postgres disposes the source as soon as it is cancelled.
        using var isLost = new ManualResetEventSlim();
        using CancellationTokenRegistration listening =
            token.UnsafeRegister(static isLost => ((ManualResetEventSlim)isLost!).Set(), isLost);
        Assert.True(isLost.Wait(Watchdog, CancellationToken.None), "The handle was not told that it is lost.");
    }

    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    protected virtual void Dispose(bool disposing) => Service.EndTest(_names);
}
