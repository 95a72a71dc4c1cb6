using Medallion.Threading;
using Medallion.Threading.Postgres;
using Medallion.Threading.Redis;
using NativeIpc.DistributedLock;
using NativeIpc.DistributedLock.Tests.Services;
using NativeIpc.Yardstick;
using StackExchange.Redis;

namespace NativeIpc.Rivals;

/// <summary>One lock of DistributedLock, taken and released, by three providers with their defaults.</summary>
internal static class Locks
{
    public static void Ours(string name) => Measure(name, new NativeIpcDistributedSynchronizationProvider());

    public static void Redis(string name)
    {
        const string Program = "/usr/bin/redis-server";
        if (IsMissing(Program, "redis-server")) return;
        using Server server = Server.StartRedis(Program);
        using (ConnectionMultiplexer redis =
            ConnectionMultiplexer.Connect($"127.0.0.1:{server.Port},password={Server.Password}"))
            Measure(name, new RedisDistributedSynchronizationProvider(redis.GetDatabase()));
    }

    public static void Postgres(string name)
    {
        const string Versions = "/usr/lib/postgresql";
        if (IsMissing(Versions, "postgresql")) return;
        string newest = Directory.GetDirectories(Versions).Order(StringComparer.Ordinal).Last();
        using Server server = Server.StartPostgres(Path.Combine(newest, "bin"));
        Measure(name, new PostgresDistributedSynchronizationProvider($"Host=127.0.0.1;Port={server.Port};"
            + $"Username={Server.User};Password={Server.Password};Database=postgres"));
        Npgsql.NpgsqlConnection.ClearAllPools();
    }

    private static bool IsMissing(string path, string package)
    {
        if (Path.Exists(path)) return false;
        Console.Error.WriteLine($"Without {path} (Debian package {package}).");
        return true;
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
