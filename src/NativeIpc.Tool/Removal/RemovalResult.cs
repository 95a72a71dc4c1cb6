namespace NativeIpc.Tool.Removal;

/// <summary>What became of one object, and the exit code for it.</summary>
internal readonly record struct RemovalResult(RemovalOutcome Outcome, int ExitCode);
