namespace NativeIpc.Layouts.Writing;

/// <summary>A module for Python 3.8 (and later): ctypes, and NumPy's dtypes where NumPy is.</summary>
internal sealed class PythonWriter(LayoutSet types, string name) : DeclarationWriter(types, name)
{
    protected override string Reserved => " and as assert async await break class continue def del elif else except "
        + "finally for from global if import in is lambda nonlocal not or pass raise return try while with yield ";

    protected override string ReservedTypes => " None True False LayoutMismatch bytes ctypes enum len memoryview numpy "
        + "open_layout create_layout struct text ";

    protected override void Begin() => Line($$""""
        # {{Note}}
        """Layouts of shared memory: a ctypes class each, and NAME_DTYPE where NumPy is installed."""
        import ctypes
        import enum
        import struct

        try:
            import numpy
        except ImportError:  # ctypes alone
            numpy = None

        LAYOUT_HEAD = 64  # bytes before the value, where a segment has a head
        _MAGIC = 0x31484C4E


        class LayoutMismatch(Exception):
            """The segment does not have the layout that was asked for."""


        def open_layout(segment, layout):
            """The value of a layout (a class of this module) in a segment with a head; raises LayoutMismatch."""
            name = layout.__name__
            view = memoryview(segment).cast("B")
            magic, version, fingerprint, size, at = (
                struct.unpack_from("=IIQII", view) if len(view) >= LAYOUT_HEAD else (0, 0, 0, 0, 0))
            if magic == 0:
                raise LayoutMismatch(f"the segment has no head of a layout (yet); {name} was expected")
            if magic != _MAGIC:
                raise LayoutMismatch(
                    f"the segment begins with other data than the head of a layout; {name} was expected")
            expected = (layout.VERSION, layout.FINGERPRINT, ctypes.sizeof(layout))
            if (version, fingerprint, size) != expected:
                raise LayoutMismatch(
                    f"the segment has another layout than {name} of this program: version {version}, fingerprint "
                    f"{fingerprint:016x}, {size} bytes, instead of version {expected[0]}, fingerprint "
                    f"{expected[1]:016x}, {expected[2]} bytes")
            if at != LAYOUT_HEAD:
                raise LayoutMismatch(f"the segment has {name} at offset {at}, instead of 64")
            if len(view) - LAYOUT_HEAD < size:
                raise LayoutMismatch(f"the segment is too small for {name}")
            return layout.from_buffer(segment, LAYOUT_HEAD)


        def create_layout(segment, layout):
            """Writes the head of a new segment, whose bytes are zero, and gives the value behind it."""
            view = memoryview(segment).cast("B")
            if len(view) - LAYOUT_HEAD < ctypes.sizeof(layout):
                raise LayoutMismatch(f"the segment is too small for {layout.__name__}")
            struct.pack_into("=IQII", view, 4, layout.VERSION, layout.FINGERPRINT, ctypes.sizeof(layout), LAYOUT_HEAD)
            struct.pack_into("=I", view, 0, _MAGIC)
            return layout.from_buffer(segment, LAYOUT_HEAD)


        def text(field):
            """A fixed text (the bytes that ctypes or NumPy gives), up to its first zero byte."""
            return bytes(field).split(b"\0", 1)[0].decode("utf-8", "replace")
        """");

    protected override void Add(LayoutEnum list)
    {
        Line();
        Line();
        Line($"class {list.Name}(enum.{(list.IsFlags ? "IntFlag" : "IntEnum")}):");
        foreach (LayoutValue value in list.Values)
            Line($"    {SnakeCase.Upper(value.Name)} = {value.Number}");
        if (list.Values.Count == 0) Line("    pass");
    }

    protected override void Add(LayoutStruct layout)
    {
        string name = layout.Name;
        Line();
        List<Member> members = Member.Of(layout, Types);
        List<string> fields = [], unions = [];
        foreach (Member member in members)
        {
            if (member.Fields.Count < 2)
            {
                fields.Add(member.Fields.Count == 0
                    ? $"(\"padding_{Text(member.Offset)}\", ctypes.c_uint8 * {Text(member.Size)})"
                    : $"(\"{NameOf(member.Fields[0])}\", {TypeOf(member.Fields[0])})");
                continue;
            }

            fields.Add($"(\"at_{Text(member.Offset)}\", {Union(name, member)})");
            unions.Add($"at_{Text(member.Offset)}");
        }

        Class(name, "Structure", fields, unions);
        Line($"    VERSION = {Text(layout.Version)}");
        Line($"    FINGERPRINT = {Hex(layout.Fingerprint)}");
        Line();
        Line();
        Line($"assert ctypes.sizeof({name}) == {Text(layout.Size)}, \"size of {name}\"");
        Line($"assert ctypes.alignment({name}) == {Text(layout.Alignment)}, \"alignment of {name}\"");
        foreach (LayoutField field in layout.Fields)
            Line($"assert {name}.{NameOf(field)}.offset == {Text(field.Offset)}, \"offset of {name}.{NameOf(field)}\"");
        AddDataType(layout);
    }

    /// <summary>Writes the class of fields that share their place, and gives its name.</summary>
    private string Union(string name, Member member)
    {
        List<string> parts = [], named = [];
        foreach (LayoutField field in member.Fields)
        {
            string own = $"(\"{NameOf(field)}\", {TypeOf(field)})";
            int gap = field.Offset - member.Offset;
            if (gap == 0)
            {
                parts.Add(own);
                continue;
            }

            string inner = $"_{name}_{NameOf(field)}";
            Class(inner, "Structure", [$"(\"before_{NameOf(field)}\", ctypes.c_uint8 * {Text(gap)})", own], []);
            parts.Add($"(\"at_{NameOf(field)}\", {inner})");
            named.Add($"at_{NameOf(field)}");
        }

        string union = $"_{name}_{Text(member.Offset)}";
        Class(union, "Union", parts, named);
        return union;
    }

    /// <summary>Writes the layout as NumPy has it.</summary>
    private void AddDataType(LayoutStruct layout)
    {
        string names = "", formats = "", offsets = "";
        foreach (LayoutField field in layout.Fields)
        {
            names += $"\"{NameOf(field)}\", ";
            formats += $"{Format(field)}, ";
            offsets += $"{Text(field.Offset)}, ";
        }

        Line("if numpy is not None:");
        Line($"    {SnakeCase.Upper(layout.Name)}_DTYPE = numpy.dtype({{");
        Line($"        \"names\": [{names.TrimEnd(',', ' ')}],");
        Line($"        \"formats\": [{formats.TrimEnd(',', ' ')}],");
        Line($"        \"offsets\": [{offsets.TrimEnd(',', ' ')}],");
        Line($"        \"itemsize\": {Text(layout.Size)}}})");
    }

    protected override void End()
    {
    }

    private void Class(string name, string kind, List<string> fields, List<string> unnamed)
    {
        Line();
        Line($"class {name}(ctypes.{kind}):");
        if (unnamed.Count > 0) Line($"    _anonymous_ = [\"{string.Join("\", \"", unnamed)}\"]");
        Line("    _fields_ = [");
        foreach (string field in fields) Line($"        {field},");
        Line("    ]");
    }

    /// <summary>The type of a field for ctypes: <c>(ctypes.c_float * 4) * 3</c>.</summary>
    private string TypeOf(LayoutField field)
    {
        string type = Types.Find(field.Type) is LayoutStruct ? field.Type
            : LayoutSet.TextLength(field.Type) is { } length ? $"ctypes.c_char * {Text(length)}"
            : Scalar(Underlying(field.Type));
        for (int i = field.Counts.Length - 1; i >= 0; i--)
        {
            string element = type.Contains('*', System.StringComparison.Ordinal) ? $"({type})" : type;
            type = $"{element} * {Text(field.Counts[i])}";
        }

        return type;
    }

    /// <summary>The same for NumPy.</summary>
    private string Format(LayoutField field)
    {
        string type = Types.Find(field.Type) is LayoutStruct ? SnakeCase.Upper(field.Type) + "_DTYPE"
            : LayoutSet.TextLength(field.Type) is { } length ? $"\"S{Text(length)}\""
            : Underlying(field.Type) is var scalar
                ? $"\"{scalar[0]}{Text(LayoutSet.ScalarSize(scalar))}\"" : "";
        if (field.Counts.Length == 0) return type;
        string shape = "";
        foreach (int count in field.Counts) shape += $"{Text(count)}, ";
        return $"({type}, ({shape.TrimEnd(' ')}))";
    }

    private string Underlying(string type) => Types.Find(type) is LayoutEnum list ? list.Underlying : type;

    private static string Scalar(string type) => type switch
    {
        "f32" => "ctypes.c_float",
        "f64" => "ctypes.c_double",
        _ => $"ctypes.c_{(type[0] == 'u' ? "uint" : "int")}{type[1..]}",
    };
}
