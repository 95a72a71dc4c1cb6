namespace NativeIpc.Inspection;

/// <summary>How much an <see cref="IpcFinding"/> matters.</summary>
public enum IpcSeverity
{
    /// <summary>Good to know; nothing is wrong.</summary>
    Information = 0,

    /// <summary>It wastes memory, or will fail some programs.</summary>
    Warning = 1,

    /// <summary>Programs fail or hang because of it.</summary>
    Error = 2,
}
