using System.Globalization;

namespace NativeIpc.Testing;

/// <summary>
/// How long a watchdog lets something take. It only ends what hangs, so it may be long: <c>./test.sh</c> says with
/// <c>NATIVEIPC_SLOWNESS</c> how many times slower than an idle machine this one is.
/// </summary>
internal static class Patience
{
    private static readonly int s_slowness =
        int.TryParse(Environment.GetEnvironmentVariable("NATIVEIPC_SLOWNESS"), NumberStyles.None,
            CultureInfo.InvariantCulture, out int given)
            ? Math.Clamp(given, 1, 10)
            : 1;

    internal static TimeSpan Seconds(double seconds) => TimeSpan.FromSeconds(seconds * s_slowness);

    internal static TimeSpan Minutes(double minutes) => Seconds(minutes * 60);
}
