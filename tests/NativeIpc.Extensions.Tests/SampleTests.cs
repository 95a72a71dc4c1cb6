using Xunit;

namespace NativeIpc.Extensions.Tests;

/// <summary>The sample holds its limit in two processes, and shows the metrics.</summary>
public sealed class SampleTests : Suite
{
    [Fact]
    public void Two_processes_hold_a_limit_together_under_load()
    {
        Track("org.example.renders", NativeIpcKeyType.PosixRealtime);
        Names.Track(NativeIpcKey.Parse("posix:/org.example.gauge"));
        string program = Path.Combine(Repository, "samples", "dotnet", "Limits", "bin", Configuration, "Limits");
        string said = Shell.Run(program, [], watchdog: s_watchdog * 3).Succeeded;
        Assert.Matches("80 of 80 requests served by 2 processes; at most [12] at a time; health: (Healthy|Degraded)",
            said);
        Assert.Contains("Metric Name: nativeipc.wait.duration", said, StringComparison.Ordinal);
        Assert.Contains("nativeipc.object.name: renders", said, StringComparison.Ordinal);
    }
}
