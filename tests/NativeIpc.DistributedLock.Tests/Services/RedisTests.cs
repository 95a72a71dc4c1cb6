using NativeIpc.DistributedLock.Testing;
using StackExchange.Redis;
using Xunit;

namespace NativeIpc.DistributedLock.Tests.Services;

/// <summary>DistributedLock.Redis over a Redis of its own.</summary>
public sealed class RedisService : Service
{
    // A holder must say that it lives before this has passed, on a machine that may be slow; a killed one keeps what it
    // has for so long.
    private static readonly TimeSpan s_expiry = Patience.Seconds(15);

    private Server? _server;

    /// <summary>Host, port and password, as StackExchange.Redis has them.</summary>
    public string Address => $"{HostAndPort},password={Server.Password}";

    private string HostAndPort => $"127.0.0.1:{_server!.Port}";

    public override IReadOnlyList<string> Words => ProviderChoice.Redis(HostAndPort, s_expiry);

    public override void Require()
    {
        string program = Peers.Require("redis-server", "redis-server");
        _server ??= Server.StartRedis(program);
    }

    public override void LoseLock(string name) => Remove(name);

    public override void LoseSemaphore(string name) => Remove(name);

    private void Remove(string name)
    {
        using ConnectionMultiplexer connection = ConnectionMultiplexer.Connect(Address);
        Assert.True(connection.GetDatabase().KeyDelete(name));
    }

    public override void Clean(string name)
    {
        // All of it goes with the server.
    }

    protected override void Dispose(bool disposing) => _server?.Dispose();
}

[Trait("Needs", "service")]
public sealed class RedisLockTests(RedisService service) : LockTests<RedisService>(service);

[Trait("Needs", "service")]
public sealed class RedisSemaphoreTests(RedisService service) : SemaphoreTests<RedisService>(service);
