using Medallion.Threading;
using Medallion.Threading.Postgres;
using Medallion.Threading.Redis;
using NativeIpc.DistributedLock;
using NativeIpc.Yardstick;
using StackExchange.Redis;

namespace NativeIpc.Rivals;

/// <summary>One lock of DistributedLock, taken and released, by three providers with their defaults.</summary>
internal static class Locks
{
    public static void Ours(string name) => Measure(name, new NativeIpcDistributedSynchronizationProvider());

    public static void Redis(string name)
    {
        if (Server.StartRedis() is not { } server) return;
        using (server)
        using (ConnectionMultiplexer redis =
            ConnectionMultiplexer.Connect($"127.0.0.1:{server.Port},password={server.Password}"))
            Measure(name, new RedisDistributedSynchronizationProvider(redis.GetDatabase()));
    }

    public static void Postgres(string name)
    {
        if (Server.StartPostgres() is not { } server) return;
        using (server)
        {
            Measure(name, new PostgresDistributedSynchronizationProvider($"Host=127.0.0.1;Port={server.Port};"
                + $"Username=postgres;Password={server.Password};Database=postgres"));
            Npgsql.NpgsqlConnection.ClearAllPools();
        }
    }

    private static void Measure(string name, IDistributedLockProvider provider)
    {
        IDistributedLock one = provider.CreateLock("yard_o_lock");
        Harness.Print(name, Harness.Measure(n =>
        {
            while (n-- > 0) one.Acquire().Dispose();
        }));
    }
}
