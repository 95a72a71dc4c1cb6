using System.Diagnostics.Tracing;

namespace NativeIpc.Errors;

/// <summary>
/// What goes wrong where nothing can be thrown: in Dispose, in a finalizer, at the end of the process, on the watching
/// thread. Listen to the event source "NativeIpc" (dotnet-trace, dotnet-monitor, EventListener).
/// </summary>
[EventSource(Name = "NativeIpc")]
internal sealed class NativeIpcEventSource : EventSource
{
    public static readonly NativeIpcEventSource s_log = new();

    private NativeIpcEventSource()
    {
    }

    /// <summary>
    /// Has the runtime load, while an object is made, what its removal reports with: a process without a free
    /// descriptor cannot load an assembly any more, and its Dispose and its end would fail for that alone.
    /// </summary>
    public static void Load() => _ = s_log;

    /// <summary>An object, its lock or its key file could not be removed and stays in the system.</summary>
    [Event(1, Level = EventLevel.Warning, Message = "{0}")]
    public void NotRemoved(string message) => Report(1, message);

    /// <summary>A lock's name cannot be watched: a replaced lock will go unnoticed.</summary>
    [Event(2, Level = EventLevel.Warning, Message = "{0}")]
    public void NotWatched(string message) => Report(2, message);

    /// <summary>The key file of a System V object was deleted and made anew while the object was in use.</summary>
    [Event(3, Level = EventLevel.Warning, Message = "{0}")]
    public void KeyFileReplaced(string message) => Report(3, message);

    /// <summary>A file system lacks what keeps processes that make and remove objects apart; they go on
    /// without.</summary>
    [Event(9, Level = EventLevel.Warning, Message = "{0}")]
    public void KeyFileLimit(string message) => Report(9, message);

    /// <summary>A sparse segment is larger than the memory that this process may take as a whole: filling it would end
    /// the process.</summary>
    [Event(30, Level = EventLevel.Warning, Message = "{0}")]
    public void MoreThanMemory(string message) => Report(30, message);

    /// <summary>The kernel removes System V segments that nobody is attached to, also those that were to be kept. Said
    /// once by a process, when it makes the first one.</summary>
    [Event(31, Level = EventLevel.Warning, Message = "{0}")]
    public void RemovedWithoutUsers(string message) => Report(31, message);

    /// <summary>This process works with a lock whose next holder could not tell that it died.</summary>
    [Event(6, Level = EventLevel.Warning, Message = "{0}")]
    public void NotRecoverable(string message) => Report(6, message);

    /// <summary>A handler of <see cref="IpcActivity"/> has thrown.</summary>
    [Event(32, Level = EventLevel.Error, Message = "{0}")]
    public void HandlerFailed(string message) => Report(32, message);

    /// <summary>A permit that was held when its semaphore was disposed could not be given back.</summary>
    [Event(20, Level = EventLevel.Warning, Message = "{0}")]
    public void NotGivenBack(string message) => Report(20, message);

    /// <summary>A segment has no memory reserved although that was asked for, since the system refuses it.</summary>
    [Event(21, Level = EventLevel.Warning, Message = "{0}")]
    public void NotReserved(string message) => Report(21, message);

    [NonEvent]
    private void Report(int number, string message)
    {
        if (!IsEnabled()) return;
        if (HeldReports.AreHeld) HeldReports.Keep(() => WriteEvent(number, message));
        else WriteEvent(number, message);
    }
}
