namespace NativeIpc.Lifetime;

/// <summary>
/// Named points between the steps of taking and giving a lock, at which the tests stop a process in order to kill it.
/// Without the switch NativeIpc.StopPoints they cost a test of a constant.
/// </summary>
internal static class StopPoint
{
    private static readonly bool s_isOn = AppContext.TryGetSwitch("NativeIpc.StopPoints", out bool on) && on;

    /// <summary>Whether a test stops this process at points: then every step goes the way that has them.</summary>
    public static bool IsOn => s_isOn;

    /// <summary>What happens at each point; set by the test's peer before its first object.</summary>
    internal static Action<string>? Reached { get; set; }

    public static void At(string point)
    {
        if (s_isOn) Reached?.Invoke(point);
    }
}
