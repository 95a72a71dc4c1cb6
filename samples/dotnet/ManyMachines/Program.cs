using System.Diagnostics;
using Medallion.Threading;

string server = Environment.GetEnvironmentVariable("LOCK_SERVER") ?? "localhost";
var provider = new RedisDistributedSynchronizationProvider(ConnectionMultiplexer.Connect(server).GetDatabase());

IDistributedLockProvider locks = provider;
IDistributedSemaphoreProvider places = provider;
string ledger = args.Length == 1 ? args[0] : Path.GetTempFileName();
if (args.Length == 1)
{
    // One of the workers: 25 turns, each at one of two places. The ledger has the turns, the number inside, and the
    // most.
    for (int turn = 0; turn < 25; turn++)
    {
        await using (await places.AcquireSemaphoreAsync("org.example.places", maxCount: 2))
        {
            await Write((turns, inside, most) => [turns, inside + 1, Math.Max(most, inside + 1)]);
            await Write((turns, inside, most) => [turns + 1, inside - 1, most]);
        }
    }

    return 0;
}

File.WriteAllText(ledger, "0 0 0");
Process[] workers = [.. Enumerable.Range(0, 4).Select(_ => Process.Start(Environment.ProcessPath!, [ledger]))];
foreach (Process worker in workers) worker.WaitForExit();
int[] said = Read();
File.Delete(ledger);
string most = said[2] <= 2 ? "never more than 2" : $"once {said[2]}";
Console.WriteLine($"{said[0]} turns of 4 processes, {(said[0] == 100 ? "none" : "some")} lost; {most} at a time");
return said is [100, 0, 1 or 2] ? 0 : 1;

int[] Read() => [.. File.ReadAllText(ledger).Split(' ').Select(int.Parse)];

async Task Write(Func<int, int, int, int[]> change)
{
    await using (await locks.AcquireLockAsync("org.example.ledger"))
    {
        int[] now = Read();
        File.WriteAllText(ledger, string.Join(' ', change(now[0], now[1], now[2])));
    }
}
