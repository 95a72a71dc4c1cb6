namespace NativeIpc.NamedObjects;

/// <summary>The lifetime that objects have on Windows: gone with the last handle, also where that was a killed
/// process's.</summary>
/// <remarks>The kernel says whether anybody has an object open. Where it does not say, as of another user's, the object
/// counts as used, and the event source NativeIpc tells.</remarks>
internal static class Leftovers
{
    /// <summary>How semaphores are made and opened. Linux.</summary>
    public static SystemSemaphoreOptions OptionsFor(in ObjectName name)
    {
        var options = new SystemSemaphoreOptions { Removal = RemovalPolicy.LastOneOut, Mode = name.Mode };
        if (!OperatingSystem.IsWindows()) options.AllowOtherOwners = name.IsOfMachine;
        return options;
    }

    /// <summary>Before a semaphore is made or opened: removes what killed processes left.</summary>
    public static void RemoveSemaphore(in ObjectName name)
    {
        // R1 Race: the last user is killed after this look. Safe because: whoever opens the object then has opened what
        // that user had, as one who came a moment earlier.
        if (OperatingSystem.IsLinux()) _ = SystemSemaphore.RemoveIfUnused(name.Key, OptionsFor(name));
    }

    /// <summary>The same of an event.</summary>
    public static void RemoveEvent(in ObjectName name)
    {
        if (OperatingSystem.IsLinux()) _ = SystemEvent.RemoveIfUnused(name.Key);
    }

    /// <summary>The same of a segment.</summary>
    public static void RemoveSegment(in ObjectName name)
    {
        if (OperatingSystem.IsLinux())
            _ = SharedMemory.RemoveIfUnused(name.Key, new SharedMemoryOptions { UseLock = false });
    }
}
