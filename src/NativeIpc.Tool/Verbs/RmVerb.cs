using System.CommandLine;
using NativeIpc.Inspection;
using NativeIpc.Tool.Arguments;
using NativeIpc.Tool.Objects;
using NativeIpc.Tool.Output;
using NativeIpc.Tool.Removal;

namespace NativeIpc.Tool.Verbs;

/// <summary><c>nipc rm</c>: removes objects by key; or what was left behind; or what nobody has open.</summary>
internal static class RmVerb
{
    private const string Orphaned = "orphaned";
    private const string Unused = "unused";

    private static readonly Argument<string[]> s_keys = KeyArguments.Several();
    private static readonly Option<string?> s_type = KeyArguments.TypeOption();
    private static readonly Option<string?> s_kind = new Option<string?>("--kind", "-k") { HelpName = "KIND",
        Description =
            "Only a shm, sem or event (default: what is there; a segment goes with its lock)" }
        .AcceptOnlyFromAmong([.. KeyOptions.Kinds]);
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
        "Remove segments, semaphores and events. What is in use is refused, and what may be without saying so.",
        "rm posix:/frames posix:/workers", "rm --kind sem systemv:/run/user/1000/workers", "rm --orphaned --yes",
        "rm -g 'posix:/a*'")
    {
        s_keys, s_type, s_kind, s_force, s_orphaned, s_unused, s_stale, s_folders, s_glob, s_dryRun, s_yes, s_json,
    }.Refuses(s_folders, parsed => ObjectFilter.HasNoKeyFiles(parsed.GetValue(s_type)),
        ObjectFilter.NoKeyFiles).Does(parsed =>
    {
        string[] texts = parsed.GetValue(s_keys) ?? [];
        Check(parsed, hasKeys: texts.Length > 0);
        if (parsed.GetValue(s_glob)) return RemoveMatching(parsed, [.. KeyArguments.Words(texts)]);
        if (texts.Length > 0)
            return Report(parsed, KeyArguments.Words(texts).SelectMany(
                text => NamedRemoval.ByWord(text, parsed.GetValue(s_type), KindOf(parsed), parsed.GetValue(s_force))));
        if (parsed.GetValue(s_stale))
            Failures.Say("--stale is the old word for --orphaned, and means the same. What is only unused takes its "
                + "key, or --unused.");
        return RemoveAll(parsed, IsOrphaned(parsed) ? Orphaned : Unused);
    });

    /// <summary>Refuses what does not go together, and what this system cannot do.</summary>
    private static void Check(ParseResult parsed, bool hasKeys)
    {
        int chosen = (hasKeys ? 1 : 0) + (IsOrphaned(parsed) ? 1 : 0) + (parsed.GetValue(s_unused) ? 1 : 0);
        if (chosen != 1) throw ToolException.Usage("Give keys, or --orphaned alone, or --unused alone.");
        bool isGlob = parsed.GetValue(s_glob);
        if (isGlob && !hasKeys)
            throw ToolException.Usage("--glob takes patterns: nipc rm --glob 'posix:/a*'.");
        if (isGlob && parsed.GetValue(s_force))
            throw ToolException.Usage("--force belongs to keys: --glob removes nothing that is in use.");
        if (parsed.GetValue(s_dryRun) && (!isGlob || parsed.GetValue(s_yes)))
            throw ToolException.Usage(
                "--dry-run belongs to --glob, and not to --yes. --orphaned and --unused show first anyway.");
        if (parsed.GetValue(s_yes) && hasKeys && !isGlob)
            throw ToolException.Usage("--yes belongs to --orphaned, --unused and --glob. Keys are removed without it.");
        if (parsed.GetValue(s_folders) is { Length: > 0 } && hasKeys)
            throw ToolException.Usage("--folder belongs to --orphaned and --unused. A key names its file.");
        if (parsed.GetValue(s_force) && !hasKeys)
            throw ToolException.Usage(
                "--force belongs to keys: --orphaned and --unused remove nothing that is in use.");
        if (OperatingSystem.IsWindows())
            throw new ToolException(ExitCodes.Unsupported,
                "Windows removes an object with its last handle, and by nothing else: end the programs that have it "
                    + "open. 'nipc show KEY' counts the handles.");
    }

    private static bool IsOrphaned(ParseResult parsed) => parsed.GetValue(s_orphaned) || parsed.GetValue(s_stale);

    private static IpcObjectKind? KindOf(ParseResult parsed)
        => parsed.GetValue(s_kind) is { } kind ? KeyOptions.ParseKind(kind) : null;

    private static int Report(ParseResult parsed, IEnumerable<RemovalResult> all)
        => RemovalReport.Print(all, parsed.GetValue(s_json));

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
            Report(parsed, listed.Select(found => new RemovalResult(
                RemovalOutcome.Of(found, word) with { Evidence = RemovalLook.EvidenceOf(found) }, ExitCodes.Ok)));
            if (parsed.GetValue(s_json)) return ExitCodes.Ok;
            if (listed.Length > 0 && Terminal.IsInteractive && !Console.IsInputRedirected)
                removes = Asks(listed.Length);
            if (!removes)
                Console.Error.WriteLine(listed.Length == 0
                    ? $"Nothing is {word}." : "Nothing was removed yet: --yes does.");
        }

        return !removes ? ExitCodes.Ok
            : Report(parsed, listed.Select(found => UnusedRemoval.Remove(found, isNamed: false)));
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
            Report(parsed, listed.Select(found => new RemovalResult(RemovalOutcome.Of(found, "matches") with
            {
                Users = UserReport.Of(found.Attachments), Evidence = RemovalLook.EvidenceOf(found),
            }, ExitCodes.Ok)));
            if (parsed.GetValue(s_dryRun)) return ExitCodes.Ok;
            if (parsed.GetValue(s_json) || !Terminal.IsInteractive || Console.IsInputRedirected || !Asks(listed.Length))
            {
                Console.Error.WriteLine("Nothing was removed yet: --yes does.");
                return ExitCodes.Ok;
            }
        }

        return Report(parsed, listed.Select(found => UnusedRemoval.Remove(found, isNamed: true)));
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
