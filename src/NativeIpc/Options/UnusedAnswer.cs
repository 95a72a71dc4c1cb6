namespace NativeIpc;

/// <summary>Whether an object is unused, as far as the system tells.</summary>
public enum UnusedAnswer
{
    /// <summary>None has it open, or there is none.</summary>
    Unused = 0,

    /// <summary>A process has it open or mapped, this one included.</summary>
    InUse = 1,

    /// <summary>The system does not tell, or not this process: of an object of another user, or while another process
    /// keeps a lock on it.</summary>
    Unknown = 2,
}
