using System.CommandLine;
using System.Globalization;
using NativeIpc.Inspection;
using NativeIpc.Tool.Objects;
using NativeIpc.Tool.Output;
using NativeIpc.Tool.Running;

namespace NativeIpc.Tool.Arguments;

/// <summary><c>--lock</c> and <c>--timeout</c>, for verbs that touch the bytes of a segment.</summary>
internal sealed class LockOptions
{
    /// <summary>How much longer than the wait a look at all processes may take, before this goes on without
    /// it.</summary>
    private static readonly TimeSpan s_longestLook = TimeSpan.FromSeconds(3);

    public Option<bool> Lock { get; } = new("--lock", "-L")
        { Description = "Meanwhile hold the lock that QSharedMemory::lock() takes" };

    public Option<TimeSpan?> Timeout { get; } =
        Values.Timeout("Longest wait for the lock (5, 500ms; default: for ever)");

    /// <summary>Takes the lock if it was asked for. Dispose gives it back.</summary>
    public SharedMemoryLock Take(ParseResult parsed, NamedObject named, SharedMemory segment)
    {
        if (!parsed.GetValue(Lock)) return default;

        // Before the lock is taken: a signal that ended this process at once would leave the lock taken.
        CancellationToken interrupted = Interruption.Token;
        TimeSpan timeout = parsed.GetValue(Timeout) ?? System.Threading.Timeout.InfiniteTimeSpan;
        if (segment.TryLock(out SharedMemoryLock scope)) return scope;
        Task<string?> look = Task.Run(() => WhyNobodyReleases(named, segment), CancellationToken.None);
        bool wasSaid = false;
        if (timeout != TimeSpan.Zero)
        {
            SharedMemoryLock? taken = WaitingNote.During(Describe, Wait, out string? said);
            if (taken is { } held) return held;
            wasSaid = said is not null && look is { IsCompletedSuccessfully: true } && said == look.Result;
        }

        string failure = string.Create(CultureInfo.InvariantCulture,
            $"The lock of {named.Name} was not free within {timeout.TotalSeconds} s.");
        if (!wasSaid) failure += $" {Hint()}";
        throw new ToolException(ExitCodes.Conflict, failure);

        SharedMemoryLock? Wait() => segment.TryLock(timeout, out SharedMemoryLock taken, interrupted) ? taken : null;

        string? Describe()
            => look.GetAwaiter().GetResult() is { } left ? left
                : WaitingNote.IsWanted
                ? WaitingNote.Describe($"the lock of {named.Name}", () => InspectLock(named)) : null;

        string Hint()
            => OperatingSystem.IsWindows() ? "Wait longer."
                : look.Wait(s_longestLook, interrupted) && look.Result is { } left ? left
                : $"'nipc show {ToolWords.ForShell(named.Name)}' says who holds it.";
    }

    /// <summary>Why the wait may be for ever: nobody has the lock open, and it is taken. A killed Qt or C program
    /// leaves it so, and so does one that means no lock. Null when that is not how it is, or not known.</summary>
    private static string? WhyNobodyReleases(NamedObject named, SharedMemory segment)
    {
        if (OperatingSystem.IsWindows()) return null;
        try
        {
            LockStatus status = segment.GetLockStatus();
            if (status.Holder != LockHolder.Unknown) return null;
            return named.Key.Type.IsSystemV ? WhyOfSet(named, status.ProcessId) : WhyOfFile(named);
        }
        catch (Exception failure) when (failure is NativeIpcException or PlatformNotSupportedException
            or ObjectDisposedException)
        {
            return null; // what goes wrong, the wait will say
        }
    }

    /// <summary>The kernel does not tell the users of a set, but its last operator: a living process may be the
    /// holder, and one without a number here as well.</summary>
    private static string? WhyOfSet(NamedObject named, int? last)
        => last is { } process && !Libc.HasProcess(process) && InspectLock(named) is { Value: 0 } found
            ? string.Create(CultureInfo.InvariantCulture,
                $"The lock of {named.Name} is taken, and the process that operated on it last, {process}, has ended: "
                    + $"killed, or it left it so on purpose. If no other one holds it, {Release(found)}")
            : null;

    /// <remarks>Race: between a look at a process and the look at the count others release the lock, take it and end.
    /// Safe because: a second look, after the count was 0 and nobody had it open, sees who has come since.</remarks>
    private static string? WhyOfFile(NamedObject named)
    {
        if (!IsLeft(InspectLock(named)) || InspectLock(named) is not { } found || !IsLeft(found)) return null;
        string taken = $"The lock of {named.Name} is taken, and no process is seen to have it open.";
        return found.IsEveryUserSeen
            ? $"{taken} Its holder was killed, or left it so on purpose: {Release(found)}"
            : $"{taken} It is unknown whether one that cannot be seen from here holds it.";

        static bool IsLeft(IpcObjectInfo? found)
            => found is { Value: 0 } && found.Attachments.All(user => user.ProcessId == Environment.ProcessId);
    }

    private static string Release(IpcObjectInfo found)
        => $"'nipc release {ToolWords.ForShell(found.Key.ToString())}' gives it back.";

    private static IpcObjectInfo? InspectLock(NamedObject named)
        => IpcObjects.Inspect(NativeIpcKeyRules.Current.LockKey(named.Key), IpcObjectKind.SystemSemaphore);
}
