namespace NativeIpc;

/// <summary>A process that has an object open or attached.</summary>
/// <param name="ProcessId">The process id, as this process's PID namespace counts.</param>
/// <param name="ProcessName">Its name as the system shows it (<c>/proc/PID/comm</c>, at most 15 bytes on Linux); empty when it has just ended.</param>
public readonly record struct IpcAttachment(int ProcessId, string ProcessName);
