using System.CommandLine;
using NativeIpc.Inspection;
using NativeIpc.Tool.Arguments;
using NativeIpc.Tool.Objects;
using NativeIpc.Tool.Output;
using NativeIpc.Tool.Running;

namespace NativeIpc.Tool.Verbs;

/// <summary><c>nipc rm</c>: removes objects by key; or what was left behind; or what nobody has open.</summary>
internal static class RmVerb
{
    private const string Orphaned = "orphaned";
    private const string Unused = "unused";

    private static readonly Argument<string[]> s_keys = KeyArguments.Several();
    private static readonly Option<string?> s_type = KeyArguments.TypeOption();
    private static readonly Option<string?> s_kind = new Option<string?>("--kind", "-k") { HelpName = "shm|sem",
        Description =
            "Only a segment or only a semaphore (default: what is there; a segment goes with its lock)" }
        .AcceptOnlyFromAmong("shm", "sem");
    private static readonly Option<bool> s_force = new("--force", "-f")
        { Description = "Remove what is in use, too; its users go on, newcomers do not find it" };
    private static readonly Option<bool> s_orphaned = new("--orphaned")
        { Description = "What dead processes had to remove, and nobody has open" };
    private static readonly Option<bool> s_unused = new("--unused")
        { Description = "All that nobody has open now: somebody may come back to it" };
    private static readonly Option<bool> s_stale = new("--stale") { Description = "The old word for --orphaned",
        Hidden = true };
    private static readonly Option<string[]> s_folders = new("--folder", "-d") { HelpName = "DIR",
        Description = "With --orphaned or --unused: look for key files in DIR, too" };
    private static readonly Option<bool> s_yes = new("--yes", "-y")
        { Description = "With --orphaned or --unused: remove what they list" };
    private static readonly Option<bool> s_glob =
        ObjectArgument.GlobOption("KEY is a pattern of names (*, ?); it shows them first");
    private static readonly Option<bool> s_dryRun = new("--dry-run", "-n") { Description = "With --glob: show only" };
    private static readonly Option<bool> s_json = new("--json") { Description = "Print what became of each as JSON" };

    public static System.CommandLine.Command Command() => new Verb("rm",
        "Remove segments and semaphores. What is in use is refused, and what may be without saying so.",
        "rm posix:/frames posix:/workers", "rm --kind sem systemv:/run/user/1000/workers", "rm --orphaned --yes",
        "rm -g 'posix:/a*'")
    {
        s_keys, s_type, s_kind, s_force, s_orphaned, s_unused, s_stale, s_folders, s_glob, s_dryRun, s_yes, s_json,
    }.Refuses(s_folders, parsed => ObjectFilter.HasNoKeyFiles(parsed.GetValue(s_type)),
        ObjectFilter.NoKeyFiles).Does(parsed =>
    {
        string[] texts = parsed.GetValue(s_keys) ?? [];
        bool isOrphaned = parsed.GetValue(s_orphaned) || parsed.GetValue(s_stale), isUnused = parsed.GetValue(s_unused);
        int chosen = (texts.Length > 0 ? 1 : 0) + (isOrphaned ? 1 : 0) + (isUnused ? 1 : 0);
        if (chosen != 1) throw ToolException.Usage("Give keys, or --orphaned alone, or --unused alone.");
        bool isGlob = parsed.GetValue(s_glob);
        if (isGlob && texts.Length == 0)
            throw ToolException.Usage("--glob takes patterns: nipc rm --glob 'posix:/a*'.");
        if (isGlob && parsed.GetValue(s_force))
            throw ToolException.Usage("--force belongs to keys: --glob removes nothing that is in use.");
        if (parsed.GetValue(s_dryRun) && (!isGlob || parsed.GetValue(s_yes)))
            throw ToolException.Usage(
                "--dry-run belongs to --glob, and not to --yes. --orphaned and --unused show first anyway.");
        if (parsed.GetValue(s_yes) && texts.Length > 0 && !isGlob)
            throw ToolException.Usage("--yes belongs to --orphaned, --unused and --glob. Keys are removed without it.");
        if (parsed.GetValue(s_folders) is { Length: > 0 } && texts.Length > 0)
            throw ToolException.Usage("--folder belongs to --orphaned and --unused. A key names its file.");
        if (parsed.GetValue(s_force) && texts.Length == 0)
            throw ToolException.Usage(
                "--force belongs to keys: --orphaned and --unused remove nothing that is in use.");
        if (OperatingSystem.IsWindows())
            throw new ToolException(ExitCodes.Unsupported,
                "Windows removes an object with its last handle, and by nothing else: end the programs that have it "
                    + "open. 'nipc show KEY' counts the handles.");
        if (isGlob) return RemoveMatching(parsed, [.. KeyArguments.Words(texts)]);
        if (texts.Length > 0)
            return Report(parsed, KeyArguments.Words(texts).SelectMany(
                text => RemoveNamed(text, parsed.GetValue(s_type), KindOf(parsed), parsed.GetValue(s_force))));
        if (parsed.GetValue(s_stale))
            Failures.Say("--stale is the old word for --orphaned, and means the same. What is only unused takes its "
                + "key, or --unused.");
        return RemoveAll(parsed, isOrphaned ? Orphaned : Unused);
    });

    private static IpcObjectKind? KindOf(ParseResult parsed)
        => parsed.GetValue(s_kind) is { } kind ? KeyOptions.ParseKind(kind) : null;

    /// <summary>Each is told as it is done; the exit code is that of the first one that failed.</summary>
    private static int Report(ParseResult parsed, IEnumerable<(RemovalOutcome Outcome, int Code)> all)
    {
        bool json = parsed.GetValue(s_json);
        List<RemovalOutcome> outcomes = [];
        int exitCode = ExitCodes.Ok;
        foreach ((RemovalOutcome outcome, int code) in all)
        {
            outcomes.Add(outcome);
            if (exitCode == ExitCodes.Ok) exitCode = code;
            if (code != ExitCodes.Ok) Failures.Say(outcome.Message ?? $"{outcome.Name}: {outcome.Outcome}");
            else if (!json) Print(outcome);
        }

        if (json) ToolJson.Print(new RemovalList(outcomes), ToolJson.Default.RemovalList);
        return exitCode;
    }

    private static void Print(RemovalOutcome outcome)
    {
        Console.Out.WriteLine($"{outcome.Outcome} {outcome.Kind} {PrintableText.Of(outcome.Name)}");
        if (outcome.Users is { } users)
            Console.Out.WriteLine(
                "    In use by "
                    + $"{string.Join(", ", users.Select(user => $"{user.Pid} ({PrintableText.Of(user.Name)})"))}.");
        foreach (string evidence in outcome.Evidence ?? []) Console.Out.WriteLine($"    {PrintableText.Of(evidence)}");
    }

    /// <summary>Removes what a word names. One that fits several objects ends the verb before anything else is
    /// removed.</summary>
    private static IEnumerable<(RemovalOutcome, int)> RemoveNamed(string text, string? type,
        IpcObjectKind? kind, bool force)
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
            return [(new RemovalOutcome(text, WordOf(kind), "not-found", Message: missing), ExitCodes.NotFound)];
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

    private static string? WordOf(IpcObjectKind? kind) => kind is { } known ? KeyOptions.WordOf(known) : null;

    /// <summary>Why none of the objects of one name goes: one of them is in use, or that cannot be told. Null when all
    /// may go.</summary>
    private static (RemovalOutcome, int)? WhyAllStay(IReadOnlyList<IpcObjectInfo> all)
    {
        if (all.Count < 2) return null;
        foreach (IpcObjectInfo found in all)
        {
            (RemovalOutcome Outcome, int Code)? stays = null;
            try
            {
                string? reason = null;
                bool? isInUse = found.IsInUse == true ? true : IpcObjects.AskInUse(found, out reason);
                if (isInUse == true) stays = InUse(found, reason, isNamed: true);
                else if (isInUse is null && !ShowsNoLife(found)) stays = CannotTell(found, reason, isNamed: true);
            }
            catch (NativeIpcException failure)
            {
                stays = (RemovalOutcome.Of(found, "failed", Failures.Describe(failure)), ExitCodes.For(failure.Error));
            }

            if (stays is not { } told) continue;
            string kind = KeyOptions.WordOf(found.Kind == IpcObjectKind.SharedMemory
                ? IpcObjectKind.SystemSemaphore : IpcObjectKind.SharedMemory);
            return (told.Outcome with { Message = $"{told.Outcome.Message} Nothing was removed, since the name has a "
                + $"segment and a semaphore: '--kind {kind}' removes the other one alone." }, told.Code);
        }

        return null;
    }

    /// <summary>Removes an object that was chosen in a live view, by the rules of this verb, and says what became of
    /// it.</summary>
    public static string RemoveChosen(IpcObjectInfo found)
    {
        if (OperatingSystem.IsWindows()) return "Windows removes an object with its last handle, and by nothing else.";
        (RemovalOutcome Outcome, int Code)[] all =
            [.. found.Key.IsValid ? Remove(found.Key, found.Kind, force: false, isWhole: false)
                : [RemoveListed(found, force: false)]];
        RemovalOutcome told = all.FirstOrDefault(one => one.Code != ExitCodes.Ok).Outcome ?? all[0].Outcome;
        return told.Message ?? $"{told.Outcome} {told.Kind} {told.Name}";
    }

    /// <summary>An object of the list that no key leads to.</summary>
    private static (RemovalOutcome, int) RemoveListed(IpcObjectInfo listed, bool force)
    {
        if (NamedObject.HasNoName(listed))
            return (RemovalOutcome.Of(listed, "not-found",
                $"{NamedObject.NameOf(listed)} has no name any more, so there is nothing to remove: it goes with the "
                    + "last process that has it open."), ExitCodes.NotFound);
        if ((listed.Traits & IpcObjectTraits.InSubfolder) != 0)
        {
            string path = NamedObject.NameOf(listed);
            return (RemovalOutcome.Of(listed, "failed",
                $"{path} is a file in a folder of /dev/shm, and no object with a key: it goes with the program that "
                    + $"has made the folder. rm(1) removes it as any file, once nobody uses it: 'nipc "
                    + $"show {ToolWords.ForShell(path)}'."), ExitCodes.Unsupported);
        }

        try
        {
            if (force && IpcObjects.Remove(listed)) return (RemovalOutcome.Of(listed, "removed"), ExitCodes.Ok);

            // Again, more closely: the list looks for no sign of life.
            if (!force && NamedObject.Closely(listed) is [var found, ..]) return RemoveOne(found, isNamed: true);
            return (RemovalOutcome.Of(listed, "not-found", $"{NamedObject.NameOf(listed)} is gone by now."),
                ExitCodes.NotFound);
        }
        catch (NativeIpcException failure)
        {
            return (RemovalOutcome.Of(listed, "failed", Failures.Describe(failure, NamedObject.NameOf(listed))),
                ExitCodes.For(failure.Error));
        }
    }

    /// <summary>What was asked for by its key: the segment with its lock, or the semaphore.</summary>
    /// <param name="key">The key.</param>
    /// <param name="asked">Which; null for what is there.</param>
    /// <param name="force">Also what is in use.</param>
    /// <param name="isWhole">Whether a segment stays when its lock has to stay.</param>
    private static IEnumerable<(RemovalOutcome, int)> Remove(NativeIpcKey key, IpcObjectKind? asked, bool force,
        bool isWhole)
    {
        IpcObjectKind kind = asked ?? IpcObjectKind.SharedMemory;
        IpcObjectInfo? found;
        (RemovalOutcome, int)? failed = null;
        try
        {
            found = Find(key, kind);
            if (found is null && asked is null)
            {
                kind = IpcObjectKind.SystemSemaphore;
                found = Find(key, kind);
            }
        }
        catch (NativeIpcException failure)
        {
            found = null;
            failed = Failed(key, asked, failure);
        }

        if (failed is { } told) return [told];
        if (!force && found is not null) return RemoveFound(key, found, isWhole);
        if (!force && !CanTell(key))
            return [Failed(key, asked, "cannot-tell", ExitCodes.Unsupported,
                $"This system does not say whether {key} is in use. --force removes it all the same.")];
        return [RemoveByKey(key, asked)];
    }

    /// <summary>Whatever has the key, and whoever uses it. Without --force it is what no look finds: a key file without
    /// an object.</summary>
    private static (RemovalOutcome, int) RemoveByKey(in NativeIpcKey key, IpcObjectKind? asked)
    {
        try
        {
            if (asked != IpcObjectKind.SystemSemaphore && SharedMemory.Remove(key))
                return (Of(key, IpcObjectKind.SharedMemory, "removed"), ExitCodes.Ok);
            if (asked != IpcObjectKind.SharedMemory && SystemSemaphore.Remove(key))
                return (Of(key, IpcObjectKind.SystemSemaphore, "removed"), ExitCodes.Ok);
            return Failed(key, asked, "not-found", ExitCodes.NotFound,
                $"There is no {WordOf(asked) ?? "segment or semaphore"} {key}. 'nipc list' "
                    + $"shows what is there.");
        }
        catch (NativeIpcException failure)
        {
            return Failed(key, asked, failure);
        }
    }

    /// <summary>An object that was found, unless somebody uses it or that cannot be told; after a segment its
    /// lock.</summary>
    private static IEnumerable<(RemovalOutcome, int)> RemoveFound(NativeIpcKey key, IpcObjectInfo found, bool isWhole)
    {
        if (isWhole && found.Kind == IpcObjectKind.SharedMemory && WhyAllStay([found, .. LocksOf(key)]) is { } stays)
        {
            yield return stays;
            yield break;
        }

        (RemovalOutcome Outcome, int Code) first = RemoveOne(found, isNamed: true);
        yield return first;
        if (first.Code != ExitCodes.Ok || found.Kind != IpcObjectKind.SharedMemory) yield break;
        foreach (IpcObjectInfo itsLock in LocksOf(key))
        {
            // It goes silently; that it stays is told.
            (RemovalOutcome Outcome, int Code) second = RemoveOne(itsLock, isNamed: true);
            if (second.Code != ExitCodes.Ok) yield return second;
        }
    }

    private static IEnumerable<IpcObjectInfo> LocksOf(NativeIpcKey key)
    {
        NativeIpcKeyRules rules = NativeIpcKeyRules.Current;
        NativeIpcKey[] locks = [rules.LockKey(key), rules.LockKey(new NativeIpcKey(key.NativeKey, key.Type))];
        return locks.Distinct().Where(one => rules.FindViolation(one, IpcObjectKind.SystemSemaphore) is null)
            .Select(one => Find(one, IpcObjectKind.SystemSemaphore)).OfType<IpcObjectInfo>();
    }

    private static (RemovalOutcome, int) InUse(IpcObjectInfo found, string? reason, bool isNamed)
    {
        RemovalOutcome of = RemovalOutcome.Of(found, "in-use");
        string force = !isNamed ? "" : $" {WhyNotForced(found) ?? "End its users, or give --force."}";
        return (of with { Users = UserReport.Of(found.Attachments),
            Message = $"{of.Name} is in use{UsersOf(found, reason)}.{force}" }, ExitCodes.Conflict);
    }

    private static (RemovalOutcome, int) CannotTell(IpcObjectInfo found, string? reason, bool isNamed)
    {
        RemovalOutcome of = RemovalOutcome.Of(found, "cannot-tell");
        string force = !isNamed ? "" : $" {WhyNotForced(found) ?? "--force removes it all the same."}";
        return (of with { Message = $"Whether {of.Name} is in use cannot be told: {reason?.TrimEnd('.')}.{force}" },
            ExitCodes.Unsupported);
    }

    /// <summary>One object, unless somebody uses it or that cannot be told.</summary>
    /// <param name="found">The object.</param>
    /// <param name="isNamed">Whether the user named it. The kernel counts no users of a System V semaphore, so one that
    /// was named goes unless it shows a sign of life; what is known of it is told.</param>
    private static (RemovalOutcome, int) RemoveOne(IpcObjectInfo found, bool isNamed)
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
                IpcObjectInfo? now = Anew(found);
                if (now is null)
                {
                    outcome = IpcRemovalOutcome.Gone;
                }
                else if (ShowsNoLife(now))
                {
                    outcome = IpcObjects.Remove(now) ? IpcRemovalOutcome.Removed : IpcRemovalOutcome.Gone;
                    evidence = [NoLife, .. EvidenceOf(now) ?? []];
                }
            }

            return outcome switch
            {
                IpcRemovalOutcome.Removed => (of with { Outcome = "removed", Evidence = evidence }, ExitCodes.Ok),
                IpcRemovalOutcome.InUse when isNamed => InUse(found, reason, isNamed),
                IpcRemovalOutcome.CannotTell => CannotTell(found, reason, isNamed),
                _ when isNamed => (of with { Outcome = "not-found",
                    Message = $"{name} is gone, or another object by now. 'nipc list' shows what is there." },
                    ExitCodes.NotFound),
                _ => (of with { Outcome = "kept", Message = $"{name} is in use or gone by now." }, ExitCodes.Ok),
            };
        }
        catch (NativeIpcException failure)
        {
            return (of with { Outcome = "failed", Message = Failures.Describe(failure, name) },
                ExitCodes.For(failure.Error));
        }
    }

    /// <summary>The same object as it is now; null when it is gone.</summary>
    private static IpcObjectInfo? Anew(IpcObjectInfo found)
        => !found.Key.IsValid ? NamedObject.Closely(found) is [var listed, ..] ? listed : null
            : Find(found.Key, found.Kind) is { } now && now.SystemVId == found.SystemVId
                && now.NativeName == found.NativeName ? now : null;

    /// <summary>Why --force would not remove it, in a sentence; null where it does, as far as can be told
    /// before.</summary>
    private static string? WhyNotForced(IpcObjectInfo found)
    {
        if (OperatingSystem.IsWindows()) return null;
        if (OperatingSystem.IsLinux() && found.Type == NativeIpcKeyType.PosixRealtime)
        {
            if (Libc.IsReadOnly("/dev/shm")) return "/dev/shm is mounted read-only here, so nothing can be removed.";
            const UnixFileMode others = UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;
            if ((File.GetUnixFileMode("/dev/shm") & (others | UnixFileMode.StickyBit)) == others) return null;
        }

        uint user = Libc.geteuid();
        return user == 0 || found.OwnerId is not { } owner || owner == user || found.CreatorId == user ? null
            : $"Only its owner{(found.CreatorId is null ? "" : ", its creator")} and root may remove it.";
    }

    private const string NoLife =
        "Nobody waits for it, and who operated on it last has ended. The kernel does not count its other users.";

    private static IReadOnlyList<string>? EvidenceOf(IpcObjectInfo found)
        => found.Signs.Count == 0 ? null : [.. found.Signs.Select(sign => sign.Text)];

    /// <summary>Whether nothing says that a System V semaphore is in use: nobody waits, and who used it last has
    /// ended.</summary>
    private static bool ShowsNoLife(IpcObjectInfo found)
        => found is { Kind: IpcObjectKind.SystemSemaphore, SystemVId: not null, Value: not null }
            && !found.Signs.Any(sign => sign.Kind is IpcSignKind.Waiting or IpcSignKind.LastProcess);

    private static string UsersOf(IpcObjectInfo found, string? reason)
    {
        if (found.Attachments.Count > 0)
            return " by "
                + string.Join(", ", found.Attachments.Select(user => $"{user.ProcessId} ({user.ProcessName})"));
        if (found.AttachmentCount > 0)
            return $" ({found.AttachmentCount} attached, by processes that this user may not see)";
        reason ??= found.Signs.FirstOrDefault(sign => sign.Kind == IpcSignKind.Waiting)?.Text;
        return reason is null
            ? " by processes that are not seen from here (in another container), or is the lock of a segment that is"
            : $": {reason.TrimEnd('.')}";
    }

    private static IpcObjectInfo? Find(in NativeIpcKey key, IpcObjectKind kind)
        => CanTell(key) ? IpcObjects.Inspect(key, kind) : null;

    private static bool CanTell(in NativeIpcKey key)
        => IpcObjects.CanEnumerate(key.Type) || !SharedMemory.IsKeyTypeSupported(key.Type);

    private static (RemovalOutcome, int) Failed(in NativeIpcKey key, IpcObjectKind? kind, string outcome, int code,
        string message)
        => (Of(key, kind, outcome) with { Message = message }, code);

    private static RemovalOutcome Of(in NativeIpcKey key, IpcObjectKind? kind, string outcome)
        => new(key.ToString(), WordOf(kind), outcome) { Key = key };

    private static (RemovalOutcome, int) Failed(in NativeIpcKey key, IpcObjectKind? kind, NativeIpcException failure)
        => Failed(key, kind, "failed", ExitCodes.For(failure.Error), Failures.Describe(failure));

    /// <summary>Everything that is orphaned or unused: first the list, with what speaks for its still being needed. It
    /// is removed when --yes was given, or the user says so on a terminal; else it is only a list.</summary>
    private static int RemoveAll(ParseResult parsed, string word)
    {
        bool isOrphaned = word == Orphaned;
        IpcObjectTraits trait = isOrphaned ? IpcObjectTraits.Orphaned : IpcObjectTraits.Unused;
        IpcSnapshot snapshot = IpcObjects.Enumerate(new IpcEnumerationOptions
        {
            Kind = KindOf(parsed), Type = parsed.GetValue(s_type) is { } type ? KeyArguments.ParseType(type) : null,
            FindOrphaned = isOrphaned, FindUnused = !isOrphaned, FindSigns = true,
            KeyFileFolders = ObjectFilter.Existing(parsed.GetValue(s_folders)),
        });
        foreach (string note in snapshot.Notes) Failures.Say(note);
        IpcObjectInfo[] listed = Removable([.. snapshot.Objects.Where(found => found.Traits.HasFlag(trait))]);
        bool removes = parsed.GetValue(s_yes);
        if (!removes)
        {
            Report(parsed,
                listed.Select(
                    found => (RemovalOutcome.Of(found, word) with { Evidence = EvidenceOf(found) }, ExitCodes.Ok)));
            if (parsed.GetValue(s_json)) return ExitCodes.Ok;
            if (listed.Length > 0 && Terminal.IsInteractive && !Console.IsInputRedirected)
                removes = Asks(listed.Length);
            if (!removes)
                Console.Error.WriteLine(listed.Length == 0
                    ? $"Nothing is {word}." : "Nothing was removed yet: --yes does.");
        }

        return removes ? Report(parsed, listed.Select(found => RemoveOne(found, isNamed: false))) : ExitCodes.Ok;
    }

    /// <summary>Everything whose name fits a pattern: first the list. It is removed when --yes was given, or the user
    /// says so on a terminal; what is in use stays, as when it is named.</summary>
    private static int RemoveMatching(ParseResult parsed, string[] patterns)
    {
        IpcSnapshot snapshot = IpcObjects.Enumerate(new IpcEnumerationOptions
        {
            Kind = KindOf(parsed), Type = parsed.GetValue(s_type) is { } type
                ? KeyArguments.ParseType(type) : null, FindSigns = true,
        });
        foreach (string note in snapshot.Notes) Failures.Say(note);
        IpcObjectInfo[] listed = Removable(NamedObjects.Matching(patterns, parsed.GetValue(s_type), snapshot.Objects));
        if (!parsed.GetValue(s_yes))
        {
            Report(parsed,
                listed.Select(
                    found =>
                        (RemovalOutcome.Of(found, "matches") with { Users = UserReport.Of(found.Attachments),
                            Evidence = EvidenceOf(found) }, ExitCodes.Ok)));
            if (parsed.GetValue(s_dryRun)) return ExitCodes.Ok;
            if (parsed.GetValue(s_json) || !Terminal.IsInteractive || Console.IsInputRedirected || !Asks(listed.Length))
            {
                Console.Error.WriteLine("Nothing was removed yet: --yes does.");
                return ExitCodes.Ok;
            }
        }

        return Report(parsed, listed.Select(found => RemoveOne(found, isNamed: true)));
    }

    /// <summary>Without the files in folders, which go with the programs that have made these; says how many there
    /// are.</summary>
    private static IpcObjectInfo[] Removable(IReadOnlyList<IpcObjectInfo> objects)
    {
        IpcObjectInfo[] removable = [.. objects.Where(
            found => (found.Traits & IpcObjectTraits.InSubfolder) == 0 && !NamedObject.HasNoName(found))];
        int below = objects.Count(found => (found.Traits & IpcObjectTraits.InSubfolder) != 0);
        if (below > 0)
            Failures.Say($"{below} {(below == 1 ? "file in a folder" : "files in folders")} of "
                + $"/dev/shm {(below == 1 ? "stays: it goes" : "stay: they go")} with the program that has made the "
                + $"folder.");
        return removable;
    }

    private static bool Asks(int count)
    {
        Console.Error.Write($"Remove {(count == 1 ? "it" : $"these {count}")}? [y/N] ");
        return Console.In.ReadLine()?.Trim() is "y" or "Y" or "yes";
    }
}
