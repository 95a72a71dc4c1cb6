using NativeIpc.Backends;

namespace NativeIpc.Peer;

/// <summary>Stops this process for ever at a named point inside the library, so that the tests can kill it there.</summary>
internal static class StopCommand
{
    public static string Run(Words words, TextWriter output)
    {
        string point = words.Next();
        StopPoint.Reached = reached =>
        {
            if (reached != point) return;
            output.WriteLine($"stopped {point}");
            using var never = new ManualResetEvent(false);
            never.WaitOne();
        };
        return "ok";
    }
}
