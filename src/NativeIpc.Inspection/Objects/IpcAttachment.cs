namespace NativeIpc.Inspection;

/// <summary>A process that has an object open or attached, or waits for it.</summary>
/// <param name="ProcessId">The process id, as this process's PID namespace counts.</param>
/// <param name="ProcessName">Its name as the system shows it (<c>/proc/PID/comm</c>, at most 15 bytes on Linux); empty
/// when it has just ended.</param>
public readonly record struct IpcAttachment(int ProcessId, string ProcessName)
{
    /// <summary>What it does with a semaphore, as far as it was looked for
    /// (<see cref="IpcEnumerationOptions.FindUses"/>) and can be seen.</summary>
    public IpcUse Use { get; init; }

    /// <summary>How many permits it has, where <see cref="Use"/> is <see cref="IpcUse.Holds"/>; 0 otherwise. A program
    /// that inherited them from the process that took them (<see cref="PermitRecording.ProcessAndChildren"/>) has the
    /// same ones.</summary>
    public int Permits { get; init; }
}
