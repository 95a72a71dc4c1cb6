using Microsoft.CodeAnalysis;

namespace NativeIpc.Analyzers;

/// <summary>What is reported; docs/analyzers.md has a section for each.</summary>
internal static class Rules
{
    public static readonly DiagnosticDescriptor s_useAfterEnd = New("NIPC001",
        "A view of a segment is used after the segment's end",
        "'{0}' is memory of '{1}', which is disposed by then: its pages may be gone, or another object's");

    public static readonly DiagnosticDescriptor s_notDisposed = New("NIPC002",
        "A lock scope or a permit is not disposed",
        "What '{0}' gives is never disposed, so it stays taken until the instance or the process ends");

    public static readonly DiagnosticDescriptor s_noKey = New("NIPC003",
        "A literal is not the text of a key",
        "'{0}' is not the text of a key, so Parse throws: {1}");

    private static DiagnosticDescriptor New(string id, string title, string message)
        => new(id, title, message, "NativeIpc", DiagnosticSeverity.Warning, isEnabledByDefault: true,
            helpLinkUri: null);
}
