using Xunit;

namespace NativeIpc.DistributedLock.Tests.Services;

[Trait("Needs", "service")]
public sealed class ManyMachinesTests(RedisService redis) : SampleTests, IClassFixture<RedisService>
{
    [Fact]
    public void The_sample_for_many_machines_runs()
    {
        redis.Require();
        AssertRuns("ManyMachines", redis.Address);
    }
}
