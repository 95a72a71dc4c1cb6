using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using NativeIpc.Extensions;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Segments, semaphores and limiters of the machine in a host.</summary>
public static class NativeIpcServiceCollectionExtensions
{
    /// <summary>Adds what <see cref="NativeIpcBuilder"/> registers, with metrics and logs. May be called several
    /// times.</summary>
    /// <param name="services">The services of the host.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="services"/> is null.</exception>
    public static NativeIpcBuilder AddNativeIpc(this IServiceCollection services) => Add(services, null);

    /// <summary>Adds what <see cref="NativeIpcBuilder"/> registers, with metrics and logs, as a configuration says. May
    /// be called several times.</summary>
    /// <param name="services">The services of the host.</param>
    /// <param name="configuration">The section with <c>Segments</c>, <c>Semaphores</c> and <c>Limiters</c>, bound by
    /// .NET's generator, so with native AOT too.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static NativeIpcBuilder AddNativeIpc(this IServiceCollection services, IConfiguration configuration)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        return Add(services, configuration);
    }

    private static NativeIpcBuilder Add(IServiceCollection services, IConfiguration? configuration)
    {
        ArgumentNullException.ThrowIfNull(services);
        Registrations? registrations = services.FirstOrDefault(service => service.ServiceType == typeof(Registrations))
            ?.ImplementationInstance as Registrations;
        if (registrations is null)
        {
            registrations = new Registrations();
            services.AddSingleton(registrations);
            services.AddMetrics();
            services.TryAddSingleton<RegisteredObjects>();
            services.TryAddSingleton<NativeIpcMetrics>();
            services.TryAddSingleton<OpenedObjects>();
            services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, ObjectsOfHost>());
        }

        return new NativeIpcBuilder(services, registrations, configuration);
    }

    /// <summary>Adds a health check of the objects that are registered here, and of the system's limits.</summary>
    /// <remarks>Unhealthy: a registered object was removed or replaced by somebody else, so that this process does not
    /// meet others at it any more; starting anew helps. Degraded: a limit of the system is nearly reached, or cannot be
    /// looked at; starting anew does not help. What others have left in the system is no concern of it.</remarks>
    /// <param name="builder">The health checks.</param>
    /// <param name="name">The name of the check.</param>
    /// <param name="tags">Its tags; null for none.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="builder"/> is null.</exception>
    public static IHealthChecksBuilder AddNativeIpc(this IHealthChecksBuilder builder, string name = "nativeipc",
        IEnumerable<string>? tags = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddNativeIpc();
        return builder.Add(new HealthCheckRegistration(name,
            services => ActivatorUtilities.CreateInstance<NativeIpcHealthCheck>(services), failureStatus: null, tags));
    }
}
