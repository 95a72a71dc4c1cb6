using System.Globalization;
using System.IO.Enumeration;
using NativeIpc.Inspection;
using NativeIpc.Tool.Arguments;
using NativeIpc.Tool.Output;

namespace NativeIpc.Tool.Objects;

/// <summary>
/// From the words of the command line to objects, the same for every verb: the text of a key (<c>posix:/jobs</c>); with
/// a type a native name; <c>shmid:N</c>, <c>semid:N</c> and <c>key:N</c> of System V, where <c>0x1f</c> is a key as
/// well; a bare number, which may be each of them or a name; the path of a file in <c>/dev/shm</c>; or a bare name,
/// which is the safe key of the default type. A bare number that fits several objects is refused with their list. A key
/// may have one of each kind.
/// </summary>
internal static class NamedObjects
{
    private const string SegmentId = "shmid:";
    private const string SetId = "semid:";
    private const string NumericKey = "key:";
    private const string Folder = "/dev/shm/";

    // What list --all shows besides, and with what it goes.
    private static readonly (string Prefix, string Answer)[] s_others =
    [
        ("memfd:", "is a memfd, which has no key: it goes with the last process that has it. End those; 'nipc list "
            + "--all' shows them."),
        ("msqid:", "is a System V message queue, and nipc uses and removes none: 'ipcrm -q ID' does, 'ipcs -q -i ID' "
            + "shows it."),
        ("mqueue:", "is a POSIX message queue, and nipc uses and removes none: mq_unlink(3) does, or rm(1) of its "
            + "file in /dev/mqueue."),
    ];

    /// <summary>Whether a word is a number, or names a System V object by one: what can be found and not
    /// made.</summary>
    public static bool IsNumber(string text) => TryParseNumber(text, out _) || PrefixOf(text) is not null;

    /// <summary>The one object that a word names, for a verb that works on one.</summary>
    /// <param name="text">The word.</param>
    /// <param name="type">What <c>--type</c> says; null for none.</param>
    /// <param name="kind">The kind that the verb works on.</param>
    public static NamedObject One(string text, string? type, IpcObjectKind kind)
    {
        NamedObject named = AsKey(text, type, kind) is { } key
            ? Shown(text, type, kind) is [var shown, ..] ? Named(shown) : NamedObject.Of(key)
            : Listed(text, kind) is [var found, ..] ? Named(found) : throw NotThere(text, kind);
        Failures.Subject = named.Name;
        return named;
    }

    /// <summary>By its key where it has one: System V keys may lead to another object than the one of an id.</summary>
    private static NamedObject Named(IpcObjectInfo found)
        => found.Key.IsValid && !found.Type.IsSystemV ? NamedObject.Of(found.Key) : NamedObject.Of(found);

    /// <summary>What a word names, for a verb that works on a segment, its lock, or both: a key, or the objects of the
    /// list, at least one.</summary>
    /// <param name="text">The word.</param>
    /// <param name="type">What <c>--type</c> says; null for none.</param>
    /// <param name="kind">Only this kind; null for both.</param>
    public static IReadOnlyList<NamedObject> All(string text, string? type, IpcObjectKind? kind)
    {
        if (AsKey(text, type, kind ?? IpcObjectKind.SharedMemory) is { } key)
        {
            if (Shown(text, type, kind) is { Count: > 0 } shown)
                return [.. shown.Select(Named).DistinctBy(named => (named.Name, named.Found?.Kind))];
            bool isBare = OperatingSystem.IsWindows() && kind is null && type is null
                && !text.Contains(':', StringComparison.Ordinal);
            return isBare ? [NamedObject.Of(key),
                NamedObject.Of(KeyArguments.SafeKey(text, IpcObjectKind.SystemSemaphore)),
                NamedObject.Of(KeyArguments.SafeKey(text, IpcObjectKind.SystemEvent))] : [NamedObject.Of(key)];
        }

        return Listed(text, kind) is { Count: > 0 } found
            ? [.. found.Select(NamedObject.Of)] : throw NotThere(text, kind);
    }

    /// <summary>The objects whose name fits one of some patterns (<c>*</c>, <c>?</c>), at least one: of a list, or as
    /// they are now.</summary>
    /// <param name="patterns">The patterns.</param>
    /// <param name="type">What <c>--type</c> says: a pattern may be of native names then; null for none.</param>
    /// <param name="objects">The list.</param>
    public static IReadOnlyList<IpcObjectInfo> Matching(IReadOnlyList<string> patterns, string? type,
        IReadOnlyList<IpcObjectInfo> objects)
    {
        List<IpcObjectInfo> fits = [.. objects.Where(
            found => patterns.Any(pattern => NamesOf(found, type, pattern).Any(
                name => FileSystemName.MatchesSimpleExpression(pattern, name, ignoreCase: false))))];
        return fits.Count > 0 ? fits : throw new ToolException(ExitCodes.NotFound,
            $"Nothing fits {string.Join(" or ", patterns)}. 'nipc list' shows what is there.");
    }

    /// <summary>What a pattern is held against: what every verb takes, what the column KEY shows, with a type the
    /// native name, and else the bare name that stands for a key. A pattern that begins with a letter has to reach the
    /// colon to be one of keys and ids: <c>s*</c> is of bare names, and no set of <c>semid:3</c>.</summary>
    private static IEnumerable<string> NamesOf(IpcObjectInfo found, string? type, string pattern)
    {
        foreach (string name in new[] { NamedObject.NameOf(found), ObjectColumns.Name(found) }.Distinct())
        {
            int colon = name.IndexOf(':', StringComparison.Ordinal);
            if (colon < 0 || pattern is ['*' or '?', ..]
                || pattern.StartsWith(name[..(colon + 1)], StringComparison.Ordinal))
                yield return name;
        }

        if (!found.Key.IsValid) yield break;
        string native = found.Key.NativeKey;
        if (type is not null)
        {
            yield return native;
        }
        else if (found.Type == NativeIpcKey.DefaultType)
        {
            string prefix = KeyArguments.SafeKey("x", found.Kind).NativeKey[..^1];
            if (native.Length > prefix.Length && native.StartsWith(prefix, StringComparison.Ordinal))
                yield return native[prefix.Length..];
        }
    }

    /// <summary>The one object whose name fits a pattern, for a verb that works on one.</summary>
    /// <param name="pattern">The pattern.</param>
    /// <param name="type">Only of this type, as <c>--type</c> says; null for all.</param>
    /// <param name="kind">The kind that the verb works on.</param>
    public static NamedObject OneMatching(string pattern, string? type, IpcObjectKind kind)
    {
        var options = new IpcEnumerationOptions { Type = type is null ? null : KeyArguments.ParseType(type),
            Kind = kind, IncludeAttachments = false };
        IReadOnlyList<IpcObjectInfo> fits = Matching([pattern], type, IpcObjects.Enumerate(options).Objects);
        if (fits is not [var found]) throw Several(pattern, fits);
        Failures.Subject = NamedObject.NameOf(found);
        return Named(found);
    }

    public static ToolException NotThere(string text, IpcObjectKind? kind) => new(ExitCodes.NotFound,
        $"There is no {(kind is { } one ? KeyOptions.NounOf(one) : "segment, no semaphore and no event")} {text}. "
            + "'nipc list' shows what is there.");

    /// <summary>The key that a word gives without a look at the machine; null for what names an object by a number or a
    /// path.</summary>
    private static NativeIpcKey? AsKey(string text, string? type, IpcObjectKind kind)
    {
        if (type is not null) return KeyArguments.Parse(text, type, kind);
        (_, string? answer) = Array.Find(s_others, other => text.StartsWith(other.Prefix, StringComparison.Ordinal));
        if (answer is not null) throw new ToolException(ExitCodes.Unsupported, $"{text} {answer}");
        return IsNumber(text) || IsPath(text) ? null : KeyArguments.Parse(text, type, kind);
    }

    /// <summary>The objects that list shows by a word with a code in it (<c>\u202e</c>), since their name has an
    /// invisible character; none where the word is a name as it is. Where two names look like the word, only a native
    /// name (<c>--type</c>), which has no codes, tells them apart.</summary>
    private static List<IpcObjectInfo> Shown(string text, string? type, IpcObjectKind? kind)
    {
        if (type is not null || !text.Contains("\\u", StringComparison.OrdinalIgnoreCase)
            || PrintableText.Of(text) != text)
            return [];
        List<IpcObjectInfo> shown = [.. IpcObjects.Enumerate(
            new IpcEnumerationOptions { Kind = kind, IncludeAttachments = false }).Objects
            .Where(found => found.Key.IsValid && PrintableText.Of(found.Key.ToString()) == text)];
        string[] names = [.. shown.Select(found => found.Key.ToString()).Distinct()];
        return names.Length > 1
            ? throw ToolException.Usage($"'{text}' is how {names.Length} objects look, since one has this text as its "
                + "name, or invisible characters. Give the native name itself, with --type.")
            : names is [var name] && name != text ? shown : [];
    }

    /// <summary>Whether a word is the path of a POSIX object, as list shows it where no key leads there.</summary>
    private static bool IsPath(string text)
        => OperatingSystem.IsLinux() && text.StartsWith(Folder, StringComparison.Ordinal);

    private static List<IpcObjectInfo> OfPath(string path, IpcObjectKind? kind)
    {
        var options = new IpcEnumerationOptions { Type = NativeIpcKeyType.PosixRealtime, Kind = kind,
            IncludeAttachments = false };
        return [.. IpcObjects.Enumerate(options).Objects.Where(
            found => found.FilePath is not null && NamedObject.PathOf(found) is var name
                && (name == path || PrintableText.Of(name) == path))];
    }

    /// <summary>The objects of the list that a number leads to: those of one reading of it only.</summary>
    private static List<IpcObjectInfo> Listed(string text, IpcObjectKind? kind)
    {
        if (IsPath(text)) return OfPath(text, kind);
        string? prefix = PrefixOf(text);
        if (!TryParseNumber(text.AsSpan((prefix ?? "").Length), out long number))
            throw ToolException.Usage($"'{text}' has no number after '{prefix}'. Give digits or 0x...: {prefix}12.");
        bool isHex = text.Contains("0x", StringComparison.OrdinalIgnoreCase);
        if (prefix is null && isHex) prefix = NumericKey; // nothing prints ids that way
        if (prefix == NumericKey && number == 0)
            throw ToolException.Usage(
                "0 is IPC_PRIVATE, to which no key leads: name the object by shmid:N or semid:N.");
        if ((prefix == SegmentId && kind is IpcObjectKind.SystemSemaphore or IpcObjectKind.SystemEvent)
            || (prefix == SetId && kind == IpcObjectKind.SharedMemory))
            throw ToolException.Usage(
                $"'{text}' is a {(prefix == SetId ? "semaphore" : "segment")}, and this takes "
                    + (kind == IpcObjectKind.SystemEvent ? "an event."
                        : prefix == SetId ? "a segment." : "a semaphore."));

        List<IReadOnlyList<IpcObjectInfo>> readings = [];
        if (IpcObjects.CanEnumerate(NativeIpcKeyType.SystemV))
        {
            var options = new IpcEnumerationOptions { Type = NativeIpcKeyType.SystemV, Kind = kind };
            IReadOnlyList<IpcObjectInfo> all = IpcObjects.Enumerate(options).Objects;
            if (prefix is null or SegmentId)
                Add(found => found.Kind == IpcObjectKind.SharedMemory && found.SystemVId == number);
            if (prefix is null or SetId)
                Add(found => found.Kind != IpcObjectKind.SharedMemory && found.SystemVId == number);
            if (prefix is null or NumericKey)
                Add(found => found.SystemVId is not null && number != 0 && found.SystemVKey == unchecked((int)number));

            void Add(Func<IpcObjectInfo, bool> fits) => readings.Add([.. all.Where(fits)]);
        }

        if (prefix is null)
            readings.Add(NamedObject.Of(KeyArguments.SafeKey(text, kind ?? IpcObjectKind.SharedMemory)).Objects(kind));
        readings.RemoveAll(reading => reading.Count == 0);
        if (readings.Count == 0 && !IpcObjects.CanEnumerate(NativeIpcKeyType.SystemV))
            throw new PlatformNotSupportedException(
                "A number is the id or the key of a System V object, and such objects cannot be listed here. Give a "
                    + "key, or a native name with --type.");
        List<IpcObjectInfo> distinct = [];
        foreach (IpcObjectInfo found in readings.SelectMany(reading => reading))
        {
            if (!distinct.Exists(seen => seen.Kind == found.Kind && seen.Type == found.Type
                && seen.NativeName == found.NativeName && seen.SystemVId == found.SystemVId))
                distinct.Add(found);
        }

        return prefix is not null || distinct.Count < 2 ? distinct : throw Several(text, distinct);
    }

    private static ToolException Several(string text, IReadOnlyList<IpcObjectInfo> found)
        => new(ExitCodes.Usage, $"'{text}' fits several objects. Name one of "
            + $"them{(found.DistinctBy(one => one.Kind).Count() > 1 ? ", or give --kind where the verb has it" : "")}:")
        {
            Details = [.. found.Select(one =>
                $"  {NameFor(one)}  {KeyOptions.WordOf(one.Kind)}"
                    + (one.Key.IsValid && one.SystemVId is not null ? $" {one.Key}" : "")
                    + $", key {one.NativeName}, "
                    + $"owner {one.OwnerName ?? one.OwnerId?.ToString(CultureInfo.InvariantCulture) ?? "?"}, "
                    + $"mode {ObjectReport.Mode4(one.Mode) ?? "?"}")],
        };

    /// <summary>A name that fits this object only: its id, where it has one.</summary>
    private static string NameFor(IpcObjectInfo found) => found.SystemVId is { } id
        ? string.Create(CultureInfo.InvariantCulture,
            $"{(found.Kind == IpcObjectKind.SharedMemory ? SegmentId : SetId)}{id}")
        : NamedObject.NameOf(found);

    private static string? PrefixOf(string text)
        => Array.Find([SegmentId, SetId, NumericKey], prefix => text.StartsWith(prefix, StringComparison.Ordinal));

    /// <summary>As ipcs, ipcrm and PostgreSQL print ids and keys: decimal, also negative, or 0x and up to eight
    /// digits.</summary>
    private static bool TryParseNumber(ReadOnlySpan<char> text, out long number)
    {
        number = 0;
        if (text.StartsWith("0x", StringComparison.OrdinalIgnoreCase))
        {
            bool isHex = uint.TryParse(text[2..], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture,
                out uint bits);
            number = unchecked((int)bits);
            return isHex;
        }

        return long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out number)
            && number is >= int.MinValue and <= uint.MaxValue && text[0] != '+';
    }
}
