using System.Threading.RateLimiting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using NativeIpc;
using NativeIpc.Extensions;

namespace NativeIpc.Configuration;

/// <summary>A host whose objects a configuration names.</summary>
internal static class Hosted
{
    /// <summary>Prints "ok NAME" for each check and "all ok" at the end.</summary>
    internal static async Task Run()
    {
        string own = $"org.example.aot.{Environment.ProcessId}";
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["NativeIpc:Segments:frames:Key"] = $"posix:/{own}.frames",
            ["NativeIpc:Segments:frames:Size"] = "4096",
            ["NativeIpc:Segments:frames:Options:Removal"] = "Creator",
            ["NativeIpc:Semaphores:gate:Key"] = $"posix:/{own}.gate",
            ["NativeIpc:Semaphores:gate:InitialCount"] = "3",
            ["NativeIpc:Semaphores:gate:Options:MaximumCount"] = "3",
            ["NativeIpc:Limiters:jobs:Name"] = own,
            ["NativeIpc:Limiters:jobs:PermitLimit"] = "2",
            ["NativeIpc:Limiters:jobs:QueueProcessingOrder"] = "NewestFirst",
        });
        builder.Services.AddNativeIpc(builder.Configuration.GetSection("NativeIpc"))
            .AddSharedMemory("frames").AddSemaphore("gate").AddLimiter("jobs");
        builder.Services.AddHealthChecks().AddNativeIpc();
        try
        {
            using IHost host = builder.Build();
            await host.StartAsync();
            IServiceProvider services = host.Services;
            Check("segment", services.GetRequiredKeyedService<SharedMemory>("frames") is { Size: 4096 } frames
                && $"{frames.Key}" == $"posix:/{own}.frames");
            SystemSemaphore gate = services.GetRequiredKeyedService<SystemSemaphore>("gate");
            Check("semaphore", gate.TryGetCurrentCount(out int count) && count == 3);
            RateLimiter limiter = services.GetRequiredKeyedService<RateLimiter>("jobs");
            using (RateLimitLease first = limiter.AttemptAcquire(2))
            using (RateLimitLease second = limiter.AttemptAcquire())
                Check("limiter", first.IsAcquired && !second.IsAcquired);
            HealthReport health = await services.GetRequiredService<HealthCheckService>().CheckHealthAsync();
            Check("health", health.Status != HealthStatus.Unhealthy && health.Entries.ContainsKey("nativeipc"));
            await host.StopAsync();
        }
        finally
        {
            MachineConcurrencyLimiter.Remove(own);
        }

        Console.WriteLine("all ok");
    }

    private static void Check(string name, bool isSo)
    {
        if (!isSo) throw new InvalidOperationException($"{name} is not as it was configured.");
        Console.WriteLine($"ok {name}");
    }
}
