namespace NativeIpc.Channels.Segments;

/// <summary>Named points between steps, at which the tests stop a process in order to kill it. Without the switch
/// NativeIpc.StopPoints the fast paths do not come here.</summary>
internal static class ChannelStop
{
    /// <summary>Whether a test stops this process at points: then every step goes the way that has them.</summary>
    public static bool IsOn { get; } = AppContext.TryGetSwitch("NativeIpc.StopPoints", out bool on) && on;

    /// <summary>What happens at each point; set by the test's peer before its first channel.</summary>
    internal static Action<string>? Reached { get; set; }

    public static void At(string point)
    {
        if (IsOn) Reached?.Invoke(point);
    }
}
