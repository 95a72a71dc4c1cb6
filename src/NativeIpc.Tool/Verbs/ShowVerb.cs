using System.CommandLine;
using System.Globalization;
using NativeIpc.Inspection;
using NativeIpc.Tool.Arguments;
using NativeIpc.Tool.Live;
using NativeIpc.Tool.Objects;
using NativeIpc.Tool.Output;

namespace NativeIpc.Tool.Verbs;

/// <summary><c>nipc show</c>: everything about one object.</summary>
internal static class ShowVerb
{
    private const int DefaultLength = 256;
    private const int HeadSize = 64;

    /// <summary>Fields as they were written, or as a layout has them.</summary>
    private sealed class FieldChoice(IReadOnlyList<StructField> written, LayoutFields? layout)
    {
        public IReadOnlyList<StructField> Written => written;

        public LayoutFields? Layout => layout;
    }

    private static readonly Argument<string> s_key = new("KEY")
        { Description = "Key (posix:/name), name, System V key (0x1f), shmid:N or semid:N; -: standard input" };
    private static readonly Option<string?> s_type = KeyArguments.TypeOption();
    private static readonly Option<bool> s_glob =
        ObjectArgument.GlobOption("KEY is a pattern of names (*, ?): show all that fit");
    private static readonly Option<string?> s_kind = new Option<string?>("--kind", "-k") { HelpName = "KIND",
        Description = "Only the shm, sem or event (default: all)" }
        .AcceptOnlyFromAmong([.. KeyOptions.Kinds]);
    private static readonly Option<long?> s_offset = Values.SizeOption("--offset", "BYTES",
        "Begin the dump there (default 0)", "-o");
    private static readonly Option<long?> s_length = Values.SizeOption("--length", "BYTES",
        "Dump so many bytes (default 256; 0 for none)", "-n");
    private static readonly Option<string?> s_struct = new("--struct", "-S") { HelpName = "FIELDS", Description =
        "Decode fields: \"i32 width@0, char[16] name@8\" (u8...i64, f32, f64, bool, char[N], bytes[N]); offsets count "
            + "from the segment's start" };
    private static readonly Option<string?> s_layout = new("--layout", "-L") { HelpName = "FILE", Description =
        "Decode by typed layouts: NAME.layout, an assembly" };
    private static readonly Option<string> s_endian = new Option<string>("--endian") { HelpName = "little|big",
        Description = "Order of the bytes of --struct (default little)",
        DefaultValueFactory = _ => "little" }.AcceptOnlyFromAmong("little", "big");
    private static readonly Option<TimeSpan?> s_watch =
        LiveView.WatchOption("Draw again every TIME (default 1s) and mark the bytes that changed");
    private static readonly Option<bool> s_json = new("--json")
        { Description = "Print everything as JSON; the bytes in hex" };

    public static Command Command()
        => new Verb("show",
        "Show everything about a segment, semaphore or event. Keys, ids, users, limits and bytes.",
        "show posix:/frames", "show posix:/frames -o 4k -n 64",
        "show posix:/frames --struct \"i32 width@0, i32 height@4\"", "show posix:/frames -L App.dll --watch 200ms",
        "show 12 -k sem")
    {
        s_key, s_type, s_glob, s_kind, s_offset, s_length, s_struct, s_layout, s_endian, s_watch, s_json,
    }
        .Refuses(s_offset, IsSemaphore, Bytes).Refuses(s_length, IsSemaphore, Bytes).Refuses(s_struct,
            IsSemaphore, Bytes)
        .Refuses(s_layout, IsSemaphore, Bytes)
        .Excludes(s_layout, s_struct, "both name the fields.")
        .Needs(s_endian, s_struct)
        .Does(Show);

    private const string Bytes = "is for the bytes of a segment, and --kind asks for something else.";

    private static bool IsSemaphore(ParseResult parsed) => parsed.GetValue(s_kind) is "sem" or "event";

    private static int Show(ParseResult parsed)
    {
        string text = parsed.GetValue(s_key)!;
        if (text == "-") text = KeyArguments.ReadLine();
        FieldChoice? fields = parsed.GetValue(s_struct) is { } written ? new(StructFields.Parse(written), null)
            : parsed.GetValue(s_layout) is { } file ? new([], new LayoutFields(file)) : null;
        long offset = parsed.GetValue(s_offset) ?? 0;
        long length = parsed.GetValue(s_length) ?? DefaultLength;
        if (length > 1 << 30)
            throw ToolException.Usage(
                "At most 1G can be shown at once; 'nipc read' and 'nipc dump' take all of a segment.");

        IReadOnlyList<IpcObjectInfo> objects = Find(parsed, text);
        RequireBytes(parsed, text, objects);
        if (LiveView.Interval(parsed, s_watch) is { } interval)
        {
            if (!Terminal.IsInteractive || parsed.GetValue(s_json))
                throw ToolException.Usage(
                    "--watch draws on a terminal, and standard output is none (or --json was given). Leave --watch "
                        + "out, or run it in a terminal.");
            return Watch(parsed, text, interval, offset, length, fields);
        }

        int code = ExitCodes.Ok;
        if (parsed.GetValue(s_json))
        {
            List<ObjectReport> reports = [];
            foreach (IpcObjectInfo found in objects)
                reports.Add(Report(parsed, found, offset, (int)length, fields, ref code));
            ToolJson.Print(new ObjectList(reports, null));
            return code;
        }

        for (int i = 0; i < objects.Count; i++)
        {
            if (i > 0) Console.Out.WriteLine();
            foreach ((string label, string value) in ObjectSheet.Of(objects[i]))
                Console.Out.WriteLine(PrintableText.Of($"{label,-12}{value}".TrimEnd()));
            IpcObjectInfo shown = objects[i];
            Try(shown, () => PrintBytes(parsed, shown, offset, (int)length, fields), ref code);
        }

        return code;
    }

    /// <summary>Does what needs the bytes of a segment. Where they cannot be read that is said, and is the exit code;
    /// the rest is shown all the same.</summary>
    private static void Try(IpcObjectInfo found, Action show, ref int code)
    {
        try
        {
            show();
        }
        catch (NativeIpcException failure)
        {
            Failures.Say(Failures.Describe(failure, NamedObject.NameOf(found)));
            if (code == ExitCodes.Ok) code = ExitCodes.For(failure.Error);
        }
    }

    /// <summary>Refuses options for bytes where there are none to show.</summary>
    private static void RequireBytes(ParseResult parsed, string text, IReadOnlyList<IpcObjectInfo> objects)
    {
        Option? given = new Option[] { s_offset, s_length, s_struct, s_layout }.FirstOrDefault(
            option => Verb.IsGiven(parsed, option));
        if (given is null) return;
        long[] sizes = [.. objects.Where(found => found.Kind == IpcObjectKind.SharedMemory)
            .Select(found => found.Size ?? long.MaxValue)];
        if (sizes.Length == 0)
            throw ToolException.Usage($"{given.Name} is for the bytes of a segment, and {text} is "
                + (objects[0].Kind == IpcObjectKind.SystemEvent ? "an event." : "a semaphore."));
        if (sizes.Max() == 0 && !Verb.IsGiven(parsed, s_watch)) // which may see it get some
            throw ToolException.Usage($"{given.Name} is for the bytes of a segment, and {text} is empty.");
        if (parsed.GetValue(s_offset) is { } offset && sizes.Max() is var most && offset > most)
            throw ToolException.Usage($"{text} has {most} bytes: offset {offset} is past its end.");
    }

    /// <summary>The objects that a word names; not found when there is none.</summary>
    private static IReadOnlyList<IpcObjectInfo> Find(ParseResult parsed, string text)
    {
        IpcObjectKind? kind = parsed.GetValue(s_kind) is { } word ? KeyOptions.ParseKind(word) : null;
        if (parsed.GetValue(s_glob))
        {
            var closely = new IpcEnumerationOptions
                { Type = parsed.GetValue(s_type) is { } type ? KeyArguments.ParseType(type) : null, Kind = kind,
                    FindUses = true, FindSigns = true, FindLostPermits = true };
            return NamedObjects.Matching([text], parsed.GetValue(s_type), IpcObjects.Enumerate(closely).Objects);
        }

        IReadOnlyList<IpcObjectInfo> found =
            [.. NamedObjects.All(text, parsed.GetValue(s_type), kind).SelectMany(named => named.Objects(kind))];
        return found.Count > 0 ? found : throw NamedObjects.NotThere(text, kind);
    }

    private static void PrintBytes(ParseResult parsed, IpcObjectInfo found, long offset, int length,
        FieldChoice? fields)
    {
        if (found.Kind != IpcObjectKind.SharedMemory || found.Size is not > 0
            || (found.Traits & IpcObjectTraits.Removed) != 0)
            return;
        foreach (FieldReport field in Decode(parsed, found, fields))
            Console.Out.WriteLine(PrintableText.Of($"{field.Name,-11} {Shown(field)}"));
        if (fields is not null && parsed.GetValue(s_length) is null && parsed.GetValue(s_offset) is null) return;
        byte[] bytes = Read(found, offset, length);
        if (bytes.Length == 0) return;
        Console.Out.WriteLine();
        HexLines.Write(Console.Out, offset, bytes);
    }

    private static ObjectReport Report(ParseResult parsed, IpcObjectInfo found, long offset, int length,
        FieldChoice? fields, ref int code)
    {
        bool hasBytes = found.Kind == IpcObjectKind.SharedMemory && found.Size > 0
            && (found.Traits & IpcObjectTraits.Removed) == 0;
        string? bytes = null;
        List<FieldReport>? decoded = null;
        if (hasBytes)
        {
            Try(found, () =>
            {
                bytes = Convert.ToHexStringLower(Read(found, offset, length));
                decoded = fields is null ? null : Decode(parsed, found, fields);
            }, ref code);
        }

        return ObjectReport.Of(found) with
        {
            Ftok = ObjectSheet.Ftok(found) is { } line ? [line] : null,
            LimitsNear = ObjectSheet.LimitsNear(found) is { Count: > 0 } near ? near : null,
            Offset = bytes is null ? null : offset,
            Bytes = bytes,
            Fields = decoded,
        };
    }

    private static List<FieldReport> Decode(ParseResult parsed, IpcObjectInfo found, FieldChoice? fields)
    {
        bool isBig = parsed.GetValue(s_endian) == "big";
        return [.. FieldsOf(parsed, found, fields).Select(
            field => new FieldReport(field.Name, field.IsArray ? $"{field.Type}[{field.Count}]" : field.Type,
                field.Offset, StructFields.Value(field, Read(found, field.Offset, field.Length), isBig)))];
    }

    private static IReadOnlyList<StructField> FieldsOf(ParseResult parsed, IpcObjectInfo found, FieldChoice? choice)
        => choice is null ? []
            : choice.Layout?.In(NamedObject.NameOf(found), Read(found, 0, HeadSize), parsed.GetValue(s_offset))
                ?? choice.Written;

    private static string Shown(FieldReport field)
        => field.Value is null ? "(behind the end of the segment)"
            : StructFields.Show(field.Value);

    private static byte[] Read(IpcObjectInfo found, long offset, int length)
    {
        var bytes = new byte[(int)Math.Clamp((found.Size ?? 0) - offset, 0, length)];
        return bytes.Length == 0 ? bytes : bytes[..IpcObjects.Read(found, offset, bytes)];
    }

    private static int Watch(ParseResult parsed, string text, TimeSpan interval, long offset, long length,
        FieldChoice? fields)
    {
        var marked = new MarkedBytes();
        return LiveView.Run(interval, (_, height) =>
        {
            List<StyledText> parts = [];
            IReadOnlyList<IpcObjectInfo> objects;
            try
            {
                objects = Find(parsed, text);
            }
            catch (ToolException gone)
            {
                marked.Forget();
                return [new StyledText(gone.Message)]; // it may come back
            }

            foreach (IpcObjectInfo found in objects)
            {
                foreach ((string label, string value) in ObjectSheet.Of(found)) Add(label, value);
                if (found.Kind != IpcObjectKind.SharedMemory) continue;
                TryBytes(found, parts, () =>
                {
                    foreach (FieldReport field in Decode(parsed, found, fields)) Add(field.Name, Shown(field));
                });
            }

            if (objects.FirstOrDefault(found =>
                found.Kind == IpcObjectKind.SharedMemory && found.Size > 0) is { } segment)
            {
                int lines = Math.Max(1, height - parts.Count - 3);
                bool isRead = TryBytes(segment, parts, () => parts.AddRange(marked.Lines(offset,
                    Read(segment, offset, (int)Math.Min(length, (long)lines * HexLines.BytesPerLine)))));
                if (!isRead) marked.Forget();
            }

            parts.Add(
                new StyledText(string.Create(CultureInfo.InvariantCulture,
                    $"every {interval.TotalSeconds}s, Ctrl-C ends")));
            return parts;

            void Add(string label, string value) => parts.Add(new StyledText($"{label,-11} {value}"));
        });
    }

    /// <summary>Does what needs the bytes of a segment in a view that goes on: it may be another one, or gone, at the
    /// next look.</summary>
    private static bool TryBytes(IpcObjectInfo found, List<StyledText> parts, Action show)
    {
        try
        {
            show();
            return true;
        }
        catch (ToolException refused)
        {
            parts.Add(new StyledText(refused.Message));
        }
        catch (NativeIpcException failure)
        {
            parts.Add(new StyledText(Failures.Describe(failure, NamedObject.NameOf(found))));
        }

        return false;
    }
}
