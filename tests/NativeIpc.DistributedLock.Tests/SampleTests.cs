using Xunit;

namespace NativeIpc.DistributedLock.Tests;

/// <summary>The two samples differ in one line, the guide shows it, and both run.</summary>
public abstract class SampleTests
{
    private protected const string Last = "100 turns of 4 processes, none lost; never more than 2 at a time";

    private protected static string Samples => Path.Combine(Service.Repository, "samples", "dotnet");

    private protected static string Guide => Path.Combine(Service.Repository, "docs", "guides", "one-machine.md");

    private protected static void AssertRuns(string sample, string? server)
    {
        string program = Path.Combine(Samples, sample, "bin", Service.Metadata("Configuration"), sample);
        string said = Shell.Run(program, [], environment: [new("LOCK_SERVER", server)],
            watchdog: Service.Watchdog * 3).Succeeded;
        Assert.Equal(Last, said.Trim());
    }
}

public sealed class OneMachineTests : SampleTests
{
    [Fact]
    public void The_sample_for_one_machine_runs()
    {
        try
        {
            AssertRuns("OneMachine", null);
        }
        finally
        {
            var provider = new NativeIpcDistributedSynchronizationProvider();
            provider.RemoveSemaphore("org.example.places");
            provider.RemoveLock("org.example.ledger");
        }
    }

    [Fact]
    public void The_sample_for_many_machines_differs_in_the_line_that_the_guide_shows()
    {
        string[] one = File.ReadAllLines(Path.Combine(Samples, "OneMachine", "Program.cs"));
        string[] many = File.ReadAllLines(Path.Combine(Samples, "ManyMachines", "Program.cs"));
        Assert.Equal(one.Length, many.Length);
        (string First, string Second)[] differing = [.. one.Zip(many).Where(lines => lines.First != lines.Second)];
        (string before, string after) = Assert.Single(differing);
        string guide = File.ReadAllText(Guide);
        Assert.Contains($"\n{before}\n", guide, StringComparison.Ordinal);
        Assert.Contains($"\n{after}\n", guide, StringComparison.Ordinal);
    }
}
