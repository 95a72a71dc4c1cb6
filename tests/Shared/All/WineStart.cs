using System.ComponentModel;
using System.Diagnostics;

namespace NativeIpc.Testing;

/// <summary>Starts processes of tests that may run under Wine 8, which fails to now and then by
/// ERROR_INTERNAL_ERROR.</summary>
internal static class WineStart
{
    private const int InternalError = 1359;
    private const int MostAttempts = 5;

    /// <summary>How often a process could not be started, and was started again.</summary>
    internal static int Failures { get; private set; }

    /// <summary>Starts a process, up to five times where Wine fails to.</summary>
    internal static Process Process(ProcessStartInfo start)
    {
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                return System.Diagnostics.Process.Start(start)!;
            }
            catch (Win32Exception failure)
                when (OperatingSystem.IsWindows() && failure.NativeErrorCode == InternalError && attempt < MostAttempts)
            {
                Failures++;
            }
        }
    }
}
