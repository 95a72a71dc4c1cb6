namespace NativeIpc.Yardstick;

/// <summary>
/// What a workload has put off: mappings of shared objects and descriptors that are there when its last batch ends and
/// were not when it had done the same a few times, before any collection. Deferred work would show here, and its time
/// is in the loop that was measured.
/// </summary>
internal static class Leftovers
{
    /// <summary>Measures a workload, slowly where one operation takes milliseconds, and counts.</summary>
    public static void Measure(string name, Action<long> body, bool slow = false)
    {
        body(slow ? 1 : 10); // what is opened once for the whole process is not left over
        GC.Collect(); // what earlier workloads dropped
        GC.WaitForPendingFinalizers();
        (int maps, int descriptors) = (Mappings(), Descriptors());
        double time = slow ? Harness.MeasureSlow(body) : Harness.Measure(body);
        (int mapsNow, int descriptorsNow) = (Mappings(), Descriptors());
        Harness.Print(name, time);
        Harness.Print(name + ".maps_left", mapsNow - maps);
        Harness.Print(name + ".fds_left", descriptorsNow - descriptors);
    }

    // The runtime maps memory of its own meanwhile: only shared objects count.
    private static int Mappings()
        => File.ReadLines("/proc/self/maps")
            .Count(line => line.Contains("/dev/shm/", StringComparison.Ordinal)
                || line.Contains("/SYSV", StringComparison.Ordinal));

    // The runtime opens assemblies meanwhile, too: they do not count.
    private static int Descriptors()
        => new DirectoryInfo("/proc/self/fd").GetFiles()
            .Count(file => file.LinkTarget is { } target && !target.EndsWith(".dll", StringComparison.Ordinal));
}
