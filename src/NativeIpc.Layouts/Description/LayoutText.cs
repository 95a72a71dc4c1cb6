using System.Globalization;
using System.Text;

namespace NativeIpc.Layouts;

/// <summary>Descriptions as text, which docs/layouts.md describes: what the generator writes into an assembly and what
/// a file NAME.layout has.</summary>
internal static class LayoutText
{
    /// <summary>The first line.</summary>
    public const string First = "nativeipc-layout 1\n";

    /// <summary>The last line, with the end of the one before it.</summary>
    public const string Last = "\nend\n";

    public static string Format(LayoutSet set)
    {
        var text = new StringBuilder(First);
        foreach (LayoutType type in set.Types) text.Append(Lines(type));
        return text.Append("end\n").ToString();
    }

    /// <summary>The lines of one type.</summary>
    public static string Lines(LayoutType type)
    {
        var text = new StringBuilder();
        if (type is LayoutEnum list)
        {
            text.Append(list.IsFlags ? "flags " : "enum ").Append(list.Name).Append(' ').Append(list.Underlying)
                .Append('\n');
            foreach (LayoutValue value in list.Values)
                text.Append(' ').Append(value.Name).Append(' ').Append(value.Number).Append('\n');
            return text.ToString();
        }

        var layout = (LayoutStruct)type;
        text.Append("struct ").Append(layout.Name).Append(' ').Append(Number(layout.Size)).Append(' ')
            .Append(Number(layout.Alignment)).Append(' ').Append(Number(layout.Version)).Append(' ')
            .Append(layout.Fingerprint.ToString("x16", CultureInfo.InvariantCulture)).Append('\n');
        foreach (LayoutField field in layout.Fields)
        {
            text.Append(' ').Append(field.Name).Append(' ').Append(TypeOf(field)).Append(' ')
                .Append(Number(field.Offset)).Append(field.IsAtomic ? " atomic\n" : "\n");
        }

        return text.ToString();
    }

    /// <summary>The type of a field as a description has it: <c>f32[4]</c>.</summary>
    public static string TypeOf(LayoutField field)
    {
        string type = field.Type;
        foreach (int count in field.Counts) type += "[" + Number(count) + "]";
        return type;
    }

    /// <summary>Reads a description; null when it is none, or its parts do not fit one another.</summary>
    public static LayoutSet? Parse(string text)
    {
        string[] lines = text.Split('\n');
        if (lines.Length < 3 || lines[0] + "\n" != First || lines[lines.Length - 2] != "end"
            || lines[lines.Length - 1].Length != 0)
            return null;
        var set = new LayoutSet();
        LayoutType? current = null;
        for (int i = 1; i < lines.Length - 2; i++)
        {
            string[] words = lines[i].Split(' ');
            if (words[0].Length != 0)
            {
                if (!Complete(set, current) || (current = Heading(words)) is null) return null;
            }
            else if (current is null || !AddLine(set, current, words))
            {
                return null;
            }
        }

        return Complete(set, current) ? set : null;
    }

    private static LayoutType? Heading(string[] words)
    {
        if (words.Length < 2 || !IsName(words[1])) return null;
        if (words[0] is "enum" or "flags" && words.Length == 3 && LayoutSet.ScalarSize(words[2]) != 0
            && words[2][0] is 'u' or 'i')
            return new LayoutEnum(words[1], words[2], words[0] == "flags");
        if (words[0] != "struct" || words.Length != 6 || !LayoutSet.TryParse(words[5], 16,
            out ulong fingerprint))
            return null;
        int size = LayoutSet.ParseNumber(words[2]), alignment = LayoutSet.ParseNumber(words[3]),
            version = LayoutSet.ParseNumber(words[4]);
        return size < 1 || alignment is not (1 or 2 or 4 or 8) || size % alignment != 0 || version < 0 ? null
            : new LayoutStruct(words[1], size, alignment, version) { Fingerprint = fingerprint };
    }

    private static bool AddLine(LayoutSet set, LayoutType current, string[] words)
    {
        if (words.Length < 3 || !IsName(words[1])) return false;
        if (current is LayoutEnum list)
        {
            list.Values.Add(new LayoutValue(words[1], words[2]));
            return words.Length == 3 && words[2].Length != 0 && IsInteger(words[2]);
        }

        bool isAtomic = words.Length == 5 && words[4] == "atomic";
        if (words.Length != (isAtomic ? 5 : 4)) return false;
        string[] parts = words[2].Split('[');
        var counts = new int[parts.Length - 1];
        long total = 1;
        for (int i = 0; i < counts.Length; i++)
        {
            string part = parts[i + 1];
            counts[i] = part.Length != 0 && part[part.Length - 1] == ']'
                ? LayoutSet.ParseNumber(part.Substring(0, part.Length - 1)) : 0;
            total *= counts[i];
            if (counts[i] < 1 || total > int.MaxValue) return false;
        }

        set.Measure(parts[0], out int size, out int alignment);
        int offset = LayoutSet.ParseNumber(words[3]);
        var layout = (LayoutStruct)current;
        if (size < 1 || offset < 0 || offset % alignment != 0 || layout.Alignment % alignment != 0
            || total * size > layout.Size - offset
            || (layout.Fields.Count != 0 && layout.Fields[layout.Fields.Count - 1].Offset > offset))
            return false;
        layout.Fields.Add(new LayoutField(words[1], parts[0], counts, offset, isAtomic));
        return true;
    }

    private static bool Complete(LayoutSet set, LayoutType? type)
    {
        if (type is null) return true;
        if (set.Find(type.Name) is not null || LayoutSet.ScalarSize(type.Name) != 0) return false;
        if (type is LayoutStruct layout
            && (layout.Fields.Count == 0 || Fingerprints.Of(layout, set) != layout.Fingerprint))
            return false;
        set.Types.Add(type);
        return true;
    }

    /// <summary>Whether every language can have it as a name: ASCII letters, digits, underscores, no digit
    /// first.</summary>
    public static bool IsName(string name)
    {
        foreach (char c in name)
        {
            if (c is not ((>= 'a' and <= 'z') or (>= 'A' and <= 'Z') or (>= '0' and <= '9') or '_')) return false;
        }

        return name.Length != 0 && name[0] is not (>= '0' and <= '9');
    }

    private static bool IsInteger(string text)
        => text[0] == '-' ? LayoutSet.TryParse(text.Substring(1), 10, out ulong less) && less <= 1UL << 63
            : LayoutSet.TryParse(text, 10, out _);

    private static string Number(int value) => value.ToString(CultureInfo.InvariantCulture);
}
