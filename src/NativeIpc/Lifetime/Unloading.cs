using System.Runtime.Loader;

namespace NativeIpc.Lifetime;

/// <summary>
/// Whether the collectible AssemblyLoadContext that this library was loaded into is to be unloaded: then everything
/// that lasts as long as the process (threads, registrations, watches) ends when nothing needs it any more.
/// </summary>
/// <remarks>
/// .NET asks only: what is there can be used as before, and it may take long until all is disposed. So an owner
/// of something that lasts looks at <see cref="HasBegun"/> each time when it has nothing to do, ends then, and begins
/// anew when it is needed once more.
/// <para>R1 Race: something begins to last while the unloading begins.
/// Safe because: what is called at the beginning wakes it, if <see cref="AtBegin"/> came before; so that comes first,
/// and what begins later looks by itself.</para>
/// <para>How the beginning is heard of. Unloading does three things, on any thread: (a) it takes all handlers out of
/// the event and calls them; (b) it makes the context one that may be collected; (c) it takes it out of the
/// list.</para>
/// <para>R2 Race: a handler that is added between (a) and (c) is never called, and the context is still listed. Other
/// handlers may take any time in between, and one of them may be the first to use this library. So nothing that is
/// looked at here and now tells whether the handler will be called.
/// Safe because: the list is looked at again at each garbage collection (<see cref="Lookout"/>), without which nothing
/// is unloaded anyway.</para>
/// </remarks>
internal static class Unloading
{
    private static readonly Lock s_gate = new();
    private static Action[] s_atBegin = []; // few
    private static volatile bool s_hasBegun;

    // Asked of the assembly: the context is in a part of .NET that other processes need not load.
    static Unloading()
    {
        if (typeof(Unloading).Assembly.IsCollectible) Listen();
    }

    private static void Listen()
    {
        AssemblyLoadContext context = AssemblyLoadContext.GetLoadContext(typeof(Unloading).Assembly)!;

        // After (c) a handler would keep the context, which .NET itself keeps until it is unloaded.
        if (!IsListed(context))
        {
            Begin();
            return;
        }

        // R3 Race: (a), or (a) to (c), came since the look.
        // Safe because: of the lookout, which also takes the handler out.
        context.Unloading += BeginOf;
        _ = new Lookout();
    }

    /// <summary>Looks at each garbage collection whether the context is still listed.</summary>
    private sealed class Lookout
    {
        ~Lookout()
        {
            if (s_hasBegun || AssemblyLoadContext.GetLoadContext(typeof(Lookout).Assembly) is not { } context) return;
            if (IsListed(context))
            {
                GC.ReRegisterForFinalize(this);
                return;
            }

            context.Unloading -= BeginOf;

            // What is called may take gates, and the thread of the finalizers waits for nobody.
            ThreadPool.UnsafeQueueUserWorkItem(static _ => Begin(), null);
        }
    }

    /// <summary>Whether the unloading of a context has not begun: .NET takes it out of the list after the handlers were
    /// called.</summary>
    private static bool IsListed(AssemblyLoadContext context)
    {
        foreach (AssemblyLoadContext listed in AssemblyLoadContext.All)
        {
            if (listed == context) return true;
        }

        return false;
    }

    /// <summary>Whether it has begun.</summary>
    public static bool HasBegun => s_hasBegun;

    /// <summary>Has something called when it begins; once, however often it is asked for.</summary>
    public static void AtBegin(Action action)
    {
        lock (s_gate)
        {
            foreach (Action known in s_atBegin)
            {
                if (known == action) return;
            }

            var all = new Action[s_atBegin.Length + 1];
            s_atBegin.CopyTo(all, 0);
            all[^1] = action;
            s_atBegin = all;
        }
    }

    private static void BeginOf(AssemblyLoadContext context) => Begin();

    private static void Begin()
    {
        s_hasBegun = true;
        Interlocked.MemoryBarrier();
        Action[] all;
        lock (s_gate) all = s_atBegin;
        foreach (Action action in all) action();
    }
}
