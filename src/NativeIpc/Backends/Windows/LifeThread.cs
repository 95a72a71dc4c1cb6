using System.Collections.Concurrent;

namespace NativeIpc.Backends.Windows;

/// <summary>
/// One thread that lives as long as the process and owns the mutexes that tell others that it does. The system gives a mutex of an ended thread to the
/// next one who asks, and ends the threads of a process before it closes its handles.
/// </summary>
internal static class LifeThread
{
    private static readonly Lock s_gate = new();
    private static readonly BlockingCollection<Action> s_work = [];
    private static Thread? s_thread;

    /// <summary>Runs something on the thread and waits for its end.</summary>
    public static T Run<T>(Func<T> function)
    {
        lock (s_gate)
        {
            if (s_thread is null)
            {
                var thread = new Thread(Work, 256 * 1024) { IsBackground = true, Name = "NativeIpc lock owner" };
                thread.Start(); // may fail for want of memory: the next call tries again
                s_thread = thread;
            }
        }

        var result = new TaskCompletionSource<T>();
        s_work.Add(() =>
        {
            try
            {
                result.SetResult(function());
            }
            catch (Exception failure)
            {
                result.SetException(failure);
            }
        });
        return result.Task.GetAwaiter().GetResult();
    }

    private static void Work()
    {
        foreach (Action work in s_work.GetConsumingEnumerable()) work();
    }
}
