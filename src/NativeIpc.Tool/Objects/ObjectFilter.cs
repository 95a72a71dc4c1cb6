using System.CommandLine;
using System.Globalization;
using System.Runtime.Versioning;
using System.Security.Principal;
using NativeIpc.Inspection;
using NativeIpc.Tool.Arguments;
using NativeIpc.Tool.Running;

namespace NativeIpc.Tool.Objects;

/// <summary>The options with which <c>list</c> chooses among the objects of the machine.</summary>
internal sealed class ObjectFilter
{
    private static readonly string[] s_orders = ["key", "kind", "size", "owner", "users", "age"];

    public Option<string?> Type { get; } = new("--type", "-t") { HelpName = "TYPE",
        Description = "Only posix, systemv, systemv-N or windows" };

    public Option<string?> Kind { get; } = new Option<string?>("--kind", "-k") { HelpName = "KIND",
        Description = "Only shm (segments), sem (semaphores) or event" }.AcceptOnlyFromAmong([.. KeyOptions.Kinds]);

    public Option<bool> Mine { get; } = new("--mine") { Description = "Only objects that this user owns" };

    public Option<bool> Unused { get; } = new("--unused") { Description = "Only objects that no process has open now" };

    public Option<bool> Orphaned { get; } = new("--orphaned")
        { Description = "Only unused ones that dead processes had to remove" };

    public Option<bool> Stale { get; } = new("--stale") { Description = "The old word for --orphaned", Hidden = true };

    public Option<string?> Sort { get; } = new Option<string?>("--sort", "-s") { HelpName = "COLUMN",
        Description = "By key, kind, size, owner, users or age" }.AcceptOnlyFromAmong(s_orders);

    public Option<bool> Reverse { get; } = new("--reverse", "-r") { Description = "The other way round" };

    public Option<bool> NoUsers { get; } = new("--no-attachments")
        { Description = "Do not look at processes: faster, without users" };

    public Option<string[]> Folders { get; } = new("--folder", "-d") { HelpName = "DIR",
        Description = "Look for System V key files in DIR, too" };

    /// <summary>Why <c>--folder</c> is refused beside a type that has no key files.</summary>
    public const string NoKeyFiles = "looks for System V key files, and --type asks for others.";

    /// <summary>Whether a type is asked for that has no key files.</summary>
    public static bool HasNoKeyFiles(string? type) => type is not null && !KeyArguments.ParseType(type).IsSystemV;

    public IpcEnumerationOptions Options(ParseResult parsed) => new()
    {
        Type = parsed.GetValue(Type) is { } type ? KeyArguments.ParseType(type) : null,
        Kind = parsed.GetValue(Kind) is { } kind ? KeyOptions.ParseKind(kind) : null,
        IncludeAttachments = !parsed.GetValue(NoUsers),
        KeyFileFolders = Existing(parsed.GetValue(Folders)),
    };

    /// <summary>The folders of <c>--folder</c>: one in which nothing can be looked for is an error.</summary>
    public static IReadOnlyList<string> Existing(string[]? folders)
    {
        foreach (string folder in folders ?? [])
        {
            if (!Directory.Exists(folder))
                throw ToolException.Usage($"--folder {folder}: there is no such folder that this user can see. Give "
                    + "one that holds key files.");
            _ = Directory.EnumerateFileSystemEntries(folder).Any(); // or it may not be read
        }

        return folders ?? [];
    }

    /// <summary>The objects that were asked for, in the order that was asked for.</summary>
    public IReadOnlyList<IpcObjectInfo> Choose(ParseResult parsed, IReadOnlyList<IpcObjectInfo> objects)
    {
        IEnumerable<IpcObjectInfo> chosen = objects.Where(Fits(parsed));
        string? order = parsed.GetValue(Sort);
        chosen = order switch
        {
            "key" => chosen.OrderBy(found => found.Key.IsValid ? found.Key.ToString() : found.NativeName,
                StringComparer.Ordinal),
            "kind" => chosen.OrderBy(found => found.Kind),
            "size" => chosen.OrderByDescending(found => found.Size ?? found.Value ?? 0),
            "owner" => chosen.OrderBy(found => found.OwnerName ?? "",
                StringComparer.Ordinal).ThenBy(found => found.OwnerId),
            "users" => chosen.OrderByDescending(found => found.AttachmentCount ?? -1),
            "age" => chosen.OrderBy(found => found.Created),
            _ => chosen,
        };
        if (parsed.GetValue(Reverse)) chosen = chosen.Reverse();
        return [.. chosen];
    }

    /// <summary>The same of what no key leads to.</summary>
    public IReadOnlyList<IpcOtherObject> Choose(ParseResult parsed, IReadOnlyList<IpcOtherObject> others)
    {
        IEnumerable<IpcOtherObject> chosen = others;
        if (parsed.GetValue(Mine) && others.Count > 0)
        {
            long user = Libc.geteuid();
            chosen = chosen.Where(found => found.OwnerId == user);
        }

        chosen = parsed.GetValue(Sort) switch
        {
            "key" => chosen.OrderBy(OtherReport.NameOf, StringComparer.Ordinal),
            "kind" => chosen.OrderBy(found => found.Kind),
            "size" => chosen.OrderByDescending(found => found.Size ?? 0),
            "owner" => chosen.OrderBy(found => found.OwnerName ?? "",
                StringComparer.Ordinal).ThenBy(found => found.OwnerId),
            "users" => chosen.OrderByDescending(found => found.Attachments.Count),
            "age" => chosen.OrderBy(found => found.Created),
            _ => chosen,
        };
        return parsed.GetValue(Reverse) ? [.. chosen.Reverse()] : [.. chosen];
    }

    /// <summary>Whether only some of the objects are asked for, other than by type and kind.</summary>
    public bool IsSelective(ParseResult parsed)
        => parsed.GetValue(Mine) || parsed.GetValue(Unused) || parsed.GetValue(Orphaned) || parsed.GetValue(Stale);

    /// <summary>Whether an object is asked for.</summary>
    public Func<IpcObjectInfo, bool> Fits(ParseResult parsed)
    {
        Func<IpcObjectInfo, bool> isMine = parsed.GetValue(Mine) ? IsMine() : _ => true;
        IpcObjectTraits traits = IpcObjectTraits.None;
        if (parsed.GetValue(Unused)) traits |= IpcObjectTraits.Unused;
        if (parsed.GetValue(Orphaned) || parsed.GetValue(Stale)) traits |= IpcObjectTraits.Orphaned;
        return found => isMine(found) && found.Traits.HasFlag(traits);
    }

    /// <summary>What was asked for and this system, or the objects, do not tell: a sentence each.</summary>
    public IEnumerable<string> CannotTell(ParseResult parsed, IReadOnlyList<IpcObjectInfo> objects)
    {
        bool isUnused = parsed.GetValue(Unused), isOrphaned = parsed.GetValue(Orphaned) || parsed.GetValue(Stale);
        if (parsed.GetValue(Stale))
            yield return "--stale is the old word for --orphaned, and means the same. What is only unused is shown by "
                + "--unused.";
        if (OperatingSystem.IsWindows() && (isUnused || isOrphaned))
            yield return "Windows leaves nothing behind: an object goes with its last handle, so none is unused or "
                + "orphaned.";
        int unseen = isUnused || isOrphaned
            ? objects.Count(found => found is { Type: NativeIpcKeyType.PosixRealtime, IsInUse: null }) : 0;
        if (unseen > 0)
            yield return string.Create(CultureInfo.InvariantCulture,
                $"Of {unseen} {(unseen == 1 ? "object it is" : "objects it is")} not known whether somebody "
                    + $"has {(unseen == 1 ? "it" : "them")} open: 'nipc rm --unused' and 'nipc rm --orphaned' ask the "
                    + $"kernel, too.");
        if (OperatingSystem.IsWindows() && parsed.GetValue(Sort) == "age")
            yield return "Windows does not tell when an object was made, so there is no order by age.";
        int unknown = parsed.GetValue(Mine)
            ? objects.Count(found => found.OwnerName is null && found.OwnerId is null) : 0;
        if (unknown > 0)
            yield return string.Create(CultureInfo.InvariantCulture,
                $"{unknown} {(unknown == 1 ? "object does" : "objects do")} not tell the owner, and --mine "
                    + $"leaves {(unknown == 1 ? "it" : "them")} out.");
    }

    /// <summary>By number on Unix: not every user has a name (a container started with <c>--user 1234</c>), and one
    /// number may have several. On Windows what an administrator makes belongs to the group of administrators, unless
    /// it says otherwise: what this process would own counts, too.</summary>
    private static Func<IpcObjectInfo, bool> IsMine()
    {
        if (OperatingSystem.IsWindows())
        {
            using var self = WindowsIdentity.GetCurrent();
            HashSet<string> accounts = [.. new[] { self.User,
                self.Owner }.OfType<SecurityIdentifier>().SelectMany(AccountNames)];
            return found => found.OwnerName is { } owner && accounts.Contains(owner);
        }

        long user = Libc.geteuid();
        return found => found.OwnerId == user;
    }

    /// <summary>The names that an owner goes by: that of the account, or the identifier where it has none.</summary>
    [SupportedOSPlatform("windows")]
    private static IEnumerable<string> AccountNames(SecurityIdentifier identifier)
    {
        yield return identifier.Value;
        string? name = null;
        try
        {
            name = identifier.Translate(typeof(NTAccount)).Value;
        }
        catch (SystemException failure)
            when (failure is IdentityNotMappedException or System.ComponentModel.Win32Exception)
        {
            // The library tells the identifier then, too.
        }

        if (name is not null) yield return name;
    }
}
