using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace NativeIpc.Channels.Generators;

/// <summary>Verifies structs with <c>[SharedLayout]</c> and <c>[FixedText]</c>, and writes the rest of them.</summary>
[Generator(LanguageNames.CSharp)]
public sealed class SharedLayoutGenerator : IIncrementalGenerator
{
    /// <inheritdoc/>
    public void Initialize(IncrementalGeneratorInitializationContext context)
    {
        context.RegisterSourceOutput(
            context.SyntaxProvider.ForAttributeWithMetadataName(Known.SharedLayout, IsStruct, ReadLayout), Add);
        context.RegisterSourceOutput(
            context.SyntaxProvider.ForAttributeWithMetadataName(Known.FixedText, IsStruct, ReadText), Add);
    }

    private static bool IsStruct(SyntaxNode node, CancellationToken cancel)
        => node is StructDeclarationSyntax or RecordDeclarationSyntax;

    private static Generated ReadLayout(GeneratorAttributeSyntaxContext context, CancellationToken cancel)
        => LayoutCode.Of((INamedTypeSymbol)context.TargetSymbol, cancel);

    private static Generated ReadText(GeneratorAttributeSyntaxContext context, CancellationToken cancel)
        => TextCode.Of((INamedTypeSymbol)context.TargetSymbol);

    private static void Add(SourceProductionContext context, Generated made)
    {
        foreach (Report report in made.Reports.Items) context.ReportDiagnostic(report.ToDiagnostic());
        if (made.Code is { } code) context.AddSource(made.File, code);
    }
}
