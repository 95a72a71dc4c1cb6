using System.Globalization;
using BusOnWindowsApi;

// A member of a bus: BusOnWindowsApi NAME. Commands, one per line:
//   join                ok                  also after leave
//   publish WORD N      ok                  N messages "WORD 1", "WORD 2" …; the next ones go on counting
//   receive N MS        ok RECEIVED MISSED  receives until N came, or none for MS milliseconds
//   endless WORD        no answer           publishes and receives until it is killed
//   close               ok
//   leave               ok
//   repaired            ok TIMES
// It checks what it receives: each member's messages in the order in which it published them, none twice.
MessageBus? bus = null;
var last = new Dictionary<string, int>();
int published = 0;
while (Console.ReadLine() is { } line)
{
    string[] words = line.Split(' ');
    switch (words[0])
    {
        case "join":
            bus = new MessageBus(args[0]);
            Console.WriteLine("ok");
            break;
        case "publish":
            for (int i = 0; i < Number(words[2]); i++) bus!.Publish($"{words[1]} {++published}");
            Console.WriteLine("ok");
            break;
        case "receive":
            int received = 0;
            while (received < Number(words[1])
                && bus!.TryReceive(TimeSpan.FromMilliseconds(Number(words[2])), out string? message))
            {
                Check(message);
                received++;
            }

            Console.WriteLine($"ok {received} {bus!.Missed}");
            break;
        case "endless":
            Console.WriteLine("endless");
            while (true)
            {
                bus!.Publish($"{words[1]} {++published}");
                if (bus.TryReceive(TimeSpan.Zero, out string? came)) Check(came);
            }

        case "close":
            bus!.Close();
            Console.WriteLine("ok");
            break;
        case "leave":
            bus!.Dispose();
            Console.WriteLine("ok");
            break;
        case "repaired":
            Console.WriteLine($"ok {bus!.Repaired}");
            break;
        default: return 2;
    }
}

return 0;

void Check(string message)
{
    string[] words = message.Split(' ');
    if (words.Length != 2 || !int.TryParse(words[1], CultureInfo.InvariantCulture, out int number))
        throw new InvalidOperationException($"'{message}' was never published.");
    if (last.TryGetValue(words[0], out int before) && (number <= before || (number > before + 1 && bus!.Missed == 0)))
        throw new InvalidOperationException($"'{message}' came after {before}.");
    last[words[0]] = number;
}

static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
