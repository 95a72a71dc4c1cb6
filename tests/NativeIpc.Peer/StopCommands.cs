namespace NativeIpc.Peer;

/// <summary>Stops the process for ever where a test wants to kill it: at a named point between two steps of the
/// library.</summary>
internal sealed class StopCommands
{
    private readonly TextWriter _output;
    private string? _point;
    private int _remaining;

    public StopCommands(TextWriter output)
    {
        _output = output;
        Internals.StopPointReached = Reached;
    }

    public string Run(Words words)
    {
        Volatile.Write(ref _point, null);
        string point = words.Next();
        _remaining = words.NextIntOr(1);
        Volatile.Write(ref _point, point);
        return "ok";
    }

    private void Reached(string point)
    {
        if (Volatile.Read(ref _point) != point || Interlocked.Decrement(ref _remaining) != 0) return;
        _output.WriteLine($"stopped {point}");
        using var never = new ManualResetEventSlim();
        never.Wait();
    }
}
