using System.Diagnostics;

namespace NativeIpc.Yardstick;

/// <summary>Opening, creating and letting go of a semaphore, and what is still mapped and open at the end.</summary>
internal static class Opens
{
    public static void Open(string name)
    {
        NativeIpcKey key = Harness.SemaphoreKey(name, "open");
        using Process keeper = Harness.StartChild("keep-semaphore", name);

        // As old as nearly all sets are when they are opened: one that may have been made this very second costs ours a
        // look more (docs/design.md).
        if (Harness.TypeOf(name).IsSystemV && !Harness.Quick) Harness.Pass(2100);
        Leftovers.Measure(name, OpenAndClose(key));
        keeper.StandardInput.Close();
        keeper.WaitForExit();
    }

    public static void Create(string name)
    {
        NativeIpcKey key = Harness.SemaphoreKey(name, "open");
        SystemSemaphore.Remove(key);
        Leftovers.Measure(name, CreateAndRemove(key));
    }

    /// <summary>In a child: has the semaphore open, as another process would.</summary>
    public static void Keep(string[] arguments)
    {
        using SystemSemaphore semaphore = Harness.Fresh(Harness.SemaphoreKey(arguments[0], "open"), 1);
        Harness.Ready();
        Console.In.ReadToEnd();
    }

    private static Action<long> OpenAndClose(NativeIpcKey key) => n =>
    {
        while (n-- > 0) SystemSemaphore.OpenExisting(key).Dispose();
    };

    private static Action<long> CreateAndRemove(NativeIpcKey key) => n =>
    {
        while (n-- > 0) SystemSemaphore.CreateNew(key, 1).Dispose();
    };
}
