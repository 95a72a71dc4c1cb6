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
        Add(context, context.SyntaxProvider.ForAttributeWithMetadataName(Known.SharedLayout, IsStruct, ReadLayout));
        Add(context, context.SyntaxProvider.ForAttributeWithMetadataName(Known.FixedText, IsStruct, ReadText));
    }

    private static void Add(IncrementalGeneratorInitializationContext context,
        IncrementalValuesProvider<Generated> all)
    {
        all = all.WithTrackingName("Structs"); // tests ask for it
        context.RegisterSourceOutput(all, static (target, made) =>
        {
            if (made.Code is { } code) target.AddSource(made.File, code);
        });
        // By itself, since the place of a report is one of a compilation: code is not made anew for it.
        context.RegisterSourceOutput(
            all.Where(static made => made.Reports.Items.Count > 0).Combine(context.CompilationProvider),
            static (target, made) =>
            {
                foreach (Report report in made.Left.Reports.Items)
                    target.ReportDiagnostic(report.ToDiagnostic(made.Right));
            });
    }

    private static bool IsStruct(SyntaxNode node, CancellationToken cancel)
        => node is StructDeclarationSyntax or RecordDeclarationSyntax;

    private static Generated ReadLayout(GeneratorAttributeSyntaxContext context, CancellationToken cancel)
        => LayoutCode.Of((INamedTypeSymbol)context.TargetSymbol, cancel);

    private static Generated ReadText(GeneratorAttributeSyntaxContext context, CancellationToken cancel)
        => TextCode.Of((INamedTypeSymbol)context.TargetSymbol);
}
