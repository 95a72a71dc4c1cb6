using System.Globalization;
using Medallion.Threading;
using Medallion.Threading.Postgres;
using Medallion.Threading.Redis;
using StackExchange.Redis;

namespace NativeIpc.DistributedLock.Testing;

/// <summary>Opens a provider by words that another process can be given.</summary>
public static class ProviderChoice
{
    /// <summary>The variable that has the password of servers that tests start: it does not stand in a command line,
    /// which others on the machine can read.</summary>
    public const string PasswordVariable = "NATIVEIPC_SERVER_PASSWORD";

    private static string? Password => Environment.GetEnvironmentVariable(PasswordVariable);

    /// <summary>Words for this library's provider.</summary>
    public static string[] Native(NativeIpcKeyType type, string prefix)
        => ["native", ((int)type).ToString(CultureInfo.InvariantCulture), prefix];

    /// <summary>Words for DistributedLock.Postgres.</summary>
    public static string[] Postgres(string connection) => ["postgres", connection];

    /// <summary>Words for DistributedLock.Redis. A killed holder keeps what it has for the time.</summary>
    public static string[] Redis(string server, TimeSpan expiry)
        => ["redis", server, ((int)expiry.TotalMilliseconds).ToString(CultureInfo.InvariantCulture)];

    /// <summary>The provider.</summary>
    public static IDistributedLockProvider Open(IReadOnlyList<string> words)
    {
        switch (words[0])
        {
            case "native":
                return new NativeIpcDistributedSynchronizationProvider(new NativeIpcDistributedLockOptions
                {
                    KeyType = (NativeIpcKeyType)int.Parse(words[1], CultureInfo.InvariantCulture),
                    Prefix = words[2],
                });
            case "postgres": return new PostgresDistributedSynchronizationProvider($"{words[1]};Password={Password}");
            case "redis":
                IDatabase database = ConnectionMultiplexer.Connect($"{words[1]},password={Password}").GetDatabase();
                var expiry = TimeSpan.FromMilliseconds(int.Parse(words[2], CultureInfo.InvariantCulture));
                return new RedisDistributedSynchronizationProvider(database, options => options.Expiry(expiry)
                    .BusyWaitSleepTime(TimeSpan.FromMilliseconds(5), TimeSpan.FromMilliseconds(20)));
            default: throw new ArgumentException($"There is no provider '{words[0]}'.", nameof(words));
        }
    }
}
