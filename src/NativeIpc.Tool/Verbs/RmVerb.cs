using System.CommandLine;
using NativeIpc.Tool.Arguments;
using NativeIpc.Tool.Objects;
using NativeIpc.Tool.Output;

namespace NativeIpc.Tool.Verbs;

/// <summary>What became of one object.</summary>
internal sealed record RemovalOutcome(string Name, string Kind, string Outcome, IReadOnlyList<UserReport>? Users = null, string? Message = null);

/// <summary>What <c>rm --json</c> prints.</summary>
internal sealed record RemovalList(IReadOnlyList<RemovalOutcome> Outcomes);

/// <summary><c>nipc rm</c>: removes objects by key, or all that nobody uses.</summary>
internal static class RmVerb
{
    private static readonly Argument<string[]> s_keys = KeyArguments.Several();
    private static readonly Option<string?> s_type = KeyArguments.TypeOption();
    private static readonly Option<string?> s_kind = new Option<string?>("--kind", "-k") { HelpName = "shm|sem", Description = "Only a segment or only a semaphore (default: what is there; a segment goes with its lock)" }.AcceptOnlyFromAmong("shm", "sem");
    private static readonly Option<bool> s_force = new("--force", "-f") { Description = "Remove what is in use, too; its users go on, newcomers do not find it" };
    private static readonly Option<bool> s_stale = new("--stale") { Description = "Everything that no process uses (also what was left on purpose); shows it, and removes it with --yes only" };
    private static readonly Option<bool> s_yes = new("--yes", "-y") { Description = "With --stale: remove it" };
    private static readonly Option<bool> s_json = new("--json") { Description = "Print what became of each as JSON" };

    public static Command Command() => new Verb("rm", "Remove segments and semaphores. What is in use is refused (of System V semaphores, the kernel does not say who uses them).",
        "rm posix:/frames posix:/workers", "rm --kind sem systemv:/run/user/1000/workers", "rm --stale", "rm --stale --yes", "rm - < keys.txt")
    {
        s_keys, s_type, s_kind, s_force, s_stale, s_yes, s_json,
    }.Does(parsed =>
    {
        string[] texts = parsed.GetValue(s_keys) ?? [];
        bool stale = parsed.GetValue(s_stale);
        if (stale == (texts.Length > 0)) throw ToolException.Usage("Give keys, or --stale alone.");
        if (parsed.GetValue(s_yes) && !stale) throw ToolException.Usage("--yes belongs to --stale. Keys are removed without it.");
        if (OperatingSystem.IsWindows()) throw new ToolException(ExitCodes.Unsupported, "Windows removes an object with its last handle, and by nothing else: end the programs that have it open. 'nipc show KEY' counts the handles.");
        IEnumerable<(RemovalOutcome Outcome, int Code)> all = stale
            ? RemoveStale(KindOf(parsed), parsed.GetValue(s_yes))
            : KeyArguments.Words(texts).SelectMany(text => RemoveNamed(text, parsed.GetValue(s_type), KindOf(parsed), parsed.GetValue(s_force)));
        return Report(parsed, all, stale && !parsed.GetValue(s_yes));
    });

    private static IpcObjectKind? KindOf(ParseResult parsed) => parsed.GetValue(s_kind) is { } kind ? KeyOptions.ParseKind(kind) : null;

    /// <summary>Each is told as it is done; the exit code is that of the first one that failed.</summary>
    private static int Report(ParseResult parsed, IEnumerable<(RemovalOutcome Outcome, int Code)> all, bool isDryRun)
    {
        bool json = parsed.GetValue(s_json);
        List<RemovalOutcome> outcomes = [];
        int exitCode = ExitCodes.Ok;
        foreach ((RemovalOutcome outcome, int code) in all)
        {
            outcomes.Add(outcome);
            if (exitCode == ExitCodes.Ok) exitCode = code;
            if (code != ExitCodes.Ok) Failures.Say(outcome.Message ?? $"{outcome.Name}: {outcome.Outcome}");
            else if (!json) Console.Out.WriteLine($"{outcome.Outcome} {outcome.Kind} {PrintableText.Of(outcome.Name)}");
        }

        if (json) ToolJson.Print(new RemovalList(outcomes), ToolJson.Default.RemovalList);
        else if (isDryRun) Console.Error.WriteLine(outcomes.Count == 0 ? "Nothing is stale." : "Nothing was removed yet: --yes does.");
        return exitCode;
    }

    /// <summary>Removes what a word names. One that fits several objects ends the verb before anything else is removed.</summary>
    private static IEnumerable<(RemovalOutcome, int)> RemoveNamed(string text, string? type, IpcObjectKind? kind, bool force)
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

        if (missing is not null) yield return (new RemovalOutcome(text, KeyOptions.WordOf(kind ?? IpcObjectKind.SharedMemory), "not-found", Message: missing), ExitCodes.NotFound);
        foreach (NamedObject named in all)
        {
            if (named.Found is not { } found) yield return Remove(named.Key, kind, force);
            else if (!found.Key.IsValid) yield return RemoveListed(found, force);
            else if (found.Kind == IpcObjectKind.SharedMemory || all.Count == 1) yield return Remove(found.Key, found.Kind, force); // a segment goes with its lock
        }
    }

    /// <summary>Removes an object that was chosen in a live view, by the rules of this verb, and says what became of it.</summary>
    public static string RemoveChosen(IpcObjectInfo found)
    {
        if (OperatingSystem.IsWindows()) return "Windows removes an object with its last handle, and by nothing else.";
        (RemovalOutcome outcome, int code) = found.Key.IsValid ? Remove(found.Key, found.Kind, force: false) : RemoveListed(found, force: false);
        return code != ExitCodes.Ok && outcome.Message is { } message ? message : $"{outcome.Outcome} {outcome.Kind} {NamedObject.NameOf(found)}";
    }

    /// <summary>Removes an object of the list, whether or not a key leads to it, unless it is in use.</summary>
    private static (RemovalOutcome, int) RemoveListed(IpcObjectInfo found, bool force)
    {
        string name = NamedObject.NameOf(found);
        string word = KeyOptions.WordOf(found.Kind);
        try
        {
            if (!force && (found.IsInUse == true || found.AttachmentCount > 0))
                return (new RemovalOutcome(name, word, "in-use", UserReport.Of(found.Attachments), $"{name} is in use. End its users, or give --force."), ExitCodes.Conflict);
            return IpcObjects.Remove(found) ? (new RemovalOutcome(name, word, "removed"), ExitCodes.Ok)
                : (new RemovalOutcome(name, word, "not-found", Message: $"{name} is gone by now."), ExitCodes.NotFound);
        }
        catch (NativeIpcException failure)
        {
            return (new RemovalOutcome(name, word, "failed", Message: Failures.Describe(failure)), ExitCodes.For(failure.Error));
        }
    }

    private static (RemovalOutcome, int) Remove(in NativeIpcKey key, IpcObjectKind? asked, bool force)
    {
        IpcObjectKind kind = asked ?? IpcObjectKind.SharedMemory;
        try
        {
            IpcObjectInfo? found = Find(key, kind);
            if (found is null && asked is null)
            {
                kind = IpcObjectKind.SystemSemaphore;
                found = Find(key, kind);
            }

            if (found is null && !force && !CanTell(key))
            {
                return Failed(key, kind, "cannot-tell", ExitCodes.Unsupported, $"This system does not say whether {key} is in use. --force removes it all the same.");
            }

            if (!force && found is { AttachmentCount: > 0 })
            {
                string users = string.Join(", ", found.Attachments.Select(user => $"{user.ProcessId} ({user.ProcessName})"));
                return Failed(key, kind, "in-use", ExitCodes.Conflict,
                    $"{key} is in use{(users.Length > 0 ? $" by {users}" : $" ({found.AttachmentCount} attached, by processes that this user may not see)")}. End them, or give --force.", found.Attachments);
            }

            if (!force && found is { Type: NativeIpcKeyType.PosixRealtime, IsInUse: null })
                return RemoveIfTold(key, kind, found);

            if (!force && found is not null && IsUsedUnseen(found))
            {
                return Failed(key, kind, "in-use", ExitCodes.Conflict, $"{key} is in use by processes that are not seen from here (in another container), or is the lock of a segment that is. End them, or give --force.");
            }

            // Also what is half created, of which no look says much. Somebody who opens it at this moment keeps what was opened.
            bool removed = (asked ?? IpcObjectKind.SharedMemory) == IpcObjectKind.SharedMemory && SharedMemory.Remove(key);
            if (removed) kind = IpcObjectKind.SharedMemory;
            else if (asked != IpcObjectKind.SharedMemory && SystemSemaphore.Remove(key))
            {
                removed = true;
                kind = IpcObjectKind.SystemSemaphore;
            }

            return removed
                ? (new RemovalOutcome(key.ToString(), KeyOptions.WordOf(kind), "removed"), ExitCodes.Ok)
                : Failed(key, kind, "not-found", ExitCodes.NotFound, $"There is no {(asked is null ? "segment or semaphore" : KeyOptions.WordOf(kind))} {key}. 'nipc list' shows what is there.");
        }
        catch (NativeIpcException failure)
        {
            return Failed(key, kind, "failed", ExitCodes.For(failure.Error), Failures.Describe(failure));
        }
    }

    /// <summary>Where a look did not tell whether an object is in use: asks once more, for longer, and says what keeps
    /// it from being told.</summary>
    private static (RemovalOutcome, int) RemoveIfTold(in NativeIpcKey key, IpcObjectKind kind, IpcObjectInfo found)
    {
        try
        {
            return IpcObjects.TryRemoveUnused(found)
                ? (new RemovalOutcome(key.ToString(), KeyOptions.WordOf(kind), "removed"), ExitCodes.Ok)
                : Failed(key, kind, "in-use", ExitCodes.Conflict, $"{key} is in use. End its users, or give --force.");
        }
        catch (NativeIpcException failure) when (failure.Error == NativeIpcError.LockError)
        {
            string message = $"{failure.Message} --force removes it all the same.";
            return Failed(key, kind, "cannot-tell", ExitCodes.Unsupported, message);
        }
    }

    private static IpcObjectInfo? Find(in NativeIpcKey key, IpcObjectKind kind) => CanTell(key) ? IpcObjects.Inspect(key, kind) : null;

    private static bool CanTell(in NativeIpcKey key) => IpcObjects.CanEnumerate(key.Type) || !SharedMemory.IsKeyTypeSupported(key.Type);

    /// <summary>Of a POSIX object whose users are in another PID namespace, only the kernel says that there are some: it does not count as stale, and nothing kept that from being told.</summary>
    private static bool IsUsedUnseen(IpcObjectInfo found)
        => found is { Type: NativeIpcKeyType.PosixRealtime, AttachmentCount: 0, Unreadable.Count: 0 } && (found.Traits & IpcObjectTraits.Stale) == 0;

    private static (RemovalOutcome, int) Failed(in NativeIpcKey key, IpcObjectKind kind, string outcome, int code, string message, IReadOnlyList<IpcAttachment>? users = null)
        => (new RemovalOutcome(key.ToString(), KeyOptions.WordOf(kind), outcome, users is null ? null : UserReport.Of(users), message), code);

    private static IEnumerable<(RemovalOutcome, int)> RemoveStale(IpcObjectKind? kind, bool removes)
    {
        IpcSnapshot snapshot = IpcObjects.Enumerate(new IpcEnumerationOptions { Kind = kind });
        foreach (string note in snapshot.Notes) Failures.Say(note);
        foreach (IpcObjectInfo found in snapshot.Objects.Where(found => found.Traits.HasFlag(IpcObjectTraits.Stale)))
        {
            string name = found.Key.IsValid ? found.Key.ToString() : found.NativeName;
            string word = KeyOptions.WordOf(found.Kind);
            if (!removes)
            {
                yield return (new RemovalOutcome(name, word, "stale"), ExitCodes.Ok);
                continue;
            }

            yield return RemoveOne(found, name, word);
        }
    }

    private static (RemovalOutcome, int) RemoveOne(IpcObjectInfo found, string name, string word)
    {
        try
        {
            if (!IpcObjects.TryRemoveUnused(found)) return (new RemovalOutcome(name, word, "kept", Message: $"{name} is in use or gone by now."), ExitCodes.Ok);
            return (new RemovalOutcome(name, word, "removed"), ExitCodes.Ok);
        }
        catch (NativeIpcException failure)
            when (found.Type == NativeIpcKeyType.PosixRealtime && failure.Error == NativeIpcError.LockError)
        {
            return (new RemovalOutcome(name, word, "cannot-tell", Message: failure.Message), ExitCodes.Unsupported);
        }
        catch (NativeIpcException failure)
        {
            return (new RemovalOutcome(name, word, "failed", Message: Failures.Describe(failure)), ExitCodes.For(failure.Error));
        }
    }
}
