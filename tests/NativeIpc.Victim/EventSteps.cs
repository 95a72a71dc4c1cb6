using System.Diagnostics.Tracing;

namespace NativeIpc.Victim;

/// <summary>Steps that listen to what the library reports.</summary>
internal sealed class EventSteps : EventListener
{
    private static readonly List<string> s_heard = [];
    private static EventSteps? s_listener;

    internal static string Listen()
    {
        s_listener = new EventSteps();
        return "listens";
    }

    /// <summary>What was reported since the last time, a line each.</summary>
    internal static string Heard()
    {
        GC.KeepAlive(s_listener);
        lock (s_heard)
        {
            string heard = string.Join('\n', s_heard);
            s_heard.Clear();
            return heard;
        }
    }

    protected override void OnEventSourceCreated(EventSource eventSource)
    {
        if (eventSource.Name == "NativeIpc") EnableEvents(eventSource, EventLevel.Informational);
    }

    protected override void OnEventWritten(EventWrittenEventArgs eventData)
    {
        lock (s_heard) s_heard.Add($"{eventData.EventName}: {eventData.Payload?[0]}");
    }
}
