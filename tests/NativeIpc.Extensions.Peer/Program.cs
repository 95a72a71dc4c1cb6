using System.Globalization;
using System.Threading.RateLimiting;
using NativeIpc;
using NativeIpc.Extensions;

// Arguments: name, key type as a number, limit, queue limit. Then commands, one per line, as tests/peers/PROTOCOL.md
// has them:
//   try N       ok true|false      N permits if they can be had now; kept
//   acquire N   acquiring, ok      waits for N permits; kept
//   wait N      ok                 begins to wait for N permits, and goes on
//   release     ok                 all leases
//   turns N M   ok                 N times: waits for M permits and gives them back
//   exit        ok
using var limiter = new MachineConcurrencyLimiter(new MachineConcurrencyLimiterOptions
{
    Name = args[0],
    KeyType = (NativeIpcKeyType)Number(args[1]),
    PermitLimit = Number(args[2]),
    QueueLimit = Number(args[3]),
});
var leases = new List<RateLimitLease>();
while (Console.ReadLine() is { } line)
{
    string answer;
    try
    {
        answer = await Run(line.Split(' '));
    }
    catch (Exception failure)
    {
        answer = $"error {failure.GetType().Name} {failure.Message.ReplaceLineEndings(" ")}";
    }

    Console.WriteLine(answer);
    if (line == "exit") return;
}

async Task<string> Run(string[] words)
{
    switch (words[0])
    {
        case "try":
            RateLimitLease tried = limiter.AttemptAcquire(Number(words[1]));
            leases.Add(tried);
            return tried.IsAcquired ? "ok true" : "ok false";
        case "acquire":
            Console.WriteLine("acquiring");
            RateLimitLease lease = await limiter.AcquireAsync(Number(words[1]));
            leases.Add(lease);
            return lease.IsAcquired ? "ok" : "error Refused";
        case "wait":
            _ = limiter.AcquireAsync(Number(words[1])).AsTask();
            return "ok";
        case "release":
            foreach (RateLimitLease held in leases) held.Dispose();
            leases.Clear();
            return "ok";
        case "turns":
            for (int i = 0; i < Number(words[1]); i++)
            {
                using RateLimitLease turn = await limiter.AcquireAsync(Number(words[2]));
                if (!turn.IsAcquired) return "error Refused";
            }

            return "ok";
        case "exit": return "ok";
        default: return $"error Usage {words[0]}";
    }
}

static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
