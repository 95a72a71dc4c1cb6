namespace NativeIpc.Layouts;

/// <summary>Types that a description names; what a type uses stands before it.</summary>
internal sealed class LayoutSet
{
    public List<LayoutType> Types { get; } = new();

    public LayoutType? Find(string name)
    {
        foreach (LayoutType type in Types)
        {
            if (type.Name == name) return type;
        }

        return null;
    }

    /// <summary>Adds what is not there. False when there is another type of the same name, or of one that differs in
    /// upper and lower case or underscores only: other languages make constants of it.</summary>
    public bool TryAdd(LayoutSet others, out string name)
    {
        foreach (LayoutType type in others.Types)
        {
            name = type.Name;
            LayoutType? known = Find(name);
            if (known is null)
            {
                foreach (LayoutType other in Types)
                {
                    if (SnakeCase.Of(other.Name) == SnakeCase.Of(name)) return false;
                }

                Types.Add(type);
            }
            else if (LayoutText.Lines(known) != LayoutText.Lines(type)) return false;
        }

        name = "";
        return true;
    }

    /// <summary>The bytes of one element of a type, and what its address is a multiple of.</summary>
    public void Measure(string type, out int size, out int alignment)
    {
        alignment = 1;
        if (TextLength(type) is { } length)
        {
            size = length;
            return;
        }

        if (Find(type) is LayoutStruct known)
        {
            (size, alignment) = (known.Size, known.Alignment);
            return;
        }

        size = alignment = ScalarSize(Find(type) is LayoutEnum list ? list.Underlying : type);
    }

    /// <summary>The bytes of a whole field.</summary>
    public int SizeOf(LayoutField field)
    {
        Measure(field.Type, out int size, out _);
        return size * field.Total;
    }

    /// <summary>The length of a fixed text; null when it is another type.</summary>
    public static int? TextLength(string type)
        => type.StartsWith("text:", System.StringComparison.Ordinal) ? ParseNumber(type.Substring(5)) : null;

    /// <summary>The bytes of a scalar; 0 when it is none.</summary>
    public static int ScalarSize(string type) => type switch
    {
        "u8" or "i8" => 1,
        "u16" or "i16" => 2,
        "u32" or "i32" or "f32" => 4,
        "u64" or "i64" or "f64" => 8,
        _ => 0,
    };

    /// <summary>A number from 0 to 2,147,483,647; -1 for anything else.</summary>
    internal static int ParseNumber(string digits)
        => TryParse(digits, 10, out ulong number) && number <= int.MaxValue ? (int)number : -1;

    /// <summary>Reads digits, without signs and spaces. Own code, since that of .NET is some kilobytes for each type
    /// and base in a native program.</summary>
    internal static bool TryParse(string digits, uint numberBase, out ulong number)
    {
        number = 0;
        foreach (char c in digits)
        {
            uint digit = c is >= '0' and <= '9' ? (uint)(c - '0') : c is >= 'a' and <= 'f' ? (uint)(c - 'a' + 10) : 99;
            if (digit >= numberBase || number > (ulong.MaxValue - digit) / numberBase) return false;
            number = (number * numberBase) + digit;
        }

        return digits.Length != 0;
    }
}
