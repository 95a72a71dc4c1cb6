using System.Collections.Concurrent;
using System.Threading.RateLimiting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Xunit;

namespace NativeIpc.Extensions.Tests;

/// <summary>Objects in a host: opened before its services, closed after them, bound from a configuration, watched and
/// logged.</summary>
public sealed class HostTests : Suite
{
    private const NativeIpcKeyType Posix = NativeIpcKeyType.PosixRealtime;

    private static HostApplicationBuilder NewBuilder() => Host.CreateEmptyApplicationBuilder(null);

    [Fact]
    public async Task What_a_configuration_says_is_what_services_get()
    {
        string limit = NextLimit(Posix);
        NativeIpcKey segment = Names.Next(Posix), semaphore = Names.Next(Posix);
        HostApplicationBuilder builder = NewBuilder();
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Ipc:Segments:frames:Key"] = $"{segment}",
            ["Ipc:Segments:frames:Size"] = "4096",
            ["Ipc:Semaphores:gate:Key"] = $"{semaphore}",
            ["Ipc:Semaphores:gate:Opening"] = "CreateNew",
            ["Ipc:Semaphores:gate:InitialCount"] = "3",
            ["Ipc:Semaphores:gate:Options:MaximumCount"] = "3",
            ["Ipc:Limiters:jobs:PermitLimit"] = "2",
        });
        builder.Services.AddNativeIpc(builder.Configuration.GetSection("Ipc"))
            .AddSharedMemory("frames").AddSemaphore("gate")
            .AddLimiter("jobs", options => options.Name = limit);
        using IHost host = builder.Build();
        await host.StartAsync();
        SharedMemory frames = host.Services.GetRequiredKeyedService<SharedMemory>("frames");
        Assert.Equal((segment, 4096L), (frames.Key, frames.Size));
        SystemSemaphore gate = host.Services.GetRequiredKeyedService<SystemSemaphore>("gate");
        Assert.True(gate.TryGetCurrentCount(out int count) && count == 3 && gate.CreatedNew);
        Assert.Equal(NativeIpcError.OutOfResources, Assert.Throws<NativeIpcException>(() => gate.Release()).Error);
        RateLimiter jobs = host.Services.GetRequiredKeyedService<RateLimiter>("jobs");
        Assert.Same(jobs, host.Services.GetRequiredKeyedService<MachineConcurrencyLimiter>("jobs"));
        using (RateLimitLease lease = jobs.AttemptAcquire(2)) Assert.True(lease.IsAcquired);
        await host.StopAsync();
    }

    [Fact]
    public async Task Objects_open_before_services_start_and_close_after_they_have_ended()
    {
        NativeIpcKey first = Names.Next(Posix), second = Names.Next(Posix);
        var events = new ConcurrentQueue<string>();
        HostApplicationBuilder builder = NewBuilder();
        builder.Services.AddSingleton(events);
        builder.Services.AddHostedService<Worker>();
        builder.Services.AddNativeIpc()
            .AddSharedMemory("first", options => (options.Key, options.Size) = ($"{first}", 16))
            .AddSemaphore("second", options => options.Key = $"{second}");
        builder.Logging.SetMinimumLevel(LogLevel.Debug).AddProvider(new Logs(events));
        using (IHost host = builder.Build())
        {
            await host.StartAsync();
            await host.StopAsync();
            Assert.DoesNotContain(events, said => said.StartsWith("Closed", StringComparison.Ordinal));
        }

        Assert.Equal(
        [
            $"Opened the Segment 'first' ({first})", $"Opened the Semaphore 'second' ({second})",
            "worker starts", "worker stops", "worker is disposed",
            $"Closed the Semaphore 'second' ({second})", $"Closed the Segment 'first' ({first})",
        ], events);
        Assert.False(SharedMemory.TryOpenExisting(first, out _));
    }

    [Fact]
    public async Task A_host_that_cannot_have_an_object_does_not_start_and_says_why()
    {
        var events = new ConcurrentQueue<string>();
        HostApplicationBuilder builder = NewBuilder();
        builder.Logging.AddProvider(new Logs(events));
        builder.Services.AddNativeIpc().AddSharedMemory("missing", options =>
            (options.Key, options.Opening) = ($"{Names.Next(Posix)}", ObjectOpening.OpenExisting));
        using IHost host = builder.Build();
        Assert.Equal(NativeIpcError.NotFound,
            (await Assert.ThrowsAsync<NativeIpcException>(() => host.StartAsync())).Error);
        Assert.Contains("Cannot open the Segment 'missing': the host does not start", events);
    }

    [Fact]
    public void A_name_is_registered_once_for_each_kind()
    {
        NativeIpcBuilder builder = NewBuilder().Services.AddNativeIpc().AddSemaphore("a").AddSharedMemory("a");
        Assert.Throws<ArgumentException>(() => builder.AddSemaphore("a"));
        Assert.Throws<ArgumentException>(() => builder.Services.AddNativeIpc().AddSharedMemory("a"));
        Assert.Throws<ArgumentException>(() => builder.AddLimiter(""));
    }

    [Fact]
    public async Task Strangers_leftovers_are_no_reason_to_restart_and_a_removed_object_is()
    {
        // A killed process has left a semaphore, and a lost permit in it.
        string strangers = NextLimit(Posix), own = NextLimit(Posix);
        PeerProcess stranger = Peer(strangers, Posix, 2);
        Assert.Equal("true", stranger.Ask("try 2"));
        stranger.Kill();
        NativeIpcKey segment = Names.Next(Posix), semaphore = Names.Next(Posix);
        HostApplicationBuilder builder = NewBuilder();
        builder.Services.AddNativeIpc()
            .AddSharedMemory("frames", options => (options.Key, options.Size) = ($"{segment}", 16))
            .AddSemaphore("gate", options => options.Key = $"{semaphore}")
            .AddLimiter("jobs", options => (options.Name, options.PermitLimit) = (own, 1));
        builder.Services.AddHealthChecks().AddNativeIpc();
        using IHost host = builder.Build();
        await host.StartAsync();
        HealthReportEntry said = await Check(host);
        Assert.NotEqual(HealthStatus.Unhealthy, said.Status);
        Assert.DoesNotContain(strangers, said.Description ?? "", StringComparison.Ordinal);
        foreach ((Func<bool> remove, string name) in new (Func<bool>, string)[]
        {
            (() => SharedMemory.Remove(segment), "frames"), (() => SystemSemaphore.Remove(semaphore), "gate"),
            (() => MachineConcurrencyLimiter.Remove(own), "jobs"),
        })
        {
            Assert.True(remove());
            said = await Check(host);
            Assert.Equal(HealthStatus.Unhealthy, said.Status);
            Assert.Contains($"'{name}'", said.Description, StringComparison.Ordinal);
        }

        await host.StopAsync();
    }

    [Fact]
    public async Task Permits_of_the_killed_that_come_back_are_logged()
    {
        string limit = NextLimit(Posix);
        var events = new ConcurrentQueue<string>();
        HostApplicationBuilder builder = NewBuilder();
        builder.Services.AddNativeIpc()
            .AddLimiter("jobs", options => (options.Name, options.PermitLimit, options.QueueLimit) = (limit, 2, 10));
        builder.Logging.AddProvider(new Logs(events, limit));
        using IHost host = builder.Build();
        await host.StartAsync();
        PeerProcess victim = Peer(limit, Posix, 2);
        Assert.Equal("true", victim.Ask("try 2"));
        victim.Kill();
        using (RateLimitLease lease = await Soon(host.Services.GetRequiredKeyedService<RateLimiter>("jobs")))
            Assert.True(lease.IsAcquired);
        Assert.True(SpinWait.SpinUntil(() => !events.IsEmpty, s_watchdog), "It is logged on another thread.");
        Assert.Equal([$"Gave back 2 permits of posix:/nipc.limit.permits.{limit}, whose holders were killed"], events);
        await host.StopAsync();
    }

    [Fact]
    public async Task A_limit_that_is_near_degrades_and_is_logged()
    {
        var events = new ConcurrentQueue<string>();
        using ILoggerFactory logs = LoggerFactory.Create(builder => builder.AddProvider(new Logs(events)));
        var check = new NativeIpcHealthCheck(new RegisteredObjects(), logs)
        {
            Limits = () => [new IpcLimit("kernel.shmmni", "segments", 4000, 4096, "segments")],
        };
        var context = new HealthCheckContext
            { Registration = new HealthCheckRegistration("nativeipc", check, null, null) };
        HealthCheckResult said = await check.CheckHealthAsync(context);
        Assert.Equal(HealthStatus.Degraded, said.Status);
        Assert.Contains("kernel.shmmni", said.Description, StringComparison.Ordinal);
        Assert.Equal(["Limit of the system: kernel.shmmni has 4000 of 4096 segments in use"], events);
    }

    private static async Task<HealthReportEntry> Check(IHost host)
        => (await host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync()).Entries["nativeipc"];

    private sealed class Worker(ConcurrentQueue<string> events, [FromKeyedServices("first")] SharedMemory first)
        : IHostedService, IDisposable
    {
        public Task StartAsync(CancellationToken cancellationToken) => Say("worker starts");

        public Task StopAsync(CancellationToken cancellationToken) => Say("worker stops");

        public void Dispose() => Say("worker is disposed");

        private Task Say(string what)
        {
            first.Span[0]++; // it is open
            events.Enqueue(what);
            return Task.CompletedTask;
        }
    }

    /// <summary>Keeps the messages of the category. Of those that <see cref="IpcActivity"/> causes, which tells the
    /// whole process, where other tests run, only what names a limit.</summary>
    private sealed class Logs(ConcurrentQueue<string> events, string? limit = null) : ILoggerProvider, ILogger
    {
        private string _category = "";

        public ILogger CreateLogger(string categoryName) => new Logs(events, limit) { _category = categoryName };

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => _category == "NativeIpc";

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter)
        {
            string said = formatter(state, exception);
            bool isOwn = eventId.Id is not (4 or 5)
                || (limit is not null && said.Contains(limit, StringComparison.Ordinal));
            if (IsEnabled(logLevel) && isOwn) events.Enqueue(said);
        }

        public void Dispose()
        {
        }
    }
}
