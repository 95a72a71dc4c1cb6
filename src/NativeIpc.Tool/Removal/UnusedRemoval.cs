using NativeIpc.Inspection;

namespace NativeIpc.Tool.Removal;

/// <summary>Removes an object that nobody uses.</summary>
internal static class UnusedRemoval
{
    /// <summary>One object, unless somebody uses it or that cannot be told.</summary>
    /// <param name="found">The object.</param>
    /// <param name="isNamed">Whether the user named it. The kernel counts no users of a System V semaphore, so one that
    /// was named goes unless it shows a sign of life; the outcome says what is known of it.</param>
    public static RemovalResult Remove(IpcObjectInfo found, bool isNamed)
    {
        RemovalOutcome of = RemovalOutcome.Of(found, "");
        string name = of.Name;
        try
        {
            string? reason = null;
            IReadOnlyList<string>? evidence = null;
            IpcRemovalOutcome outcome = found.IsInUse == true
                ? IpcRemovalOutcome.InUse : IpcObjects.RemoveUnused(found, out reason);
            if (outcome == IpcRemovalOutcome.CannotTell && isNamed)
            {
                // R1 Race: somebody has used it, or has ended, since it was found. Safe because: it is looked at anew.
                IpcObjectInfo? now = RemovalLook.Anew(found);
                if (now is null)
                {
                    outcome = IpcRemovalOutcome.Gone;
                }
                else if (RemovalLook.ShowsNoLife(now))
                {
                    outcome = IpcObjects.Remove(now) ? IpcRemovalOutcome.Removed : IpcRemovalOutcome.Gone;
                    evidence = [RemovalLook.NoLife, .. RemovalLook.EvidenceOf(now) ?? []];
                }
            }

            return outcome switch
            {
                IpcRemovalOutcome.Removed => new(of with { Outcome = "removed", Evidence = evidence }, ExitCodes.Ok),
                IpcRemovalOutcome.InUse when isNamed => Refusals.InUse(found, reason, isNamed),
                IpcRemovalOutcome.CannotTell => Refusals.CannotTell(found, reason, isNamed),
                _ when isNamed => new(of with { Outcome = "not-found",
                    Message = $"{name} is gone, or another object by now. 'nipc list' shows what is there." },
                    ExitCodes.NotFound),
                _ => new(of with { Outcome = "kept", Message = $"{name} is in use or gone by now." }, ExitCodes.Ok),
            };
        }
        catch (NativeIpcException failure)
        {
            return new(of with { Outcome = "failed", Message = Failures.Describe(failure, name) },
                ExitCodes.For(failure.Error));
        }
    }
}
