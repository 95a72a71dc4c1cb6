using Medallion.Threading;
using Medallion.Threading.Postgres;
using NativeIpc.DistributedLock.Testing;
using Npgsql;
using Xunit;

namespace NativeIpc.DistributedLock.Tests.Services;

/// <summary>DistributedLock.Postgres over a PostgreSQL of its own.</summary>
public sealed class PostgresService : Service
{
    private const string Package = "postgresql";

    private Server? _server;

    private string Connection => $"Host=127.0.0.1;Port={_server!.Port};Username={Server.User};Database=postgres";

    public override IReadOnlyList<string> Words => ProviderChoice.Postgres(Connection);

    public override void Require()
    {
        string versions = Peers.Require("/usr/lib/postgresql", Package);
        string programs = Path.Combine(Directory.GetDirectories(versions).Order(StringComparer.Ordinal).Last(), "bin");
        Peers.Require(Path.Combine(programs, "postgres"), Package);
        if (Environment.IsPrivilegedProcess) Peers.Require("setpriv", "util-linux");
        _server ??= Server.StartPostgres(programs);
    }

    /// <summary>Ends the session that holds a lock, as a restart or a broken network does.</summary>
    public override void LoseLock(string name)
    {
        // Of this name: a session of a peer that was killed in another test may not have ended yet.
        PostgresAdvisoryLockKey key = ((PostgresDistributedLock)Locks.CreateLock(name)).Key;
        using var connection = new NpgsqlConnection($"{Connection};Password={Server.Password}");
        connection.Open();
        using var seek = new NpgsqlCommand(
            """
            SELECT pid, objsubid = 1, (classid::bigint << 32) | objid::bigint FROM pg_locks
                WHERE locktype = 'advisory' AND granted
            """, connection);
        List<int> holders = [];
        using (NpgsqlDataReader found = seek.ExecuteReader())
        {
            while (found.Read())
            {
                // One number of 64 bits, or two of 32: those of short names.
                long number = found.GetInt64(2);
                PostgresAdvisoryLockKey taken = found.GetBoolean(1) ? new(number)
                    : new((int)(number >> 32), unchecked((int)number));
                if (taken == key) holders.Add(found.GetInt32(0));
            }
        }

        using var end = new NpgsqlCommand("SELECT pg_terminate_backend(@pid)", connection);
        end.Parameters.AddWithValue("pid", Assert.Single(holders));
        Assert.Equal(true, end.ExecuteScalar());
    }

    /// <summary>DistributedLock.Postgres 1.3.1 says "Connection is not open" then.</summary>
    public override void DisposeLost(IDistributedSynchronizationHandle handle)
        => Assert.Throws<InvalidOperationException>(handle.Dispose);

    public override void LoseSemaphore(string name) => throw new NotSupportedException("It has no semaphores.");

    public override void Clean(string name)
    {
        // What sessions hold goes with them.
    }

    protected override void Dispose(bool disposing)
    {
        NpgsqlConnection.ClearAllPools();
        _server?.Dispose();
    }
}

[Trait("Needs", "service")]
public sealed class PostgresLockTests(PostgresService service) : LockTests<PostgresService>(service);
