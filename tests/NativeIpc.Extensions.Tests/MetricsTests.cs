using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Threading.RateLimiting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Xunit;

namespace NativeIpc.Extensions.Tests;

/// <summary>What the meter tells.</summary>
public sealed class MetricsTests : Suite
{
    private const NativeIpcKeyType Posix = NativeIpcKeyType.PosixRealtime;

    private readonly ConcurrentQueue<(string Name, double Value, string Kind, string? Object, string? Error)>
        _said = [];

    [Fact]
    public async Task Waits_takeovers_lost_permits_objects_and_bytes_are_told()
    {
        string limit = NextLimit(Posix);
        NativeIpcKey segment = Names.Next(Posix);
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddNativeIpc()
            .AddSharedMemory("frames", options => (options.Key, options.Size) = ($"{segment}", 4096))
            .AddLimiter("jobs", options => (options.Name, options.PermitLimit, options.QueueLimit) = (limit, 2, 10));
        using var listener = new MeterListener();
        using (IHost host = builder.Build())
        {
            await host.StartAsync();
            var meters = (IMeterFactory)host.Services.GetRequiredService(typeof(IMeterFactory));
            Listen(listener, meters);
            RateLimiter jobs = host.Services.GetRequiredKeyedService<RateLimiter>("jobs");
            jobs.AttemptAcquire().Dispose();
            Assert.Empty(_said);

            PeerProcess victim = Peer(limit, Posix, 2);
            Assert.Equal("true", victim.Ask("try 2"));
            Task<RateLimitLease> waits = Soon(jobs);
            victim.Kill();
            using (RateLimitLease lease = await waits) Assert.True(lease.IsAcquired);
            Assert.Contains(("nativeipc.waits", 1, "limiter", "jobs", null), _said);
            Assert.Contains(_said, said => said is ("nativeipc.wait.duration", > 0, "limiter", "jobs", null));
            Assert.True(SpinWait.SpinUntil(
                () => _said.Contains(("nativeipc.lost_permits", 2, "limiter", "jobs", null)), Patience.Seconds(60)));

            using (SharedMemoryLock held = host.Services.GetRequiredKeyedService<SharedMemory>("frames").Lock())
            {
                Assert.False(host.Services.GetRequiredKeyedService<SharedMemory>("frames")
                    .TryLock(TimeSpan.FromMilliseconds(500), out _));
            }

            Assert.Contains(("nativeipc.waits", 1, "segment", "frames", "not_acquired"), _said);
            listener.RecordObservableInstruments();
            Assert.Contains(("nativeipc.object.count", 1, "segment", null, null), _said);
            Assert.Contains(("nativeipc.object.count", 1, "limiter", null, null), _said);
            Assert.Contains(("nativeipc.object.size", 4096, "segment", "frames", null), _said);
            await host.StopAsync();
        }
    }

    [Fact]
    public async Task Takeovers_and_waits_are_told_for_the_object_that_they_belong_to()
    {
        string limit = NextLimit(Posix);
        NativeIpcKey segment = Names.Next(Posix);
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddNativeIpc()
            .AddSemaphore("gate", options => options.Key = $"{segment}") // the lock of the segment that comes next
            .AddSharedMemory("frames", options => (options.Key, options.Size) = ($"{segment}", 16))
            .AddLimiter("jobs", options => (options.Name, options.PermitLimit, options.QueueLimit) = (limit, 2, 10));
        using var listener = new MeterListener();
        using IHost host = builder.Build();
        await host.StartAsync();
        Listen(listener, host.Services.GetRequiredService<IMeterFactory>());

        SharedMemory frames = host.Services.GetRequiredKeyedService<SharedMemory>("frames");
        using (SharedMemoryLock held = frames.Lock())
            Assert.False(frames.TryLock(TimeSpan.FromMilliseconds(500), out _));
        Assert.Contains(("nativeipc.waits", 1, "segment", "frames", "not_acquired"), _said);

        // A killed process had the right to collect, and one of two permits.
        RateLimiter jobs = host.Services.GetRequiredKeyedService<RateLimiter>("jobs");
        RateLimitLease one = jobs.AttemptAcquire();
        PeerProcess victim = Peer(limit, Posix, 2);
        victim.Ask("wait 2"); // its try at once is over, and has given back: now it waits
        Assert.True(SpinWait.SpinUntil(() => jobs.GetStatistics()!.CurrentAvailablePermits == 0, s_watchdog));
        victim.Kill();
        one.Dispose();
        using (RateLimitLease both = await Soon(jobs, 2)) Assert.True(both.IsAcquired);
        // On the thread pool, so later perhaps.
        SpinWait.SpinUntil(() => _said.Contains(("nativeipc.lost_permits", 1, "limiter", "jobs", null))
            && _said.Contains(("nativeipc.takeovers", 1, "limiter", "jobs", null)), s_watchdog);
        Assert.Contains(("nativeipc.takeovers", 1, "limiter", "jobs", null), _said);
        Assert.Contains(("nativeipc.lost_permits", 1, "limiter", "jobs", null), _said);
        await host.StopAsync();
    }

    [Fact]
    public void Names_and_units_follow_the_conventions()
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddNativeIpc();
        using IHost host = builder.Build();
        host.Services.GetRequiredService<NativeIpcMetrics>();
        var found = new Dictionary<string, string?>();
        var meters = host.Services.GetRequiredService<IMeterFactory>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, _) =>
            {
                if (instrument.Meter.Scope == meters) found.Add(instrument.Name, instrument.Unit);
            },
        };
        listener.Start();
        Assert.Equal(new Dictionary<string, string?>
        {
            ["nativeipc.waits"] = "{wait}", ["nativeipc.wait.duration"] = "s",
            ["nativeipc.takeovers"] = "{takeover}", ["nativeipc.lost_permits"] = "{permit}",
            ["nativeipc.object.count"] = "{object}", ["nativeipc.object.size"] = "By",
        }, found);
        string readme = File.ReadAllText(Path.Combine(Repository, "src", "NativeIpc.Extensions", "README.md"));
        Assert.All(found, instrument => Assert.Contains($"`{instrument.Key}`", readme, StringComparison.Ordinal));
        Assert.All(found, instrument => Assert.Contains($"`{instrument.Value}`", readme, StringComparison.Ordinal));
    }

    private void Listen(MeterListener listener, IMeterFactory meters)
    {
        listener.InstrumentPublished = (instrument, listening) =>
        {
            if (instrument.Meter.Scope == meters) listening.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Note(instrument, value, tags));
        listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Note(instrument, value, tags));
        listener.Start();
    }

    private void Note(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        string? Find(string name, ReadOnlySpan<KeyValuePair<string, object?>> all)
        {
            foreach (KeyValuePair<string, object?> tag in all)
            {
                if (tag.Key == name) return tag.Value as string;
            }

            return null;
        }

        string? name = Find("nativeipc.object.name", tags);
        // IpcActivity tells the whole process, where other tests run: what is not registered here has no name.
        if (name is null && !instrument.IsObservable) return;
        _said.Enqueue((instrument.Name, value, Find("nativeipc.object.kind", tags)!, name, Find("error.type", tags)));
    }
}
