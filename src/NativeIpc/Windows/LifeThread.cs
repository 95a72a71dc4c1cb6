using System.Collections.Concurrent;
using NativeIpc.Lifetime;

namespace NativeIpc.Windows;

/// <summary>
/// One thread that lives as long as the process and owns the mutexes that tell others that it does. The system gives a
/// mutex of an ended thread to the next one who asks, and ends the threads of a process before it closes its handles.
/// It ends when this library is unloaded and it owns nothing.
/// </summary>
internal static class LifeThread
{
    private static readonly Lock s_gate = new();
    private static readonly BlockingCollection<Action> s_work = [];
    private static Thread? s_thread;
    private static int s_owned;

    /// <summary>Runs something on the thread and waits for its end.</summary>
    public static T Run<T>(Func<T> function)
    {
        var result = new TaskCompletionSource<T>();
        lock (s_gate)
        {
            if (s_thread is null)
            {
                Unloading.AtBegin(HurryUp);
                var thread = new Thread(Work, 256 * 1024) { IsBackground = true, Name = "NativeIpc lock owner" };
                thread.Start(); // may fail for want of memory: the next call tries again
                s_thread = thread;
            }

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
        }

        return result.Task.GetAwaiter().GetResult();
    }

    /// <summary>Counts a mutex that the thread owns. On the thread.</summary>
    public static void Owns() => Interlocked.Increment(ref s_owned);

    /// <summary>Counts one that was closed.</summary>
    public static void HasClosed()
    {
        if (Interlocked.Decrement(ref s_owned) == 0 && Unloading.HasBegun) HurryUp();
    }

    private static void HurryUp()
    {
        lock (s_gate)
        {
            if (s_thread is not null) s_work.Add(static () => { });
        }
    }

    private static void Work()
    {
        do s_work.Take()();
        while (!Unloading.HasBegun || !TryEnd());
    }

    private static bool TryEnd()
    {
        lock (s_gate)
        {
            if (s_work.Count > 0 || Volatile.Read(ref s_owned) > 0) return false;
            s_thread = null;
            return true;
        }
    }
}
