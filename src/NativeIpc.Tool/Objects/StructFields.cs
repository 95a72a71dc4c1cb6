using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using NativeIpc.Layouts;

namespace NativeIpc.Tool.Objects;

/// <summary>A field of a structure in a segment.</summary>
/// <param name="Type">Its type, as it was written.</param>
/// <param name="Count">How many of them: of characters, bytes or elements; 1 for a single one.</param>
/// <param name="IsArray">Whether a count was given.</param>
/// <param name="Name">Its name.</param>
/// <param name="Offset">Where it begins, in bytes.</param>
internal sealed record StructField(string Type, int Count, bool IsArray, string Name, long Offset)
{
    /// <summary>Names of its values; null for none.</summary>
    public LayoutEnum? Names { get; init; }

    public int ElementSize => Type switch { "u8" or "i8" or "bool" or "char" or "bytes" => 1, "u16" or "i16" => 2,
        "u32" or "i32" or "f32" => 4, _ => 8 };

    public int Length => ElementSize * Count;
}

/// <summary>Fields as <c>--struct</c> takes them: <c>i32 width@0, f64[3] place, char[16] name@32</c>. Without an offset
/// a field follows the one before it, without padding.</summary>
internal static class StructFields
{
    private const string Types = "u8, i8, u16, i16, u32, i32, u64, i64, f32, f64, bool, char[N], bytes[N]";

    private static readonly string[] s_types = ["u8", "i8", "u16", "i16", "u32", "i32", "u64", "i64", "f32", "f64",
        "bool", "char", "bytes"];

    public static IReadOnlyList<StructField> Parse(string text)
    {
        List<StructField> fields = [];
        long next = 0;
        foreach (string part in text.Split([',', ';', '\n'],
            StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (!TrySplit(part, out string type, out string? number, out string name, out string? offset))
                throw ToolException.Usage(
                    $"'{part}' is no field. Write a type, a name and an offset: i32 width@0. Types: {Types}; other "
                        + $"types take [N], too.");
            bool isArray = number is not null;
            int count = 1;
            if (isArray && (!int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out count)
                || count is < 1 or > 65536))
                throw ToolException.Usage($"'{part}' has a count that is not from 1 to 65536.");
            if (!isArray && type is "bytes") throw ToolException.Usage($"'{part}' needs a count: {type}[N].");
            if (offset is not null && !TryParseOffset(offset, out next))
                throw ToolException.Usage($"'{part}' has no offset that can be meant. Use digits or 0x....");
            if (next > long.MaxValue - 65536 * sizeof(long))
                throw ToolException.Usage($"'{part}' lies behind the end of any segment.");
            var field = new StructField(type, count, isArray, name, next);
            fields.Add(field);
            next += field.Length;
        }

        return fields.Count > 0 ? fields
            : throw ToolException.Usage(
                "--struct names no field. Write for example: --struct \"i32 width@0, i32 height@4\".");
    }

    /// <summary>The value of a field: a text, a truth value, a number (long, ulong, float, double), or an array of
    /// them; null when the segment ends before it does.</summary>
    public static object? Value(StructField field, ReadOnlySpan<byte> bytes, bool isBigEndian)
    {
        if (bytes.Length < field.Length) return null;
        if (field.Type == "char") return Text(bytes[..field.Length]);
        if (field.Type == "bytes") return Convert.ToHexStringLower(bytes[..field.Length]);
        if (!field.IsArray) return Named(field, Element(field.Type, bytes, isBigEndian));
        var values = new object[field.Count];
        for (int i = 0; i < field.Count; i++)
            values[i] = Named(field, Element(field.Type, bytes[(i * field.ElementSize)..], isBigEndian));
        return values;
    }

    /// <summary>A value as it stands in JSON; a text, and what JSON has no number for, as it is.</summary>
    public static string Show(object value) => value switch
    {
        string text => text,
        bool known => known ? "true" : "false",
        object[] values => $"[{string.Join(",", values.Select(each => each is string ? $"\"{each}\"" : Show(each)))}]",
        _ => string.Create(CultureInfo.InvariantCulture, $"{value}"),
    };

    private static object Named(StructField field, object value)
        => field.Names is { } names ? LayoutFields.NameOf(names, Show(value)) : value;

    private static object Element(string type, ReadOnlySpan<byte> bytes, bool big) => type switch
    {
        "u8" => (long)bytes[0],
        "i8" => (long)(sbyte)bytes[0],
        "bool" => bytes[0] != 0,
        "u16" => (long)(big ? BinaryPrimitives.ReadUInt16BigEndian(bytes)
            : BinaryPrimitives.ReadUInt16LittleEndian(bytes)),
        "i16" => (long)(big ? BinaryPrimitives.ReadInt16BigEndian(bytes)
            : BinaryPrimitives.ReadInt16LittleEndian(bytes)),
        "u32" => (long)(big ? BinaryPrimitives.ReadUInt32BigEndian(bytes)
            : BinaryPrimitives.ReadUInt32LittleEndian(bytes)),
        "i32" => (long)(big ? BinaryPrimitives.ReadInt32BigEndian(bytes)
            : BinaryPrimitives.ReadInt32LittleEndian(bytes)),
        "u64" => big ? BinaryPrimitives.ReadUInt64BigEndian(bytes) : BinaryPrimitives.ReadUInt64LittleEndian(bytes),
        "i64" => big ? BinaryPrimitives.ReadInt64BigEndian(bytes) : BinaryPrimitives.ReadInt64LittleEndian(bytes),
        "f32" => Number(big ? BinaryPrimitives.ReadSingleBigEndian(bytes)
            : BinaryPrimitives.ReadSingleLittleEndian(bytes)),
        _ => Number(big ? BinaryPrimitives.ReadDoubleBigEndian(bytes) : BinaryPrimitives.ReadDoubleLittleEndian(bytes)),
    };

    /// <summary>JSON has no infinity and no NaN: those are texts.</summary>
    private static object Number(double value)
        => double.IsFinite(value) ? value : value.ToString(CultureInfo.InvariantCulture);

    private static object Number(float value)
        => float.IsFinite(value) ? value : value.ToString(CultureInfo.InvariantCulture);

    /// <summary>Up to the first zero, as C reads it.</summary>
    private static string Text(ReadOnlySpan<byte> bytes)
    {
        int end = bytes.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? bytes : bytes[..end]);
    }

    private static bool TryParseOffset(string text, out long offset)
        => text.StartsWith("0x", StringComparison.OrdinalIgnoreCase)
            ? long.TryParse(text.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out offset)
                && offset >= 0
            : long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out offset);

    /// <summary>The parts of <c>type[count] name@offset</c>; null for a count or an offset that is not there. False
    /// when it has another form.</summary>
    private static bool TrySplit(string part, out string type, out string? count, out string name, out string? offset)
    {
        string[] halves = part.Split('@', 2, StringSplitOptions.TrimEntries);
        string[] words = halves[0].Split(default(char[]), StringSplitOptions.RemoveEmptyEntries);
        (type, count, name, offset) = (words.FirstOrDefault(""), null, words.LastOrDefault(""),
            halves.Length > 1 ? halves[1] : null);
        if (type.EndsWith(']') && type.IndexOf('[', StringComparison.Ordinal) is > 0 and var at)
            (type, count) = (type[..at], type[(at + 1)..^1]);
        return words.Length == 2 && s_types.Contains(type) && offset is not "" && count is not ""
            && (count ?? "").All(char.IsAsciiDigit) && name.All(c => char.IsLetterOrDigit(c) || c is '_' or '.' or '-');
    }
}
