using NativeIpc.Platform;
using Xunit;

namespace NativeIpc.Conformance;

/// <summary>What all test classes share: their back end, unique keys, peers, and the end of both after each
/// test.</summary>
/// <remarks>A test that not every back end can have says what it <see cref="Needs"/>.</remarks>
public abstract class ConformanceTests<TProvider> : IAsyncLifetime, IDisposable
    where TProvider : Provider, new()
{
    /// <summary>Longer than anything takes here; a wait that needs it has failed.</summary>
    private protected static readonly TimeSpan s_watchdog = Patience.Seconds(60);

    private readonly List<PeerProcess> _peers = [];

    protected ConformanceTests() => Assert.SkipUnless(Backend.WhyNot is null, Backend.WhyNot ?? "");

    private protected TProvider Backend { get; } = new();

    private protected TestNames Names { get; } = new();

    private protected static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>Leaves the thread on which the test before has ended: where waits continue at once, that is the one
    /// that serves all asynchronous waits, and a test that keeps it waits for itself.</summary>
    public async ValueTask InitializeAsync() => await Task.Yield();

    public ValueTask DisposeAsync()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
        return ValueTask.CompletedTask;
    }

    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    protected virtual void Dispose(bool disposing)
    {
        foreach (PeerProcess peer in _peers) peer.Dispose();
        Names.Dispose();
    }

    /// <summary>A key that nobody has used.</summary>
    private protected NativeIpcKey NextKey() => Names.Next(Backend.Type);

    /// <summary>The same for a semaphore with glibc's word, as robust and promoted ones have. With musl it is named by
    /// its file.</summary>
    private protected NativeIpcKey NextGlibcKey()
        => Backend.IsPosix && PlatformEnvironment.Platform == KeyPlatform.LinuxMusl
            ? Names.Track(new NativeIpcKey("/sem." + TestNames.NextName(), Backend.Type)) : NextKey();

    /// <summary>A second process with nothing open.</summary>
    private protected PeerProcess Peer()
    {
        PeerProcess peer = PeerProcess.Rent();
        _peers.Add(peer);
        return peer;
    }

    /// <summary>A second process with nothing open, started by another program than the peer itself.</summary>
    private protected PeerProcess Peer(string program, params string[] arguments)
    {
        PeerProcess peer = PeerProcess.Start(program, arguments);
        _peers.Add(peer);
        return peer;
    }

    private protected static NativeIpcError ErrorOf(Action action) => Assert.Throws<NativeIpcException>(action).Error;

    /// <summary>Runs something on a thread of its own.</summary>
    private protected static Task Start(Action action) => Task.Factory.StartNew(action, CancellationToken.None,
        TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private protected static Task<T> Start<T>(Func<T> function) => Task.Factory.StartNew(function,
        CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    /// <summary>Waits for a task, and fails if it takes longer than the watchdog allows.</summary>
    private protected static void Finish(params Task[] tasks)
        => Assert.True(Task.WaitAll(tasks, s_watchdog), "The watchdog went off.");
}
