using System.Diagnostics;

namespace NativeIpc.Errors;

/// <summary>Holds back what a thread reports to the event source while it has a gate, or a file lock that others wait
/// for: a listener is code of the program, and may wait for a thread that waits for the same.</summary>
/// <remarks>Begun before the gate is taken, and disposed after it was left. One may be inside of another one; the
/// outermost writes what came, in its order.</remarks>
internal readonly ref struct HeldReports : IDisposable
{
    [ThreadStatic]
    private static int t_depth;

    [ThreadStatic]
    private static List<Action>? t_reports;

    /// <summary>Begins to hold back what this thread reports.</summary>
    public static HeldReports Begin()
    {
        t_depth++;
        return default;
    }

    /// <summary>Whether this thread holds back what it reports.</summary>
    internal static bool AreHeld => t_depth > 0;

    /// <summary>Keeps a report for later.</summary>
    internal static void Keep(Action report)
    {
        Debug.Assert(AreHeld);
        (t_reports ??= []).Add(report);
    }

    /// <summary>Has a thread of the pool write what was kept until now: for a thread that serves the whole
    /// process.</summary>
    public static void PassOn()
    {
        if (t_reports is not { } reports) return;
        t_reports = null;
        try
        {
            // By Task, since ThreadPool is in an assembly of its own, which cannot be loaded when no descriptor is
            // left: that would end the process.
            _ = Task.Factory.StartNew(static kept => Write((List<Action>)kept!), reports, CancellationToken.None,
                TaskCreationOptions.DenyChildAttach, TaskScheduler.Default);
        }
        catch (TaskSchedulerException failure) when (failure.InnerException is OutOfMemoryException)
        {
            t_reports = reports; // no thread can be started: with the next ones
        }
    }

    private static void Write(List<Action> reports)
    {
        foreach (Action report in reports) report();
    }

    public void Dispose()
    {
        Debug.Assert(AreHeld);
        if (--t_depth > 0 || t_reports is not { } reports) return;
        t_reports = null;
        Write(reports);
    }
}
