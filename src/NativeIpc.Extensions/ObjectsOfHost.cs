using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace NativeIpc.Extensions;

/// <summary>Opens what is registered before the services of the host start. The container closes it, after they have
/// stopped: in the reverse order in which it was made, so users of an object before the object.</summary>
internal sealed class ObjectsOfHost(IServiceProvider services, Registrations registrations) : IHostedLifecycleService
{
    public Task StartingAsync(CancellationToken cancellationToken)
    {
        services.GetRequiredService<NativeIpcMetrics>(); // before the objects that it counts
        foreach (Registration registration in registrations.All)
        {
            cancellationToken.ThrowIfCancellationRequested();
            services.GetRequiredKeyedService<RegisteredObject>(registration);
        }

        return Task.CompletedTask;
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
