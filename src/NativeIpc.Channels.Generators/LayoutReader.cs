using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.CodeAnalysis;
using NativeIpc.Layouts;

namespace NativeIpc.Channels.Generators;

/// <summary>Makes the description of a struct, by the rule that C compilers of all 64-bit platforms and .NET have in
/// common: each field at the next multiple of its alignment, or where the struct says.</summary>
internal sealed class LayoutReader
{
    /// <summary>Where .NET has the last field of any struct, in bytes.</summary>
    private const int Furthest = (1 << 27) - 8;

    private const string Ascii = "names are of ASCII letters, digits and underscores";

    private readonly LayoutSet _types;
    private readonly CancellationToken _cancel;
    private readonly HashSet<ISymbol> _open = new(SymbolEqualityComparer.Default);

    public LayoutReader(LayoutSet types, CancellationToken cancel) => (_types, _cancel) = (types, cancel);

    /// <summary>Its own fields, in the order in which they are written.</summary>
    public static IEnumerable<IFieldSymbol> FieldsOf(INamedTypeSymbol type)
        => type.GetMembers().OfType<IFieldSymbol>().Where(field => !field.IsStatic && !field.IsConst);

    /// <summary>The name of a field in a description: <c>_sequence</c> is <c>Sequence</c>.</summary>
    public static string NameOf(IFieldSymbol field)
    {
        string name = field.Name.TrimStart('_');
        return name.Length == 0 || name.Length == field.Name.Length ? field.Name
            : char.ToUpperInvariant(name[0]) + name.Substring(1);
    }

    /// <summary>The description of a struct, added to the types with what it uses; null when it has a
    /// fault.</summary>
    public LayoutStruct? Read(INamedTypeSymbol type, List<Report> reports)
    {
        _cancel.ThrowIfCancellationRequested();
        int before = reports.Count(IsFault);
        AttributeData? given = Known.Find(type, Known.SharedLayout);
        string name = Known.Property(given, "Name") as string ?? type.Name;
        int version = Known.Property(given, "Version") as int? ?? 0;
        if (!LayoutText.IsName(name))
            reports.Add(Report.At(type, Rules.s_name, name, Ascii));
        if (version < 0)
            reports.Add(Report.At(type, Rules.s_layout, type.Name, "its version is less than 0"));
        if (!_open.Add(type)) return null; // within itself: the compiler says so
        AttributeData? wanted = Known.Find(type, Known.StructLayout);
        var kind = (LayoutKind)(wanted?.ConstructorArguments.FirstOrDefault().Value switch
            { int number => number, short number => number, _ => (int)LayoutKind.Sequential });
        int pack = Known.Property(wanted, "Pack") as int? ?? 0, least = Known.Property(wanted, "Size") as int? ?? 0;
        if (kind == LayoutKind.Auto || (int)kind == 1) // 1: LayoutKind.Extended of .NET 11
            reports.Add(Report.At(type, Rules.s_layout, type.Name, "it leaves the order of its fields to .NET"));
        if (Known.Find(type, Known.InlineArray) is not null)
            reports.Add(Report.At(type, Rules.s_layout, type.Name, "it is an [InlineArray]: make a field of it"));
        if (type.DeclaringSyntaxReferences.Count(part => FieldsOf(type).Any(
            field => field.DeclaringSyntaxReferences.Any(at => at.SyntaxTree == part.SyntaxTree
                && part.Span.Contains(at.Span)))) > 1)
            reports.Add(Report.At(type, Rules.s_layout, type.Name, "its fields stand in several parts, without order"));

        List<Place> places = PlacesOf(type, kind, pack, reports);
        _open.Remove(type);
        int end = 0, alignment = 1;
        foreach (Place place in places)
        {
            end = Math.Max(end, place.End);
            alignment = Math.Max(alignment, place.Alignment);
        }

        if (places.Count == 0 && reports.Count(IsFault) == before)
            reports.Add(Report.At(type, Rules.s_layout, type.Name, "it has no fields"));
        int size = (int)Math.Min(int.MaxValue & ~7, ((long)end + alignment - 1) / alignment * alignment);
        if (least != 0 && (least < size || least % alignment != 0))
            reports.Add(Report.At(type, Rules.s_layout, type.Name,
                $"its Size has to be a multiple of {Text(alignment)} from {Text(size)} on"));
        size = Math.Max(size, least);
        if (reports.Count(IsFault) != before) return null;

        Padding(type, places, size, reports);
        var layout = new LayoutStruct(name, size, alignment, version);
        foreach (Place place in places.OrderBy(place => place.Field.Offset)) layout.Fields.Add(place.Field);
        layout.Fingerprint = Fingerprints.Of(layout, _types);
        return Add(layout) ? layout : Clash(type, name, reports);
    }

    private List<Place> PlacesOf(INamedTypeSymbol type, LayoutKind kind, int pack, List<Report> reports)
    {
        List<Place> places = [];
        long next = 0;
        foreach (IFieldSymbol field in FieldsOf(type))
        {
            if (!HasName(field, places, reports)) continue;
            List<int> counts = [];
            string? element = field.IsFixedSizeBuffer ? Buffer(field, counts, reports)
                : TypeOf(field, field.Type, counts, reports);
            if (element is null) continue;
            _types.Measure(element, out int size, out int alignment);
            // Larger than any layout is large enough: the product never leaves 64 bits.
            long whole = counts.Aggregate((long)size,
                (product, count) => product > int.MaxValue ? product : product * count);
            long offset = kind == LayoutKind.Explicit ? Known.Number(field, Known.FieldOffset) ?? 0
                : (next + alignment - 1) / alignment * alignment;
            if (offset % alignment != 0 || (pack != 0 && pack < alignment))
            {
                reports.Add(Report.At(field, Rules.s_alignment, field.Name,
                    offset % alignment != 0 ? Text(offset) : $"a place that Pack = {Text(pack)} decides",
                    Text(alignment)));
                continue;
            }

            if (offset > Furthest || (whole > Furthest && counts.Count > 0 && !field.IsFixedSizeBuffer))
            {
                reports.Add(Report.At(field, Rules.s_layout, type.Name,
                    "a field begins behind 128 MiB, or an [InlineArray] has more, which .NET does not load"));
                return places;
            }

            next = offset + whole;
            if (next > int.MaxValue / 2)
            {
                reports.Add(Report.At(field, Rules.s_layout, type.Name, "it has more than a gigabyte"));
                return places;
            }

            bool isAtomic = Known.Find(field, Known.Atomic) is not null;
            if (isAtomic && NotAtomic(field) is { } reason)
                reports.Add(Report.At(field, Rules.s_atomic, field.Name, reason));
            var placed = new LayoutField(NameOf(field), element, counts.ToArray(), (int)offset, isAtomic);
            places.Add(new Place(field, placed, (int)next, alignment));
        }

        foreach (Place place in places.Where(place => place.Field.IsAtomic
            && places.Any(other => other != place && other.Field.Offset < place.End && place.Field.Offset < other.End)))
            reports.Add(Report.At(place.Symbol, Rules.s_atomic, place.Symbol.Name, "another field overlaps it"));
        return places;
    }

    /// <summary>Whether a field has a name that other languages take, and a place of its own.</summary>
    private static bool HasName(IFieldSymbol field, List<Place> places, List<Report> reports)
    {
        if (field.AssociatedSymbol is { } property)
        {
            reports.Add(Report.At(property, Rules.s_type, property.Name, "an automatic property",
                "write a field, which has a place of its own"));
            return false;
        }

        if (field.IsImplicitlyDeclared)
        {
            // The compiler names it after the parameter: <b>P.
            reports.Add(Report.At(field, Rules.s_type, field.Name.Split('<', '>')[1], "a parameter of the struct",
                "it is a field as soon as a method uses it; write a field"));
            return false;
        }

        string name = NameOf(field);
        if (!LayoutText.IsName(name))
        {
            reports.Add(Report.At(field, Rules.s_name, name, Ascii));
            return false;
        }

        if (places.FirstOrDefault(place => SnakeCase.Of(place.Field.Name) == SnakeCase.Of(name)) is { } same)
        {
            reports.Add(Report.At(field, Rules.s_name, name,
                $"'{same.Field.Name}' is '{SnakeCase.Of(name)}' in other languages as well"));
        }

        return true;
    }

    private static string? NotAtomic(IFieldSymbol field)
        => field.Type.SpecialType is not (SpecialType.System_Int32 or SpecialType.System_UInt32
            or SpecialType.System_Int64 or SpecialType.System_UInt64) ? "its type is not int, uint, long or ulong"
            : field.Name.TrimStart('_').Length is var length && (length == field.Name.Length || length == 0)
                ? "its name does not begin with an underscore; the property has the name without it"
            : field.DeclaredAccessibility != Accessibility.Private
                ? "it is not private; the property is there for others"
            : field.IsReadOnly ? "it is readonly" : null;

    private static void Padding(INamedTypeSymbol type, List<Place> places, int size, List<Report> reports)
    {
        int end = 0;
        foreach (Place place in places.OrderBy(place => place.Field.Offset))
        {
            if (place.Field.Offset > end)
                reports.Add(Report.At(place.Symbol, Rules.s_padding, Text(place.Field.Offset - end),
                    $"before '{place.Symbol.Name}'"));
            end = Math.Max(end, place.End);
        }

        if (size > end) reports.Add(Report.At(type, Rules.s_padding, Text(size - end), $"at the end of '{type.Name}'"));
    }

    private string? Buffer(IFieldSymbol field, List<int> counts, List<Report> reports)
    {
        counts.Add(field.FixedSize);
        return TypeOf(field, ((IPointerTypeSymbol)field.Type).PointedAtType, counts, reports);
    }

    /// <summary>The type of a field or of an element, as a description has it; null after a report.</summary>
    private string? TypeOf(IFieldSymbol field, ITypeSymbol type, List<int> counts, List<Report> reports)
    {
        if (Scalar(type.SpecialType) is { } scalar) return scalar;
        string? Refuse(string reason)
        {
            reports.Add(Report.At(field, Rules.s_type, field.Name, type.ToDisplayString(), reason));
            return null;
        }

        if (type.TypeKind == TypeKind.Error) return Refuse("it is not known");
        if (Reason(type) is { } reason) return Refuse(reason);
        var named = (INamedTypeSymbol)type;
        if (named.TypeKind == TypeKind.Enum) return Enum(field, named, reports);
        if (Known.Number(named, Known.FixedText) is { } length)
            return length is < 1 or > TextCode.Longest ? Refuse("it has a fault itself") : $"text:{Text(length)}";
        if (Known.Number(named, Known.InlineArray) is { } count)
        {
            if (FieldsOf(named).FirstOrDefault() is not { } element || count < 1)
                return Refuse("its element is not known here");
            AttributeData? wanted = Known.Find(named, Known.StructLayout);
            if (Known.Property(wanted, "Pack") is > 0 || Known.Property(wanted, "Size") is > 0)
                return Refuse("its [StructLayout] has a Pack or Size, which would move its elements");
            counts.Add(count);
            return TypeOf(field, element.Type, counts, reports);
        }

        if (Known.Find(named, Known.Description) is { } described)
        {
            // Of another assembly, where the generator has run already.
            LayoutSet? others = described.ConstructorArguments.FirstOrDefault().Value is string text
                ? LayoutText.Parse(text) : null;
            if (others is null || others.Types.Count == 0) return Refuse("its description cannot be read");
            if (_types.TryAdd(others, out string clash)) return others.Types[others.Types.Count - 1].Name;
            Clash(field, clash, reports);
            return null;
        }

        if (Known.Find(named, Known.SharedLayout) is null)
            return Refuse("it is no layout: mark it with [SharedLayout] if it is yours");
        return Read(named, [])?.Name ?? Refuse("it has a fault itself");
    }

    private string? Enum(IFieldSymbol field, INamedTypeSymbol type, List<Report> reports)
    {
        var list = new LayoutEnum(type.Name, Scalar(type.EnumUnderlyingType!.SpecialType)!,
            Known.Find(type, "System.FlagsAttribute") is not null);
        foreach (IFieldSymbol value in type.GetMembers().OfType<IFieldSymbol>().Where(each => each.HasConstantValue))
        {
            if (list.Values.Any(each => SnakeCase.Of(each.Name) == SnakeCase.Of(value.Name)))
            {
                reports.Add(Report.At(field, Rules.s_name, value.Name,
                    $"another value of '{type.Name}' is '{SnakeCase.Of(value.Name)}' in other languages as well"));
                return null;
            }

            if (!LayoutText.IsName(value.Name))
            {
                reports.Add(Report.At(field, Rules.s_name, value.Name, Ascii));
                return null;
            }

            list.Values.Add(new LayoutValue(value.Name,
                Convert.ToString(value.ConstantValue, CultureInfo.InvariantCulture)));
        }

        if (LayoutText.IsName(list.Name) && Add(list)) return list.Name;
        if (LayoutText.IsName(list.Name)) Clash(field, list.Name, reports);
        else reports.Add(Report.At(field, Rules.s_name, list.Name, Ascii));
        return null;
    }

    private bool Add(LayoutType type)
    {
        var alone = new LayoutSet();
        alone.Types.Add(type);
        return LayoutSet.ScalarSize(type.Name) == 0 && _types.TryAdd(alone, out _);
    }

    private static LayoutStruct? Clash(ISymbol at, string name, List<Report> reports)
    {
        reports.Add(Report.At(at, Rules.s_name, name, "another type has it, here or in other languages"));
        return null;
    }

    private static bool IsFault(Report report) => report.Rule.DefaultSeverity == DiagnosticSeverity.Error;

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);

    private static string? Scalar(SpecialType type) => type switch
    {
        SpecialType.System_Byte => "u8",
        SpecialType.System_SByte => "i8",
        SpecialType.System_UInt16 => "u16",
        SpecialType.System_Int16 => "i16",
        SpecialType.System_UInt32 => "u32",
        SpecialType.System_Int32 => "i32",
        SpecialType.System_UInt64 => "u64",
        SpecialType.System_Int64 => "i64",
        SpecialType.System_Single => "f32",
        SpecialType.System_Double => "f64",
        _ => null,
    };

    /// <summary>Why a type is not the same everywhere, and what to use instead; null for one that may be.</summary>
    private static string? Reason(ITypeSymbol type) => type.SpecialType switch
    {
        SpecialType.System_Boolean => "a byte that is neither 0 nor 1 would be no bool; use byte, or an enum over byte",
        SpecialType.System_Char => "its UTF-16 is a number to others; use ushort, or a struct with [FixedText]",
        SpecialType.System_IntPtr => "its size is that of the process's addresses; use long",
        SpecialType.System_UIntPtr => "its size is that of the process's addresses; use ulong",
        SpecialType.System_Decimal => "no other language has it; use long with a fixed scale, or double",
        SpecialType.System_DateTime => "its bits are private to .NET; use long, with DateTime.ToBinary or Unix time",
        SpecialType.System_String => "a reference leads nowhere in another process; use a struct with [FixedText]",
        _ => type.TypeKind switch
        {
            TypeKind.Pointer or TypeKind.FunctionPointer
                => "an address leads elsewhere in another process; use an offset from the segment's beginning",
            TypeKind.TypeParameter => "it is not known",
            _ when type.IsReferenceType => type.TypeKind == TypeKind.Array
                ? "an array is a reference; use a struct with [InlineArray], or a fixed-size buffer"
                : "a reference leads nowhere in another process",
            _ when type.OriginalDefinition.SpecialType == SpecialType.System_Nullable_T
                => "its layout is private to .NET; use the value and a byte that says whether it is there",
            _ => type.ToDisplayString() switch
            {
                "System.TimeSpan" => "its bits are private to .NET; use long, with TimeSpan.Ticks",
                "System.DateTimeOffset" or "System.DateOnly" or "System.TimeOnly"
                    => "its bits are private to .NET; use long, with ticks or Unix time",
                "System.Guid" => "its bytes have another order elsewhere; use a struct with [InlineArray(16)] of byte",
                "System.Half" => "not every language has it; use float, or ushort with BitConverter",
                "System.Int128" or "System.UInt128"
                    => "its alignment differs between platforms; use two fields of 64 bits",
                _ => null,
            },
        },
    };
}

/// <summary>A field with its place.</summary>
internal sealed record Place(IFieldSymbol Symbol, LayoutField Field, int End, int Alignment);
