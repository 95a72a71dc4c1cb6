using Medallion.Threading;
using NativeIpc.DistributedLock.Testing;
using Npgsql;
using Xunit;

namespace NativeIpc.DistributedLock.Tests.Services;

/// <summary>DistributedLock.Postgres over a PostgreSQL of its own.</summary>
public sealed class PostgresService : Service
{
    private const string Package = "postgresql";
    private const string User = "postgres";

    private Server? _server;

    private string Connection => $"Host=127.0.0.1;Port={_server!.Port};Username={User};Database=postgres";

    public override IReadOnlyList<string> Words => ProviderChoice.Postgres(Connection);

    public override void Require()
    {
        string versions = Peers.Require("/usr/lib/postgresql", Package);
        string programs = Path.Combine(Directory.GetDirectories(versions).Order(StringComparer.Ordinal).Last(), "bin");
        Peers.Require(Path.Combine(programs, "postgres"), Package);
        // It refuses to run as root; Debian's package has made a user for it.
        string[] asUser = Environment.IsPrivilegedProcess
            ? [Peers.Require("setpriv", "util-linux"), $"--reuid={User}", $"--regid={User}", "--clear-groups"] : [];
        _server ??= Server.Start("postgres", folder => Prepare(programs, asUser, folder),
            (folder, port) =>
            [
                .. asUser, Path.Combine(programs, "postgres"), "-D", folder, "-c", "listen_addresses=127.0.0.1",
                "-c", $"port={Server.Text(port)}", "-c", "unix_socket_directories=", "-c", "fsync=off",
            ],
            "database system is ready to accept connections");
    }

    private static void Prepare(string programs, string[] asUser, string folder)
    {
        if (asUser.Length > 0) Run(["chown", $"{User}:{User}", folder]);
        Run([.. asUser, Path.Combine(programs, "initdb"), "-D", folder, "-U", User, "-A", "trust", "-E", "UTF8",
            "--no-locale", "--no-sync"]);
    }

    private static void Run(string[] command)
        => _ = Shell.Run(command[0], command[1..], workingDirectory: "/", watchdog: Watchdog * 2).Succeeded;

    /// <summary>Ends the sessions that hold a lock, as a restart or a broken network does.</summary>
    public override void LoseLock(string name)
    {
        using var connection = new NpgsqlConnection(Connection);
        connection.Open();
        using var command = new NpgsqlCommand(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory' AND granted",
            connection);
        Assert.Equal(1L, command.ExecuteScalar());
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
