using NativeIpc;
using NativeIpc.Peer;

if (args is ["--platform"])
{
    Console.WriteLine(SystemLine.Read());
    return 0;
}

if (args is ["--essentials", string prefix]) return Essentials.Run(prefix);

// Before the first use: the library reads the switch once.
if (Environment.GetEnvironmentVariable("NATIVEIPC_PLAIN_POSIX") == "1")
    AppContext.SetSwitch("NativeIpc.PlainPosixCalls", true);
if (Environment.GetEnvironmentVariable("NATIVEIPC_PORTABLE_WAITS") == "1")
    AppContext.SetSwitch("NativeIpc.PortableWaits", true);
if (Environment.GetEnvironmentVariable("NATIVEIPC_NO_IO_URING") == "1")
    AppContext.SetSwitch("NativeIpc.NoIoUring", true);

AppContext.SetSwitch("NativeIpc.StopPoints", true);

using var diagnostics = new Diagnostics();
using var output = new StreamWriter(StandardStream.Open(1)) { AutoFlush = true, NewLine = "\n" };
using var input = new StreamReader(StandardStream.Open(0));
var segments = new SegmentCommands(output);
var semaphores = new SemaphoreCommands(segments, output);
var events = new EventCommands(output);
var any = new AnyCommands(semaphores, segments, events, output);
var stops = new StopCommands(output, input);

while (input.ReadLine() is { } line)
{
    var words = new Words(line);
    string answer;
    try
    {
        switch (words.Next())
        {
            case "shm":
                answer = segments.Run(words);
                break;
            case "sem":
                answer = semaphores.Run(words);
                break;
            case "event":
                answer = events.Run(words);
                break;
            case "any":
                answer = any.Run(words);
                break;
            case "platform":
                answer = $"ok {SystemLine.Read()}";
                break;
            case "key":
                answer = KeyCommands.Run(words);
                break;
            case "stopat":
                answer = stops.Run(words, isForEver: true);
                break;
            case "holdat":
                answer = stops.Run(words, isForEver: false);
                break;
            case "race":
                answer = RaceCommands.Run(words);
                break;
            case "stress":
                answer = StressCommands.Run(words, output);
                break;
            case "timed":
                answer = TimedWaits.RunAsync(words.NextKey(), words.NextKey(), words.NextKey(),
                    TimeSpan.FromMilliseconds(words.NextInt())).GetAwaiter().GetResult();
                break;
            case "reset":
                segments.CloseAll();
                semaphores.CloseAll();
                events.CloseAll();
                answer = "ok";
                break;
            case "quit":
                segments.CloseAll();
                semaphores.CloseAll();
                events.CloseAll();
                output.WriteLine("ok");
                return 0;
            case "exit":
                output.WriteLine("ok");
                Environment.Exit(0);
                return 0;
            default:
                throw new FormatException($"No such command: '{line}'.");
        }
    }
    catch (NativeIpcException failure)
    {
        answer = $"error {failure.Error} {Words.OneLine(failure.Message)}";
    }
    catch (ObjectDisposedException failure)
    {
        answer = $"error Disposed {Words.OneLine(failure.Message)}";
    }
    catch (Exception failure) when (failure is ArgumentException or InvalidOperationException or FormatException
        or PlatformNotSupportedException or KeyNotFoundException)
    {
        answer = $"error Usage {Words.OneLine($"{failure.GetType().Name}: {failure.Message}")}";
    }

    output.WriteLine(answer);
}

return 0;
