using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace NativeIpc.Extensions;

/// <summary>Opens all that is registered, in order, when the first of it is asked for.</summary>
/// <remarks>The container disposes what it has made in the reverse order: a service before the objects that it was
/// given when it was made.</remarks>
internal sealed class OpenedObjects
{
    public OpenedObjects(IServiceProvider services, Registrations registrations)
    {
        services.GetRequiredService<NativeIpcMetrics>(); // before the objects that it counts
        foreach (Registration registration in registrations.All)
            services.GetRequiredKeyedService<RegisteredObject>(registration);
    }
}

/// <summary>Opens what is registered before the services of the host start.</summary>
internal sealed class ObjectsOfHost(IServiceProvider services) : IHostedLifecycleService
{
    public Task StartingAsync(CancellationToken cancellationToken)
    {
        services.GetRequiredService<OpenedObjects>();
        return Task.CompletedTask;
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
