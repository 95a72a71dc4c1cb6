namespace NativeIpc.Layouts;

/// <summary>A type of a description: an enum or a struct.</summary>
internal abstract class LayoutType
{
    protected LayoutType(string name) => Name = name;

    /// <summary>Its name, as C# has it.</summary>
    public string Name { get; }
}

/// <summary>An enum and its names.</summary>
internal sealed class LayoutEnum : LayoutType
{
    public LayoutEnum(string name, string underlying, bool isFlags) : base(name)
        => (Underlying, IsFlags) = (underlying, isFlags);

    /// <summary>The integer that it is: <c>u8</c> to <c>i64</c>.</summary>
    public string Underlying { get; }

    /// <summary>Whether its values are bits.</summary>
    public bool IsFlags { get; }

    /// <summary>Its names with their values, in digits.</summary>
    public List<LayoutValue> Values { get; } = new();
}

/// <summary>A value of an enum.</summary>
internal sealed class LayoutValue
{
    public LayoutValue(string name, string number) => (Name, Number) = (name, number);

    /// <summary>Its name, as C# has it.</summary>
    public string Name { get; }

    /// <summary>Its value, in digits.</summary>
    public string Number { get; }
}

/// <summary>A struct with its fields, sorted by offset.</summary>
internal sealed class LayoutStruct : LayoutType
{
    public LayoutStruct(string name, int size, int alignment, int version) : base(name)
        => (Size, Alignment, Version) = (size, alignment, version);

    /// <summary>Its size in bytes.</summary>
    public int Size { get; }

    /// <summary>What its address is a multiple of, in bytes.</summary>
    public int Alignment { get; }

    /// <summary>The author's number.</summary>
    public int Version { get; }

    /// <summary>See <see cref="Fingerprints"/>.</summary>
    public ulong Fingerprint { get; set; }

    public List<LayoutField> Fields { get; } = new();
}

/// <summary>A field of a struct.</summary>
internal sealed class LayoutField
{
    public LayoutField(string name, string type, int[] counts, int offset, bool isAtomic)
        => (Name, Type, Counts, Offset, IsAtomic) = (name, type, counts, offset, isAtomic);

    /// <summary>Its name, as C# has it, without an underscore before it.</summary>
    public string Name { get; }

    /// <summary>A scalar (<c>u8</c> to <c>f64</c>), <c>text:N</c>, or the name of an enum or struct.</summary>
    public string Type { get; }

    /// <summary>How many elements: empty for a single value, several for arrays of arrays, the outer one
    /// first.</summary>
    public int[] Counts { get; }

    /// <summary>Where it begins, in bytes.</summary>
    public int Offset { get; }

    /// <summary>Whether several processes read and write it at once.</summary>
    public bool IsAtomic { get; }

    /// <summary>How many elements all arrays have together.</summary>
    public int Total
    {
        get
        {
            int total = 1;
            foreach (int count in Counts) total *= count;
            return total;
        }
    }
}
