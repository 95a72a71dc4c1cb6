namespace NativeIpc.Inspection.Objects;

/// <summary>What could not be seen.</summary>
/// <param name="Text">A sentence.</param>
/// <param name="Remedy">What to do about it, in a sentence; null where more rights would help.</param>
internal readonly record struct IpcNote(string Text, string? Remedy);
