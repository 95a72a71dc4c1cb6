using System.Diagnostics.CodeAnalysis;
using System.Threading.RateLimiting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace NativeIpc.Extensions;

/// <summary>Registers segments, semaphores and limiters with a host; <c>AddNativeIpc()</c> gives it.</summary>
/// <remarks>
/// <para>Each one is a keyed singleton under its name (<c>[FromKeyedServices("frames")] SharedMemory frames</c>). They
/// are opened when the host starts, in the order of their registrations and before other services start, so that a host
/// that cannot have them does not start. Each one is closed when the container is disposed, after every
/// service that was given it when that was made; a service that asks the container later may be disposed after it.
/// Among themselves they close in no order.</para>
/// <para>Where a configuration was given to <c>AddNativeIpc</c>, its sections <c>Segments:NAME</c>,
/// <c>Semaphores:NAME</c> and <c>Limiters:NAME</c> are bound first, and then <c>configure</c> is called.</para>
/// </remarks>
public sealed class NativeIpcBuilder
{
    private readonly Registrations _registrations;
    private readonly IConfiguration? _configuration;

    internal NativeIpcBuilder(IServiceCollection services, Registrations registrations, IConfiguration? configuration)
    {
        Services = services;
        _registrations = registrations;
        _configuration = configuration;
    }

    /// <summary>The services of the host.</summary>
    public IServiceCollection Services { get; }

    /// <summary>Registers a segment.</summary>
    /// <param name="name">The name of the registration, and the key of the service.</param>
    /// <param name="configure">Changes the registration; null for nothing.</param>
    /// <returns>This.</returns>
    /// <exception cref="ArgumentException"><paramref name="name"/> is null or empty, or is registered.</exception>
    public NativeIpcBuilder AddSharedMemory(string name, Action<SharedMemoryRegistration>? configure = null)
    {
        OptionsBuilder<SharedMemoryRegistration> options =
            Register<SharedMemoryRegistration>(name, RegisteredKind.Segment);
        if (_configuration is not null) options.Bind(_configuration.GetSection($"Segments:{name}"));
        if (configure is not null) options.Configure(configure);
        Hold(name, RegisteredKind.Segment,
            services => OptionsOf<SharedMemoryRegistration>(services, name).Open(name));
        Services.AddKeyedSingleton(name, (services, _) => Held(services, name, RegisteredKind.Segment).Segment);
        return this;
    }

    /// <summary>Registers a semaphore.</summary>
    /// <inheritdoc cref="AddSharedMemory"/>
    public NativeIpcBuilder AddSemaphore(string name, Action<SemaphoreRegistration>? configure = null)
    {
        OptionsBuilder<SemaphoreRegistration> options =
            Register<SemaphoreRegistration>(name, RegisteredKind.Semaphore);
        if (_configuration is not null) options.Bind(_configuration.GetSection($"Semaphores:{name}"));
        if (configure is not null) options.Configure(configure);
        Hold(name, RegisteredKind.Semaphore, services => OptionsOf<SemaphoreRegistration>(services, name).Open(name));
        Services.AddKeyedSingleton(name, (services, _) => Held(services, name, RegisteredKind.Semaphore).Semaphore);
        return this;
    }

    /// <summary>Registers a limiter, as <see cref="MachineConcurrencyLimiter"/> and as
    /// <see cref="RateLimiter"/>.</summary>
    /// <inheritdoc cref="AddSharedMemory"/>
    public NativeIpcBuilder AddLimiter(string name, Action<MachineConcurrencyLimiterOptions>? configure = null)
    {
        OptionsBuilder<MachineConcurrencyLimiterOptions> options =
            Register<MachineConcurrencyLimiterOptions>(name, RegisteredKind.Limiter);
        if (_configuration is not null) options.Bind(_configuration.GetSection($"Limiters:{name}"));
        if (configure is not null) options.Configure(configure);
        options.PostConfigure(limiter => limiter.Name = limiter.Name.Length == 0 ? name : limiter.Name);
        Hold(name, RegisteredKind.Limiter, services =>
            new MachineConcurrencyLimiter(OptionsOf<MachineConcurrencyLimiterOptions>(services, name)));
        Services.AddKeyedSingleton(name, (services, _) => Held(services, name, RegisteredKind.Limiter).Limiter);
        Services.AddKeyedSingleton<RateLimiter>(name,
            (services, _) => Held(services, name, RegisteredKind.Limiter).Limiter);
        return this;
    }

    private OptionsBuilder<T> Register<T>(string name, RegisteredKind kind)
        where T : class
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        _registrations.Add(new Registration(name, kind));
        return Services.AddOptions<T>(name);
    }

    private void Hold(string name, RegisteredKind kind, Func<IServiceProvider, IDisposable> open)
        => Services.AddKeyedSingleton(new Registration(name, kind), (services, _) => RegisteredObject.Open(
            services.GetRequiredService<RegisteredObjects>(), Log.For(services.GetService<ILoggerFactory>()), name,
            kind, () => open(services)));

    private static RegisteredObject Held(IServiceProvider services, string name, RegisteredKind kind)
    {
        services.GetRequiredService<OpenedObjects>(); // all are open before a service has one, and so closed after it
        return services.GetRequiredKeyedService<RegisteredObject>(new Registration(name, kind));
    }

    private static T OptionsOf<
        [DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicParameterlessConstructor)] T>(
        IServiceProvider services, string name)
        => services.GetRequiredService<IOptionsMonitor<T>>().Get(name);
}

/// <summary>A name of a kind.</summary>
internal sealed record Registration(string Name, RegisteredKind Kind);

/// <summary>What was registered, in order.</summary>
internal sealed class Registrations
{
    private readonly List<Registration> _all = [];

    public IReadOnlyList<Registration> All => _all;

    public void Add(Registration registration)
    {
        if (_all.Contains(registration))
        {
            throw new ArgumentException($"The {registration.Kind.ToString().ToLowerInvariant()} '{registration.Name}' "
                + "is registered already.", nameof(registration));
        }

        _all.Add(registration);
    }
}
