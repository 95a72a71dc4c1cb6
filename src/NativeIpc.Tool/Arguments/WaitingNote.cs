using System.Globalization;
using NativeIpc.Inspection;
using NativeIpc.Tool.Objects;
using NativeIpc.Tool.Output;
using NativeIpc.Tool.Running;

namespace NativeIpc.Tool.Arguments;

/// <summary>Waits, and says meanwhile for whom, or why it may be for ever.</summary>
internal static class WaitingNote
{
    private const int MostNamed = 5;

    /// <summary>As <see cref="Permits.TryAcquire"/>. What is said goes to standard error.</summary>
    public static bool TryAcquire(NamedObject named, SystemSemaphore semaphore, int count, TimeSpan? timeout,
        CancellationToken cancellation)
    {
        if (!IsWanted || timeout == TimeSpan.Zero)
            return Permits.TryAcquire(semaphore, count, timeout, cancellation);
        if (Permits.TryAcquire(semaphore, count, TimeSpan.Zero, cancellation)) return true;

        return During(
            () => Describe(named.Name,
                () => named.Objects(IpcObjectKind.SystemSemaphore) is [var first, ..] ? first : null),
            () => Permits.TryAcquire(semaphore, count, timeout, cancellation), out _);
    }

    /// <summary>Whether somebody reads for whom one waits, and the system tells it.</summary>
    public static bool IsWanted => Terminal.IsErrorInteractive && !OperatingSystem.IsWindows();

    /// <summary>Waits, and says meanwhile what there is to say.</summary>
    /// <param name="describe">What is to be said; null for nothing.</param>
    /// <param name="wait">Waits.</param>
    /// <param name="said">What was said; null when the wait was over first.</param>
    public static T During<T>(Func<string?> describe, Func<T> wait, out string? said)
    {
        // Beside the wait, since the look at all processes takes its time.
        var gate = new Lock();
        bool isOver = false;
        string? told = null;
        _ = Task.Run(() =>
        {
            if (describe() is not { } note) return;
            lock (gate)
            {
                if (isOver) return;
                Failures.Say(note);
                told = note;
            }
        }, CancellationToken.None);
        try
        {
            return wait();
        }
        finally
        {
            lock (gate)
            {
                isOver = true;
                said = told;
            }
        }
    }

    /// <summary>Which process has to end the wait, as far as it is known.</summary>
    /// <param name="name">What one waits for.</param>
    /// <param name="look">Looks at the semaphore.</param>
    public static string Describe(string name, Func<IpcObjectInfo?> look)
    {
        string waiting = $"Waiting for {name}";
        try
        {
            return look() is { } found
                ? $"{waiting}, {Whom(found)}. Ctrl-C gives up." : $"{waiting}. Ctrl-C gives up.";
        }
        catch (Exception failure) when (failure is NativeIpcException or PlatformNotSupportedException or ToolException)
        {
            return $"{waiting}. Ctrl-C gives up."; // what goes wrong, the wait will say
        }
    }

    private static string Whom(IpcObjectInfo found)
    {
        IpcAttachment[] others = [.. found.Attachments.Where(user => user.ProcessId != Environment.ProcessId)];
        List<string> parts = [];
        Add(others.Where(user => user.Use == IpcUse.Holds), "held by");
        Add(others.Where(user => user.Use == IpcUse.Open),
            parts.Count > 0 ? "open in" : "which says of nobody who holds it; open in");
        if (found.Members is [{ LastProcessId: > 0 and var last }, ..])
            parts.Add(string.Create(CultureInfo.InvariantCulture,
                $"last used by {last}{(Libc.HasProcess(last) ? "" : ", which has ended")}"));
        Add(others.Where(user => user.Use == IpcUse.Waits), "as do");
        return parts.Count > 0 ? string.Join("; ", parts) : "which nobody has open that can be seen from here";

        void Add(IEnumerable<IpcAttachment> users, string what)
        {
            IpcAttachment[] all = [.. users];
            if (all.Length == 0) return;
            string names = string.Join(", ",
                all.Take(MostNamed).Select(user =>
                    string.Create(CultureInfo.InvariantCulture, $"{user.ProcessId} ({user.ProcessName})")));
            string more = all.Length > MostNamed
                ? string.Create(CultureInfo.InvariantCulture, $" and {all.Length - MostNamed} more") : "";
            parts.Add($"{what} {names}{more}");
        }
    }
}
