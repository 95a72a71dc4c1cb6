using System.Buffers.Binary;
using System.Globalization;
using NativeIpc.Layouts;

namespace NativeIpc.Tool.Objects;

/// <summary>Fields as <c>--layout</c> takes them: FILE or FILE:TYPE, of an assembly or a description.</summary>
internal sealed class LayoutFields
{
    private const int HeadSize = 64;
    private const uint Magic = 0x31484C4E; // docs/layouts.md
    private const int MostFields = 4096;

    private readonly LayoutSet _types;
    private readonly string _file;
    private readonly LayoutStruct? _asked;

    /// <summary>Reads what <c>--layout</c> was given.</summary>
    public LayoutFields(string given)
    {
        int colon = File.Exists(given) ? -1 : given.LastIndexOf(':');
        string? type = colon < 0 ? null : given[(colon + 1)..];
        _file = colon < 0 ? given : given[..colon];
        _types = Read(_file, File.ReadAllBytes(_file));
        if (type is null) return;
        _asked = _types.Find(type) as LayoutStruct
            ?? throw ToolException.Usage($"{_file} has no layout '{type}'. It has: {Names()}.");
    }

    /// <summary>The layouts of a file.</summary>
    /// <param name="file">Its name.</param>
    /// <param name="content">Its bytes.</param>
    public static LayoutSet Read(string file, ReadOnlySpan<byte> content)
    {
        LayoutSet types = LayoutFile.Find(content, out string? clash, out bool isDamaged);
        if (isDamaged) throw Damaged(file);
        if (clash is not null) throw ToolException.Usage($"{file} has two layouts with the name {clash}.");
        return types.Types.Count > 0 ? types : throw ToolException.Usage($"{file} has no layouts: it is "
            + (content.StartsWith("MZ"u8) ? "an assembly or a program, and no struct of .NET in it has [SharedLayout]."
                : content.StartsWith("\u007FELF"u8)
                    ? "a native program, which keeps none. Take the assembly that it was made of."
                : "neither an assembly with [SharedLayout] structs nor what 'nipc layout' writes."));
    }

    /// <summary>What is said of a file that has a part of a layout.</summary>
    public static ToolException Damaged(string file)
        => ToolException.Usage($"{file} is damaged: something in it begins as a layout and is none. Build it anew.");

    /// <summary>The fields of a segment.</summary>
    /// <param name="name">What the segment is called.</param>
    /// <param name="head">Its first bytes.</param>
    /// <param name="offset">Where the value begins, if it was said.</param>
    public IReadOnlyList<StructField> In(string name, ReadOnlySpan<byte> head, long? offset)
    {
        LayoutStruct? layout = _asked;
        if (offset is null && head.Length >= HeadSize && BinaryPrimitives.ReadUInt32LittleEndian(head) == Magic)
        {
            layout = OfHead(name, head);
            offset = HeadSize;
        }

        List<StructField> fields = [];
        Add(fields, layout ?? Only(), "", offset ?? 0);
        return fields;
    }

    private LayoutStruct OfHead(string name, ReadOnlySpan<byte> head)
    {
        int version = BinaryPrimitives.ReadInt32LittleEndian(head[4..]);
        ulong fingerprint = BinaryPrimitives.ReadUInt64LittleEndian(head[8..]);
        foreach (LayoutType type in _types.Types)
        {
            if (type is LayoutStruct layout && layout.Fingerprint == fingerprint && layout.Version == version
                && (_asked ?? layout) == layout)
                return layout;
        }

        throw ToolException.Usage(string.Create(CultureInfo.InvariantCulture,
            $"{name} has another layout than {_asked?.Name ?? "those"} of {_file}: version {version}, fingerprint ")
            + $"{fingerprint.ToString("x16", CultureInfo.InvariantCulture)}. --offset 64 decodes it all the same.");
    }

    /// <summary>The one that no other has as a part.</summary>
    private LayoutStruct Only()
    {
        LayoutStruct? only = null;
        foreach (LayoutType type in _types.Types)
        {
            if (type is not LayoutStruct layout || IsPart(layout)) continue;
            if (only is not null)
                throw ToolException.Usage($"{_file} has several layouts. Name one: {_file}:NAME, of {Names()}.");
            only = layout;
        }

        return only!;
    }

    private bool IsPart(LayoutStruct part)
    {
        foreach (LayoutType type in _types.Types)
        {
            if (type is not LayoutStruct layout) continue;
            foreach (LayoutField field in layout.Fields)
            {
                if (field.Type == part.Name) return true;
            }
        }

        return false;
    }

    private string Names()
    {
        string names = "";
        foreach (LayoutType type in _types.Types)
        {
            if (type is LayoutStruct) names += (names.Length == 0 ? "" : ", ") + type.Name;
        }

        return names;
    }

    private void Add(List<StructField> fields, LayoutStruct layout, string prefix, long offset)
    {
        foreach (LayoutField field in layout.Fields)
        {
            LayoutType? type = _types.Find(field.Type);
            int? length = LayoutSet.TextLength(field.Type);
            string name = prefix + field.Name;
            int count = field.Total;
            if (type is not LayoutStruct && length is null)
            {
                fields.Add(new StructField((type as LayoutEnum)?.Underlying ?? field.Type, count,
                    field.Counts.Length > 0, name, offset + field.Offset) { Names = type as LayoutEnum });
                continue;
            }

            _types.Measure(field.Type, out int size, out _);
            for (int i = 0; i < count; i++)
            {
                if (fields.Count >= MostFields)
                    throw ToolException.Usage($"{layout.Name} has more than {MostFields} fields; --struct decodes "
                        + "those that are named.");
                string element = field.Counts.Length == 0 ? name
                    : string.Create(CultureInfo.InvariantCulture, $"{name}[{i}]");
                long at = offset + field.Offset + ((long)i * size);
                if (type is LayoutStruct inner) Add(fields, inner, element + ".", at);
                else fields.Add(new StructField("char", size, true, element, at));
            }
        }
    }

    /// <summary>A value with its name: of flags, each of them; a number where there is none.</summary>
    public static string NameOf(LayoutEnum list, string number)
    {
        foreach (LayoutValue value in list.Values)
        {
            if (value.Number == number) return value.Name;
        }

        if (!list.IsFlags || !LayoutSet.TryParse(number, 10, out ulong bits))
            return number;
        string names = "";
        foreach (LayoutValue value in list.Values)
        {
            if (!LayoutSet.TryParse(value.Number, 10, out ulong its) || its == 0 || (bits & its) != its)
                continue;
            names += (names.Length == 0 ? "" : " | ") + value.Name;
            bits &= ~its;
        }

        return bits == 0 ? names : names.Length == 0 ? number
            : names + " | " + bits.ToString(CultureInfo.InvariantCulture);
    }
}
