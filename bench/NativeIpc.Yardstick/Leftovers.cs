namespace NativeIpc.Yardstick;

/// <summary>
/// What a workload has put off: mappings of shared objects and descriptors that are still there when its last batch ends, before any collection. Deferred
/// work would show here, and its time is in the loop that was measured.
/// </summary>
internal static class Leftovers
{
    public static void Print(string name, Action workload)
    {
        GC.Collect(); // what earlier workloads dropped
        GC.WaitForPendingFinalizers();
        (int maps, int descriptors) = (Mappings(), Descriptors());
        workload();
        (int mapsLeft, int descriptorsLeft) = (Mappings() - maps, Descriptors() - descriptors);
        Harness.Print(name + ".maps_left", mapsLeft);
        Harness.Print(name + ".fds_left", descriptorsLeft);
    }

    // The runtime maps memory of its own meanwhile: only shared objects count.
    private static int Mappings()
        => File.ReadLines("/proc/self/maps").Count(line => line.Contains("/dev/shm/", StringComparison.Ordinal) || line.Contains("/SYSV", StringComparison.Ordinal));

    private static int Descriptors() => Directory.GetFiles("/proc/self/fd").Length;
}
