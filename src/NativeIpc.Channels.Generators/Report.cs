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

    /// <summary>The diagnostic at its place in the source: pragmas and .editorconfig apply to such a place
    /// alone.</summary>
    public Diagnostic ToDiagnostic(Compilation compilation)
    {
        SyntaxTree? tree = compilation.SyntaxTrees.FirstOrDefault(each => each.FilePath == Path
            && Span.End <= each.Length);
        return Diagnostic.Create(Rule, tree is null ? Location.Create(Path, Span, Lines) : Location.Create(tree, Span),
            Arguments.Items.ToArray<object>());
    }
}

/// <summary>What is made of one struct: the code, if it has no fault, what is to be said, and the description of a
/// layout.</summary>
internal sealed record Generated(string File, string? Code, EquatableList<Report> Reports, string? Description = null);
