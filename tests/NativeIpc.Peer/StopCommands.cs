namespace NativeIpc.Peer;

/// <summary>Stops the process at a named point between two steps of the library: for ever where a test wants to kill
/// it, or until the next line comes.</summary>
internal sealed class StopCommands
{
    private readonly TextWriter _output;
    private readonly TextReader _input;
    private bool _isForEver;
    private string? _point;
    private int _remaining;

    public StopCommands(TextWriter output, TextReader input)
    {
        _output = output;
        _input = input;
        Internals.StopPointReached = Reached;
    }

    public string Run(Words words, bool isForEver)
    {
        Volatile.Write(ref _point, null);
        _isForEver = isForEver;
        string point = words.Next();
        _remaining = words.NextIntOr(1);
        Volatile.Write(ref _point, point);
        return "ok";
    }

    private void Reached(string point)
    {
        if (Volatile.Read(ref _point) != point || Interlocked.Decrement(ref _remaining) != 0) return;
        _output.WriteLine($"stopped {point}");
        if (!_isForEver)
        {
            _input.ReadLine(); // on the thread that reads commands
            return;
        }

        using var never = new ManualResetEventSlim();
        never.Wait();
    }
}
