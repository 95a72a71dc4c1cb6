using System.Diagnostics;
using NativeIpc.Errors;

namespace NativeIpc;

/// <summary>Tells what happens to the semaphores and locks of this process, for those who count it: metrics, traces,
/// logs.</summary>
/// <remarks>
/// <para>A handler of <see cref="Waited"/> runs on the thread that ends the wait, before the wait returns, also on one
/// that serves the asynchronous waits of the whole process: it must be short, must not block, and must not use the
/// object of the event. The other handlers run on a thread of the pool, soon after what they tell of. What a handler
/// throws goes to the event source "NativeIpc" (HandlerFailed), and to nobody else; other handlers are called all the
/// same.</para>
/// <para>While nobody listens, it costs nothing but the look for handlers. What is acquired at once never tells a
/// wait.</para>
/// <para>Thread safety: handlers may be added and removed, and are called, on any thread at any time.</para>
/// </remarks>
public static class IpcActivity
{
    /// <summary>A wait for a permit or a lock is over, with or without it.</summary>
    public static event Action<IpcWait>? Waited;

    /// <summary>This process has taken a lock, or the permit of a <see cref="SystemSemaphoreOptions.Robust"/>
    /// semaphore, over from a holder that was killed. With the key of the lock.</summary>
    public static event Action<NativeIpcKey>? TookOver;

    /// <summary>This process has given back so many permits that killed holders had recorded
    /// (<see cref="SystemSemaphoreOptions.Recording"/>).</summary>
    public static event Action<NativeIpcKey, int>? LostPermitsReturned;

    /// <summary>When a wait began; 0 when nobody wants to know.</summary>
    internal static long BeginWait() => Waited is null ? 0 : Stopwatch.GetTimestamp();

    internal static void EndWait(long began, in NativeIpcKey key, IpcObjectKind kind, bool wasAcquired)
    {
        if (began == 0 || Waited is not { } waited) return;
        Tell(waited, new IpcWait(key, kind, Stopwatch.GetElapsedTime(began), wasAcquired),
            static (handler, wait) => handler(wait));
    }

    // This and the next come from inside gates, those of a lock and of its queue of waits: a handler that ran there and
    // waited for another thread would keep that one out.
    internal static void TellTakeover(in NativeIpcKey key)
    {
        if (TookOver is { } tookOver) TellSoon(tookOver, key, static (handler, key) => handler(key));
    }

    internal static void TellReturned(in NativeIpcKey key, int permits)
    {
        if (permits == 0 || LostPermitsReturned is not { } returned) return;
        TellSoon(returned, (key, permits), static (handler, given) => handler(given.key, given.permits));
    }

    private static void TellSoon<THandler, TWhat>(THandler handlers, in TWhat what, Action<THandler, TWhat> call)
        where THandler : Delegate
    {
        try
        {
            ThreadPool.QueueUserWorkItem(static told => Tell(told.handlers, told.what, told.call),
                (handlers, what, call), preferLocal: false);
        }
        catch (OutOfMemoryException)
        {
            // No thread can be started: it stays in the queue for the next one. A permit was taken, and is not lost.
        }
    }

    // A permit may have been taken for the caller by now, so nothing of a handler's may reach him, or keep others from
    // being told.
    private static void Tell<THandler, TWhat>(THandler handlers, in TWhat what, Action<THandler, TWhat> call)
        where THandler : Delegate
    {
        foreach (THandler handler in Delegate.EnumerateInvocationList(handlers))
        {
            try
            {
                call(handler, what);
            }
            catch (Exception failure)
            {
                NativeIpcEventSource.s_log.HandlerFailed(TextOf(failure));
            }
        }
    }

    // The text is the program's own code, too.
    private static string TextOf(Exception failure)
    {
        try
        {
            return failure.ToString();
        }
        catch (Exception another)
        {
            return $"{failure.GetType()}, whose text throws {another.GetType()}";
        }
    }
}
