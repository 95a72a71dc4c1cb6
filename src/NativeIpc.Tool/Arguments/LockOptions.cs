using System.CommandLine;
using NativeIpc.Inspection;
using NativeIpc.Tool.Objects;
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
    public SharedMemoryLock Take(ParseResult parsed, NamedObject named, SharedMemory segment)
    {
        if (!parsed.GetValue(Lock)) return default;
        TimeSpan timeout = parsed.GetValue(Timeout) ?? System.Threading.Timeout.InfiniteTimeSpan;
        if (segment.TryLock(out SharedMemoryLock scope)) return scope;
        string? left = WhyNobodyReleases(named, segment);
        if (timeout != TimeSpan.Zero)
        {
            if (left is not null) Failures.Say(left);
            SharedMemoryLock? taken = left is not null ? Wait() : WaitingNote.During(
                () => WaitingNote.Describe($"the lock of {named.Name}", () => InspectLock(named)), Wait);
            if (taken is { } held) return held;
        }

        string hint = OperatingSystem.IsWindows() ? "Wait longer."
            : left ?? $"'nipc show {ToolWords.ForShell(named.Name)}' says who holds it.";
        throw new ToolException(ExitCodes.Conflict,
            $"The lock of {named.Name} was not free within {timeout.TotalSeconds} s. {hint}");

        SharedMemoryLock? Wait()
            => segment.TryLock(timeout, out SharedMemoryLock taken, Interruption.Token) ? taken : null;
    }

    /// <summary>Why the wait may be for ever: nobody has the lock open, and it is taken. A killed Qt or C program
    /// leaves it so, and so does one that means no lock. Null when that is not how it is, or not known.</summary>
    private static string? WhyNobodyReleases(NamedObject named, SharedMemory segment)
    {
        if (OperatingSystem.IsWindows()) return null;
        try
        {
            if (segment.GetLockStatus().Holder != LockHolder.Unknown) return null;
            return InspectLock(named) is { } found
                && found.Attachments.All(user => user.ProcessId == Environment.ProcessId)
                ? $"The lock of {named.Name} is taken, and no process is seen to have it open. Its holder was killed, "
                    + $"or left it so on purpose. 'nipc release {ToolWords.ForShell(found.Key.ToString())}' gives it "
                    + "back."
                : null;
        }
        catch (Exception failure) when (failure is NativeIpcException or PlatformNotSupportedException)
        {
            return null; // what goes wrong, the wait will say
        }
    }

    private static IpcObjectInfo? InspectLock(NamedObject named)
        => IpcObjects.Inspect(NativeIpcKeyRules.Current.LockKey(named.Key), IpcObjectKind.SystemSemaphore);
}
