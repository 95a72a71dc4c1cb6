using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Text;

namespace NativeIpc.Channels.Generators;

/// <summary>A diagnostic that can be compared, and keeps no compilation alive.</summary>
internal sealed record Report(DiagnosticDescriptor Rule, string Path, TextSpan Span, LinePositionSpan Lines,
    EquatableList<string> Arguments)
{
    public static Report At(ISymbol symbol, DiagnosticDescriptor rule, params string[] arguments)
    {
        Location at = symbol.Locations.FirstOrDefault(location => location.IsInSource) ?? Location.None;
        return new Report(rule, at.SourceTree?.FilePath ?? "", at.SourceSpan, at.GetLineSpan().Span,
            new EquatableList<string>(arguments));
    }

    public Diagnostic ToDiagnostic()
        => Diagnostic.Create(Rule, Location.Create(Path, Span, Lines), Arguments.Items.ToArray<object>());
}

/// <summary>What is made of one struct: the code, if it has no fault, and what is to be said.</summary>
internal sealed record Generated(string File, string? Code, EquatableList<Report> Reports);
