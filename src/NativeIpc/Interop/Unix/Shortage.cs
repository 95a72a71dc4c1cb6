namespace NativeIpc.Interop.Unix;

// What could not be read for want of a descriptor.

/// <summary>Whether this thread could not open something because there was no descriptor for it (EMFILE, ENFILE).
/// Whoever looks at the machine and goes on without a file notes why, so that what was left out for that reason is
/// not taken for what is not there.</summary>
internal static class Shortage
{
    [ThreadStatic]
    private static int t_number;

    /// <summary>The error number of the last one that was noted; 0 for none.</summary>
    internal static int Number => t_number;

    /// <summary>Notes an error number if it says so.</summary>
    internal static void Note(int number)
    {
        if (number is Errno.EMFILE or Errno.ENFILE) t_number = number;
    }

    /// <summary>The same for what .NET could not open: it gives the error number as HResult.</summary>
    internal static void Note(Exception failure)
    {
        if (failure is IOException) Note(failure.HResult);
    }

    /// <summary>Begins anew; returns what was noted until now.</summary>
    internal static int Reset(int number = 0)
    {
        int before = t_number;
        t_number = number;
        return before;
    }
}
