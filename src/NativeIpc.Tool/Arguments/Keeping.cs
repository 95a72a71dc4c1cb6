namespace NativeIpc.Tool.Arguments;

/// <summary>Whether what a command makes is still there when the command has ended.</summary>
internal static class Keeping
{
    private const string Setting = "/proc/sys/kernel/shm_rmid_forced";

    /// <summary>Refuses to make a System V segment that the kernel would remove together with this command.</summary>
    public static void CheckSegment(NativeIpcKey key)
    {
        if (!key.Type.IsSystemV || !OperatingSystem.IsLinux() || !File.Exists(Setting)
            || File.ReadAllText(Setting).Trim() == "0") return;
        throw new ToolException(ExitCodes.Unsupported,
            "kernel.shm_rmid_forced is 1: the kernel removes a System V segment as soon as nobody is attached, so it "
                + "would end with this command. Set it to 0 (sysctl -w kernel.shm_rmid_forced=0), use a posix: key, "
                + "or make it with 'nipc create shm --hold', which keeps it until Ctrl-C.");
    }
}
