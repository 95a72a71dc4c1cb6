using Microsoft.CodeAnalysis;

namespace NativeIpc.Channels.Generators;

/// <summary>Attributes that mean something here, by their names.</summary>
internal static class Known
{
    public const string Namespace = "NativeIpc.Channels.";
    public const string SharedLayout = Namespace + "SharedLayoutAttribute";
    public const string FixedText = Namespace + "FixedTextAttribute";
    public const string Description = Namespace + "SharedLayoutDescriptionAttribute";
    public const string Atomic = Namespace + "AtomicAttribute";
    public const string InlineArray = "System.Runtime.CompilerServices.InlineArrayAttribute";
    public const string StructLayout = "System.Runtime.InteropServices.StructLayoutAttribute";
    public const string FieldOffset = "System.Runtime.InteropServices.FieldOffsetAttribute";

    public static AttributeData? Find(ISymbol symbol, string attribute)
        => symbol.GetAttributes().FirstOrDefault(given => given.AttributeClass?.ToDisplayString() == attribute);

    /// <summary>The first number that the attribute's constructor was given; null without the attribute.</summary>
    public static int? Number(ISymbol symbol, string attribute)
        => Find(symbol, attribute)?.ConstructorArguments.FirstOrDefault().Value as int?;

    /// <summary>A property that the attribute was given.</summary>
    public static object? Property(AttributeData? attribute, string name)
        => attribute?.NamedArguments.FirstOrDefault(given => given.Key == name).Value.Value;
}
