using System.Reflection;
using Xunit;

namespace NativeIpc.NamedObjects.Tests;

/// <summary>What the tests share: unique names, other processes, and the proof that nothing is left.</summary>
public abstract class NamedObjectTests : IDisposable
{
    private readonly List<PeerProcess> _peers = [];
    private readonly List<string> _names = [];

    protected NamedObjectTests()
        => Assert.SkipWhen(OperatingSystem.IsMacOS(), "There are no named objects on macOS.");

    /// <summary>Longer than anything takes here; a wait that needs it has failed.</summary>
    private protected static TimeSpan Watchdog { get; } = Patience.Seconds(60);

    /// <summary>A name that nobody has used.</summary>
    private protected string NextName(string prefix = "")
    {
        string name = TestNames.NextName();
        _names.Add(name);
        return prefix + name;
    }

    private protected PeerProcess Peer() => Start("NativeIpc.NamedObjects.Peer", "PeerFolder");

    /// <summary>Starts a program of the build; those that eng/wine-publish.sh makes stand beside this one.</summary>
    private protected PeerProcess Start(string name, string folder, params string[] arguments)
    {
        string there = AppContext.BaseDirectory;
        if (!File.Exists(Path.Combine(there, name + ".dll"))) // the build puts only its host there
        {
            there = typeof(NamedObjectTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
                .Single(data => data.Key == folder).Value!;
        }

        string program = Path.Combine(there, OperatingSystem.IsWindows() ? name + ".exe" : name);
        PeerProcess peer = PeerProcess.Start(program, arguments);
        _peers.Add(peer);
        return peer;
    }

    /// <summary>Has another process wait for what it gets.</summary>
    private protected static string Wait(PeerProcess peer, string handle)
    {
        peer.Post($"wait {handle}");
        peer.Await("acquiring");
        return peer.Answer();
    }

    /// <summary>Starts a thread of its own, whose failure the task has.</summary>
    private protected static Task Start(Action action) => Task.Factory.StartNew(action, CancellationToken.None,
        TaskCreationOptions.LongRunning, TaskScheduler.Default);

    /// <summary>Awaits the end of such a thread.</summary>
    private protected static void Finish(Task thread)
    {
        Assert.Equal(0, Task.WaitAny([thread], Watchdog));
        thread.GetAwaiter().GetResult();
    }

    /// <summary>Runs what a thread of its own does, to its end.</summary>
    private protected static void OnAnotherThread(Action action)
    {
        Exception? thrown = null;
        var thread = new Thread(() => thrown = Record.Exception(action));
        thread.Start();
        Assert.True(thread.Join(Watchdog));
        if (thrown is not null) throw new InvalidOperationException("On the other thread: " + thrown.Message, thrown);
    }

    /// <summary>The files of a name.</summary>
    private protected static string[] FilesOf(string name) => OperatingSystem.IsLinux()
        ? Directory.GetFiles("/dev/shm", $"*~{name}*") : [];

    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Ends the peers, and removes what killed ones left and nobody has asked for.</summary>
    protected virtual void Dispose(bool disposing)
    {
        foreach (PeerProcess peer in _peers) peer.Dispose();
        foreach (string name in _names)
        {
            foreach (string file in FilesOf(name)) File.Delete(file);
        }
    }
}
