namespace NativeIpc.Tool;

/// <summary>A failure that the tool itself found. The message says what is wrong and what to do, as the library's
/// do.</summary>
#pragma warning disable CA1032 // an exit code belongs to each
internal sealed class ToolException(int exitCode, string message) : Exception(message)
#pragma warning restore CA1032
{
    public int ExitCode { get; } = exitCode;

    /// <summary>Lines that follow the message, such as what there is to choose from.</summary>
    public IReadOnlyList<string> Details { get; init; } = [];

    public static ToolException Usage(string message) => new(ExitCodes.Usage, message);
}
