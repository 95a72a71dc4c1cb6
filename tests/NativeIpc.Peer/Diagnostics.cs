using System.Diagnostics.Tracing;

namespace NativeIpc.Peer;

/// <summary>Writes what the library reports where it cannot throw to standard error, where the tests' transcripts pick
/// it up.</summary>
internal sealed class Diagnostics : EventListener
{
    protected override void OnEventSourceCreated(EventSource eventSource)
    {
        if (eventSource.Name == "NativeIpc") EnableEvents(eventSource, EventLevel.Warning);
    }

    protected override void OnEventWritten(EventWrittenEventArgs eventData)
        => Write(Words.OneLine($"{eventData.EventName}: {eventData.Payload?[0]}"));

    private static void Write(string line)
    {
        using var error = new StreamWriter(StandardStream.Open(2)) { NewLine = "\n" };
        error.WriteLine(line);
    }
}
