using System.Diagnostics.CodeAnalysis;
using Xunit;
using Xunit.Sdk;

namespace NativeIpc.Foreign;

/// <summary>Runs a scenario against one peer, back end and direction, and notes what came out.</summary>
public abstract class Scenario
{
    /// <summary>The number that the scenario has in the matrix.</summary>
    protected abstract int Number { get; }

    private protected void Run(string peer, string backEnd, string direction, Action<Stage> body)
    {
        PeerKind kind = PeerKind.Named(peer);
        try
        {
            using var stage = new Stage(kind, backEnd, direction);
            body(stage);
            foreach (string limit in stage.Limits)
                Matrix.Add(peer, backEnd, Number, direction, Matrix.Outcome.Limit, limit);
            if (!stage.IsOnlyLimit) Matrix.Add(peer, backEnd, Number, direction, Matrix.Outcome.Ok);
        }
        catch (Exception failure)
        {
            bool skipped = failure is SkipException;
            Matrix.Add(peer, backEnd, Number, direction, skipped ? Matrix.Outcome.Skipped : Matrix.Outcome.Failed);
            throw;
        }
    }

    /// <summary>Waits for something that another thread or process does by itself; the watchdog fails the
    /// test.</summary>
    private protected static void Until(Func<bool> isSo, string what)
    {
        if (!SpinWait.SpinUntil(isSo, Patience.Seconds(60))) Assert.Fail($"The watchdog: {what} did not come to be.");
    }

    /// <summary>Runs a call that may block on a thread of its own.</summary>
    private protected static Task<T> Start<T>(Func<T> call)
        => Task.Factory.StartNew(call, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    /// <summary>What a call gives that may block: the watchdog fails the test.</summary>
    private protected static T Finish<T>(Task<T> running)
    {
        if (!running.Wait(Patience.Seconds(60))) Assert.Fail("The watchdog: our call did not come back.");
        return running.Result;
    }

    private protected static NativeIpcException Fails(NativeIpcError error, Action call)
    {
        NativeIpcException failure = Assert.Throws<NativeIpcException>(call);
        Assert.True(failure.Error == error, $"Expected {error}, got {failure.Error}: {failure.Message}");
        return failure;
    }
}

/// <summary>A running peer, its keys, and the steps that most scenarios begin with.</summary>
internal sealed class Stage : IDisposable
{
    private readonly List<ForeignPeer> _others = [];
    private readonly List<IDisposable> _opened = [];

    internal Stage(PeerKind kind, string backEnd, string direction)
    {
        Kind = kind;
        BackEnd = backEnd;
        IsOurs = direction == Direction.Ours;
        Peer = ForeignPeer.Start(kind);
    }

    internal PeerKind Kind { get; }

    internal string BackEnd { get; }

    internal bool IsPosix => BackEnd == Foreign.BackEnd.Posix;

    /// <summary>We create and they open.</summary>
    internal bool IsOurs { get; }

    internal ForeignPeer Peer { get; }

    internal InteropKeys Keys { get; } = new();

    internal List<string> Limits { get; } = [];

    /// <summary>The test shows nothing else than a limit.</summary>
    internal bool IsOnlyLimit { get; private set; }

    /// <summary>Notes a limit that the test has shown.</summary>
    internal void Limit(string text, bool only = false)
    {
        Limits.Add(text);
        IsOnlyLimit |= only;
    }

    /// <summary>Another process of the same program.</summary>
    internal ForeignPeer StartAnother()
    {
        ForeignPeer other = ForeignPeer.Start(Kind);
        _others.Add(other);
        return other;
    }

    /// <summary>A segment that both have: made by one, opened by the other. The peer calls it by
    /// <paramref name="name"/>.</summary>
    internal SharedMemory Share(in NativeIpcKey key, long size = 4096, SharedMemoryOptions? options = null,
        string name = "a")
    {
        SharedMemory segment;
        if (IsOurs)
        {
            segment = Keep(SharedMemory.CreateNew(key, size, options));
            Peer.Ask($"shm open {name} {ForeignPeer.Word(key)} rw");
        }
        else
        {
            Peer.Ask($"shm create {name} {ForeignPeer.Word(key)} {size}");
            segment = Keep(SharedMemory.OpenExisting(key, SharedMemoryAccess.ReadWrite, options));
        }

        Keys.Note();
        return segment;
    }

    /// <summary>A semaphore that both have, under the key of peers on glibc; the peer calls it <c>s</c>.</summary>
    internal SystemSemaphore ShareSemaphore(in NativeIpcKey key, int count, SystemSemaphoreOptions? options = null)
    {
        SystemSemaphore semaphore;
        if (IsOurs)
        {
            semaphore = Keep(SystemSemaphore.CreateNew(InteropKeys.Ours(key), count, options));
            Peer.Ask($"sem open s {ForeignPeer.Word(key)}");
        }
        else
        {
            Peer.Ask($"sem create s {ForeignPeer.Word(key)} {count}");
            semaphore = Keep(SystemSemaphore.OpenExisting(InteropKeys.Ours(key), options));
        }

        Keys.Note();
        return semaphore;
    }

    /// <summary>Disposes it after the test, if the test has not.</summary>
    [return: NotNull]
    internal T Keep<T>([DisallowNull] T opened)
        where T : IDisposable
    {
        _opened.Add(opened);
        return opened;
    }

    public void Dispose()
    {
        Keys.Note();
        Peer.Dispose();
        foreach (ForeignPeer other in _others) other.Dispose();
        foreach (IDisposable opened in _opened) opened.Dispose();
        Keys.Dispose();
    }
}
