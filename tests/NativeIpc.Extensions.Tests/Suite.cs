using System.Globalization;
using System.Reflection;
using System.Threading.RateLimiting;
using Xunit;

namespace NativeIpc.Extensions.Tests;

/// <summary>What all test classes share: unique names, other processes, and the end of both after each test.</summary>
public abstract class Suite : IDisposable
{
    private readonly List<PeerProcess> _peers = [];
    private readonly List<(string Name, NativeIpcKeyType Type)> _limits = [];

    /// <summary>Longer than anything takes here; a wait that needs it has failed.</summary>
    private protected static readonly TimeSpan s_watchdog = Patience.Seconds(60);

    private protected TestNames Names { get; } = new();

    private protected static string Repository { get; } = Metadata("Repository");

    private protected static string Configuration { get; } = Metadata("Configuration");

    /// <summary>A name of a limiter that nobody has used.</summary>
    private protected string NextLimit(NativeIpcKeyType type)
    {
        string name = TestNames.NextName();
        _limits.Add((name, type));
        return name;
    }

    /// <summary>Removes a limit of the test's own making, too.</summary>
    private protected void Track(string name, NativeIpcKeyType type) => _limits.Add((name, type));

    /// <summary>A second process with a limiter.</summary>
    private protected PeerProcess Peer(string name, NativeIpcKeyType type, int limit, int queueLimit = 100)
    {
        CultureInfo culture = CultureInfo.InvariantCulture;
        PeerProcess peer = PeerProcess.Start(Path.Combine(Metadata("PeerFolder"), "NativeIpc.Extensions.Peer"), name,
            ((int)type).ToString(culture), limit.ToString(culture), queueLimit.ToString(culture));
        _peers.Add(peer);
        return peer;
    }

    /// <summary>Waits for a lease, with the watchdog as the longest wait.</summary>
    private protected static async Task<RateLimitLease> Soon(RateLimiter limiter, int count = 1)
        => await limiter.AcquireAsync(count).AsTask().WaitAsync(s_watchdog);

    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    protected virtual void Dispose(bool disposing)
    {
        foreach (PeerProcess peer in _peers) peer.Dispose();
        foreach ((string name, NativeIpcKeyType type) in _limits)
        {
            MachineConcurrencyLimiter.Remove(name, type);
            Assert.False(MachineConcurrencyLimiter.Remove(name, type));
        }

        Names.Dispose();
    }

    private static string Metadata(string key)
        => typeof(Suite).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(data => data.Key == key)
            .Value!;
}
