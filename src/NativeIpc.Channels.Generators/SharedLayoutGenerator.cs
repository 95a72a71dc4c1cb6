using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Diagnostics;

namespace NativeIpc.Channels.Generators;

/// <summary>Verifies structs with <c>[SharedLayout]</c> and <c>[FixedText]</c>, and writes the rest of them.</summary>
[Generator(LanguageNames.CSharp)]
public sealed class SharedLayoutGenerator : IIncrementalGenerator
{
    /// <inheritdoc/>
    public void Initialize(IncrementalGeneratorInitializationContext context)
    {
        IncrementalValuesProvider<Generated> layouts
            = context.SyntaxProvider.ForAttributeWithMetadataName(Known.SharedLayout, IsStruct, ReadLayout);
        Add(context, layouts);
        AddDeclarations(context, layouts);
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

    /// <summary>The declarations of all layouts in other languages, for who has the assembly alone.</summary>
    private static void AddDeclarations(IncrementalGeneratorInitializationContext context,
        IncrementalValuesProvider<Generated> layouts)
    {
        IncrementalValueProvider<string> name = context.CompilationProvider
            .Select(static (compilation, _) => compilation.AssemblyName ?? "");
        IncrementalValueProvider<string?> options = context.AnalyzerConfigOptionsProvider.Select(static (all, _) =>
            Property(all.GlobalOptions, "NativeIpcLayoutInAssembly") is "false" ? null
                : Property(all.GlobalOptions, "NativeIpcLayoutName"));
        context.RegisterSourceOutput(
            layouts.Where(static made => made.Description is not null)
                .Select(static (made, _) => made.Description!).Collect().Combine(name.Combine(options)),
            static (target, made) =>
            {
                (ImmutableArray<string> descriptions, (string assembly, string? given)) = made;
                if (given is not null && DeclarationsCode.Of(descriptions, given.Length > 0 ? given : assembly)
                    is { } code)
                    target.AddSource("NativeIpcLayouts.g.cs", code);
            });
    }

    private static string Property(AnalyzerConfigOptions all, string name)
        => all.TryGetValue("build_property." + name, out string? value) ? value.Trim() : "";

    private static bool IsStruct(SyntaxNode node, CancellationToken cancel)
        => node is StructDeclarationSyntax or RecordDeclarationSyntax;

    private static Generated ReadLayout(GeneratorAttributeSyntaxContext context, CancellationToken cancel)
        => LayoutCode.Of((INamedTypeSymbol)context.TargetSymbol, cancel);

    private static Generated ReadText(GeneratorAttributeSyntaxContext context, CancellationToken cancel)
        => TextCode.Of((INamedTypeSymbol)context.TargetSymbol);
}
