using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using NativeIpc.Inspection;

namespace NativeIpc.Extensions;

/// <summary>Judges the objects that are registered here, and the limits of the system.</summary>
internal sealed class NativeIpcHealthCheck(RegisteredObjects objects, ILoggerFactory? logs = null) : IHealthCheck
{
    private readonly ILogger _log = Log.For(logs);

    /// <summary>What tells the limits; a test has its own.</summary>
    internal Func<IReadOnlyList<IpcLimit>> Limits { get; init; } = IpcObjects.GetLimits;

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context,
        CancellationToken cancellationToken = default)
    {
        List<string> lost = [];
        List<string> doubts = [];
        foreach (RegisteredObject open in objects.Open)
        {
            try
            {
                if (!open.WasReplaced) continue;
                Log.Replaced(_log, open.Kind, open.Name, open.Key);
                lost.Add($"{open.Kind} '{open.Name}' ({open.Key}) was removed or replaced: start anew");
            }
            catch (ObjectDisposedException)
            {
                // The host is ending
            }
            catch (NativeIpcException failure)
            {
                doubts.Add(failure.Message);
            }
        }

        FindNear(doubts);
        HealthStatus status = lost.Count > 0 ? context.Registration.FailureStatus
            : doubts.Count > 0 ? HealthStatus.Degraded : HealthStatus.Healthy;
        string? said = status == HealthStatus.Healthy ? null : string.Join("; ", lost.Concat(doubts));
        return Task.FromResult(new HealthCheckResult(status, said));
    }

    private void FindNear(List<string> doubts)
    {
        try
        {
            foreach (IpcLimit limit in Limits().Where(limit => limit.IsNear))
            {
                Log.LimitNear(_log, limit.Name, limit.Used, limit.Maximum, limit.Unit);
                doubts.Add($"{limit.Name}: {limit.Used} of {limit.Maximum} {limit.Unit} are used");
            }
        }
        catch (NativeIpcException failure)
        {
            doubts.Add(failure.Message);
        }
    }
}
