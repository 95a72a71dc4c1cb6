using System.CommandLine;
using NativeIpc.Tool.Output;

namespace NativeIpc.Tool.Arguments;

/// <summary><c>--lock</c> and <c>--timeout</c>, for verbs that touch the bytes of a segment.</summary>
internal sealed class LockOptions
{
    public Option<bool> Lock { get; } = new("--lock", "-L")
        { Description = "Meanwhile hold the lock that QSharedMemory::lock() takes" };

    public Option<TimeSpan?> Timeout { get; } =
        Values.Timeout("Longest wait for the lock (5, 500ms; default: for ever)");

    /// <summary>Takes the lock if it was asked for. Dispose gives it back.</summary>
    public SharedMemoryLock Take(ParseResult parsed, SharedMemory segment)
    {
        if (!parsed.GetValue(Lock)) return default;
        TimeSpan timeout = parsed.GetValue(Timeout) ?? System.Threading.Timeout.InfiniteTimeSpan;
        return segment.TryLock(timeout, out SharedMemoryLock scope, Interruption.Token)
            ? scope
            : throw new ToolException(ExitCodes.Conflict,
                $"The lock of {segment.Key} was not free within {timeout.TotalSeconds} s. "
                    + (OperatingSystem.IsWindows() ? "Wait longer."
                        : $"'nipc show {ToolWords.ForShell(segment.Key.ToString())}' says who holds it."));
    }
}
