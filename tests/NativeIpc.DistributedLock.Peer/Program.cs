using System.Globalization;
using Medallion.Threading;
using NativeIpc.DistributedLock;
using NativeIpc.DistributedLock.Testing;

// Arguments: the words of a provider. Then commands, one per line, as tests/peers/PROTOCOL.md has them:
//   lock HANDLE NAME [MS]             acquiring, ok true|false   MS: how long at most; for ever without
//   semaphore HANDLE NAME MAX [MS]    acquiring, ok true|false
//   abandoned HANDLE                  ok true|false
//   release HANDLE                    ok
//   count NAME FILE N                 ok                         N times: lock, add one to the number in the file
//   exit                              ok
var provider = ProviderChoice.Open(args);
var handles = new Dictionary<string, IDistributedSynchronizationHandle>();
while (Console.ReadLine() is { } line)
{
    string answer;
    try
    {
        answer = Run(line.Split(' '));
    }
    catch (Exception failure)
    {
        answer = $"error {failure.GetType().Name} {failure.Message.ReplaceLineEndings(" ")}";
    }

    Console.WriteLine(answer);
    if (line == "exit") return 0;
}

return 0;

string Run(string[] words)
{
    switch (words[0])
    {
        case "lock":
            return Keep(words[1], Time(words, 3) is { } time
                ? Blocking(() => provider.CreateLock(words[2]).TryAcquire(time))
                : Blocking(() => provider.CreateLock(words[2]).Acquire()));
        case "semaphore":
            IDistributedSemaphore semaphore =
                ((IDistributedSemaphoreProvider)provider).CreateSemaphore(words[2], Number(words[3]));
            return Keep(words[1], Time(words, 4) is { } longest
                ? Blocking(() => semaphore.TryAcquire(longest))
                : Blocking(() => semaphore.Acquire()));
        case "abandoned":
            return ((NativeIpcDistributedSynchronizationHandle)handles[words[1]]).WasAbandoned ? "ok true" : "ok false";
        case "release":
            handles.Remove(words[1], out IDistributedSynchronizationHandle? handle);
            handle!.Dispose();
            return "ok";
        case "count":
            IDistributedLock counted = provider.CreateLock(words[1]);
            for (int i = 0; i < Number(words[3]); i++)
            {
                using (counted.Acquire())
                {
                    int before = Number(File.ReadAllText(words[2]));
                    File.WriteAllText(words[2], (before + 1).ToString(CultureInfo.InvariantCulture));
                }
            }

            return "ok";
        case "exit": return "ok";
        default: return $"error Usage {words[0]}";
    }
}

string Keep(string name, IDistributedSynchronizationHandle? handle)
{
    if (handle is not null) handles.Add(name, handle);
    return handle is null ? "ok false" : "ok true";
}

static T Blocking<T>(Func<T> acquire)
{
    Console.WriteLine("acquiring");
    return acquire();
}

static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

static TimeSpan? Time(string[] words, int at)
    => words.Length > at ? TimeSpan.FromMilliseconds(Number(words[at])) : null;
