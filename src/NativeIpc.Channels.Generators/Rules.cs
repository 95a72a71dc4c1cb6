using Microsoft.CodeAnalysis;

namespace NativeIpc.Channels.Generators;

/// <summary>What is reported.</summary>
internal static class Rules
{
    public static readonly DiagnosticDescriptor s_notPartial = New("NIPC101",
        "A layout or a fixed text, or a type around it, is not partial",
        "'{0}' has to be partial, since the rest of it is generated");

    public static readonly DiagnosticDescriptor s_kind = New("NIPC102",
        "A generic struct, a ref struct or one of a file cannot be a layout",
        "'{0}' cannot be a layout: {1}");

    public static readonly DiagnosticDescriptor s_type = New("NIPC103",
        "A field's type is not the same everywhere",
        "The field '{0}' cannot be '{1}' in a layout: {2}");

    public static readonly DiagnosticDescriptor s_layout = New("NIPC104",
        "The layout that the struct asks for is none that other languages have",
        "'{0}' cannot be laid out the same everywhere: {1}");

    public static readonly DiagnosticDescriptor s_alignment = New("NIPC105",
        "A field does not begin at a multiple of its alignment",
        "The field '{0}' begins at {1}, which is no multiple of {2}: other languages would place it elsewhere");

    public static readonly DiagnosticDescriptor s_atomic = New("NIPC106",
        "A field that is [Atomic] cannot be",
        "The field '{0}' cannot be [Atomic]: {1}");

    public static readonly DiagnosticDescriptor s_name = New("NIPC107",
        "A name that not every language can have, or that is there twice",
        "The name '{0}' cannot be used in a layout: {1}");

    public static readonly DiagnosticDescriptor s_text = New("NIPC108",
        "A fixed text has a length that cannot be, or fields of its own",
        "'{0}' cannot be a fixed text: {1}");

    public static readonly DiagnosticDescriptor s_padding = new("NIPC109",
        "Padding stands before a field or at the end",
        "{0} bytes of padding stand {1}; they are the same everywhere, and nobody writes them", "NativeIpc",
        DiagnosticSeverity.Info, isEnabledByDefault: true);

    private static DiagnosticDescriptor New(string id, string title, string message)
        => new(id, title, message, "NativeIpc", DiagnosticSeverity.Error, isEnabledByDefault: true);
}
