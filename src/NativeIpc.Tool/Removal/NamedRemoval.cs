using NativeIpc.Inspection;
using NativeIpc.Tool.Arguments;
using NativeIpc.Tool.Objects;
using NativeIpc.Tool.Output;

namespace NativeIpc.Tool.Removal;

/// <summary>Removes what the user named: by a word, or by choosing it in a list.</summary>
internal static class NamedRemoval
{
    /// <summary>Removes what a word names. One that fits several objects ends the verb before anything else is
    /// removed.</summary>
    public static IEnumerable<RemovalResult> ByWord(string text, string? type, IpcObjectKind? kind, bool force)
    {
        IReadOnlyList<NamedObject> all;
        string? missing = null;
        try
        {
            all = NamedObjects.All(text, type, kind);
        }
        catch (ToolException none) when (none.ExitCode == ExitCodes.NotFound)
        {
            all = [];
            missing = none.Message;
        }

        if (missing is not null)
        {
            return [new(new RemovalOutcome(text, Refusals.WordOf(kind), "not-found", Message: missing),
                ExitCodes.NotFound)];
        }

        bool isWhole = kind is null && !force;
        if (isWhole && all.Count > 1 && WhyAllStay(
            [.. all.Select(named => named.Found).OfType<IpcObjectInfo>().SelectMany(NamedObject.Closely)]) is { } stays)
            return [stays];
        return all.SelectMany(named => named.Found is not { } found ? Remove(named.Key, kind, force, isWhole)
            : !found.Key.IsValid ? [RemoveListed(found, force)]
            // A segment goes with its lock
            : found.Kind == IpcObjectKind.SharedMemory || all.Count == 1
                ? Remove(found.Key, found.Kind, force, isWhole) : []);
    }

    /// <summary>Removes an object that was chosen in a live view, by the rules of <c>rm</c>, and says what became of
    /// it.</summary>
    public static string Chosen(IpcObjectInfo found)
    {
        if (OperatingSystem.IsWindows()) return "Windows removes an object with its last handle, and by nothing else.";
        RemovalResult[] all =
            [.. found.Key.IsValid ? Remove(found.Key, found.Kind, force: false, isWhole: false)
                : [RemoveListed(found, force: false)]];
        RemovalOutcome told = all.FirstOrDefault(one => one.ExitCode != ExitCodes.Ok).Outcome ?? all[0].Outcome;
        return told.Message ?? $"{told.Outcome} {told.Kind} {told.Name}";
    }

    /// <summary>An object of the list that no key leads to.</summary>
    private static RemovalResult RemoveListed(IpcObjectInfo listed, bool force)
    {
        if (NamedObject.HasNoName(listed))
            return new(RemovalOutcome.Of(listed, "not-found",
                $"{NamedObject.NameOf(listed)} has no name any more, so there is nothing to remove: it goes with the "
                    + "last process that has it open."), ExitCodes.NotFound);
        if ((listed.Traits & IpcObjectTraits.InSubfolder) != 0)
        {
            string path = NamedObject.NameOf(listed);
            return new(RemovalOutcome.Of(listed, "failed",
                $"{path} is a file in a folder of /dev/shm, and no object with a key: it goes with the program that "
                    + $"has made the folder. rm(1) removes it as any file, once nobody uses it: 'nipc "
                    + $"show {ToolWords.ForShell(path)}'."), ExitCodes.Unsupported);
        }

        try
        {
            if (force && IpcObjects.Remove(listed)) return new(RemovalOutcome.Of(listed, "removed"), ExitCodes.Ok);

            // Again, more closely: the list looks for no sign of life.
            if (!force && NamedObject.Closely(listed) is [var found, ..])
                return UnusedRemoval.Remove(found, isNamed: true);
            return new(RemovalOutcome.Of(listed, "not-found", $"{NamedObject.NameOf(listed)} is gone by now."),
                ExitCodes.NotFound);
        }
        catch (NativeIpcException failure)
        {
            return new(RemovalOutcome.Of(listed, "failed", Failures.Describe(failure, NamedObject.NameOf(listed))),
                ExitCodes.For(failure.Error));
        }
    }

    /// <summary>What was asked for by its key: the segment with its lock, or the semaphore.</summary>
    /// <param name="key">The key.</param>
    /// <param name="asked">Which; null for what is there.</param>
    /// <param name="force">Also what is in use.</param>
    /// <param name="isWhole">Whether a segment stays when its lock has to stay.</param>
    private static IEnumerable<RemovalResult> Remove(NativeIpcKey key, IpcObjectKind? asked, bool force, bool isWhole)
    {
        IpcObjectKind kind = asked ?? IpcObjectKind.SharedMemory;
        IpcObjectInfo? found;
        RemovalResult? failed = null;
        try
        {
            found = RemovalLook.Find(key, kind);
            if (found is null && asked is null)
                found = RemovalLook.Find(key, IpcObjectKind.SystemSemaphore) ?? FindEvent(key);
        }
        catch (NativeIpcException failure)
        {
            found = null;
            failed = Refusals.Failed(key, asked, failure);
        }

        if (failed is { } told) return [told];
        if (!force && found is not null) return RemoveFound(key, found, isWhole);
        if (!force && !RemovalLook.CanTell(key))
            return [Refusals.Failed(key, asked, "cannot-tell", ExitCodes.Unsupported,
                $"This system does not say whether {key} is in use. --force removes it all the same.")];
        return [RemoveByKey(key, asked)];
    }

    private static bool CanBeEvent(in NativeIpcKey key)
        => SystemEvent.IsKeyTypeSupported(key.Type)
            && NativeIpcKeyRules.Current.FindViolation(key, IpcObjectKind.SystemEvent) is null;

    private static IpcObjectInfo? FindEvent(in NativeIpcKey key)
        => CanBeEvent(key) ? RemovalLook.Find(key, IpcObjectKind.SystemEvent) : null;

    /// <summary>Whatever has the key, and whoever uses it. Without --force it is what no look finds: a key file without
    /// an object.</summary>
    private static RemovalResult RemoveByKey(in NativeIpcKey key, IpcObjectKind? asked)
    {
        try
        {
            if ((asked is null or IpcObjectKind.SharedMemory) && SharedMemory.Remove(key))
                return new(Refusals.Of(key, IpcObjectKind.SharedMemory, "removed"), ExitCodes.Ok);
            if ((asked is null or IpcObjectKind.SystemSemaphore) && SystemSemaphore.Remove(key))
                return new(Refusals.Of(key, IpcObjectKind.SystemSemaphore, "removed"), ExitCodes.Ok);
            if ((asked == IpcObjectKind.SystemEvent || (asked is null && CanBeEvent(key))) && SystemEvent.Remove(key))
                return new(Refusals.Of(key, IpcObjectKind.SystemEvent, "removed"), ExitCodes.Ok);
            return Refusals.Failed(key, asked, "not-found", ExitCodes.NotFound,
                $"There is no {Refusals.WordOf(asked) ?? "segment, semaphore or event"} {key}. 'nipc list' "
                    + "shows what is there.");
        }
        catch (NativeIpcException failure)
        {
            return Refusals.Failed(key, asked, failure);
        }
    }

    /// <summary>An object that was found, unless somebody uses it or that cannot be told; after a segment its
    /// lock.</summary>
    private static IEnumerable<RemovalResult> RemoveFound(NativeIpcKey key, IpcObjectInfo found, bool isWhole)
    {
        if (isWhole && found.Kind == IpcObjectKind.SharedMemory
            && WhyAllStay([found, .. RemovalLook.LocksOf(key)]) is { } stays)
        {
            yield return stays;
            yield break;
        }

        RemovalResult first = UnusedRemoval.Remove(found, isNamed: true);
        yield return first;
        if (first.ExitCode != ExitCodes.Ok || found.Kind != IpcObjectKind.SharedMemory) yield break;
        foreach (IpcObjectInfo itsLock in RemovalLook.LocksOf(key))
        {
            // It goes silently; if it stays, that is reported.
            RemovalResult second = UnusedRemoval.Remove(itsLock, isNamed: true);
            if (second.ExitCode != ExitCodes.Ok) yield return second;
        }
    }

    /// <summary>Why none of the objects of one name goes: one of them is in use, or that cannot be told. Null when all
    /// may go.</summary>
    private static RemovalResult? WhyAllStay(IReadOnlyList<IpcObjectInfo> all)
    {
        if (all.Count < 2) return null;
        foreach (IpcObjectInfo found in all)
        {
            RemovalResult? stays = null;
            try
            {
                string? reason = null;
                bool? isInUse = found.IsInUse == true ? true : IpcObjects.AskInUse(found, out reason);
                if (isInUse == true) stays = Refusals.InUse(found, reason, isNamed: true);
                else if (isInUse is null && !RemovalLook.ShowsNoLife(found))
                    stays = Refusals.CannotTell(found, reason, isNamed: true);
            }
            catch (NativeIpcException failure)
            {
                stays = new(RemovalOutcome.Of(found, "failed", Failures.Describe(failure)),
                    ExitCodes.For(failure.Error));
            }

            if (stays is not { } told) continue;
            string kind = KeyOptions.WordOf(found.Kind == IpcObjectKind.SharedMemory
                ? IpcObjectKind.SystemSemaphore : IpcObjectKind.SharedMemory);
            return new(told.Outcome with
            {
                Message = $"{told.Outcome.Message} Nothing was removed, since the name has a segment and a semaphore: "
                    + $"'--kind {kind}' removes the other one alone.",
            }, told.ExitCode);
        }

        return null;
    }
}
