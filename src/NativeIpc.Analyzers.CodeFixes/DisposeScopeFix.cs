using System.Collections.Immutable;
using System.Composition;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeActions;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace NativeIpc.Analyzers;

/// <summary>NIPC002, where the scope has a variable: <c>using</c> before its declaration. Elsewhere nobody but the
/// author knows where the scope is to end.</summary>
[ExportCodeFixProvider(LanguageNames.CSharp, Name = nameof(DisposeScopeFix))]
[Shared]
public sealed class DisposeScopeFix : CodeFixProvider
{
    private const string Title = "Dispose it at the end of the block (using)";

    /// <inheritdoc/>
    public override ImmutableArray<string> FixableDiagnosticIds { get; } = ImmutableArray.Create("NIPC002");

    /// <inheritdoc/>
    public override FixAllProvider GetFixAllProvider() => WellKnownFixAllProviders.BatchFixer;

    /// <inheritdoc/>
    public override async Task RegisterCodeFixesAsync(CodeFixContext context)
    {
        SyntaxNode? root = await context.Document.GetSyntaxRootAsync(context.CancellationToken).ConfigureAwait(false);
        foreach (Diagnostic diagnostic in context.Diagnostics)
        {
            SyntaxNode? call = root?.FindNode(diagnostic.Location.SourceSpan, getInnermostNodeForTie: true);
            var declared = call?.FirstAncestorOrSelf<LocalDeclarationStatementSyntax>();
            // Not where the variable is an argument, TryLock(out var scope): that has no using.
            if (declared is not { Declaration.Variables.Count: 1 }
                || declared.Declaration.Variables[0].Initializer is not { } first
                || Awaited(first.Value) != call // it may stand in a function there, or be a part of something else
                || call is InvocationExpressionSyntax { ArgumentList.Arguments: var given }
                    && given.Any(argument => argument.RefKindKeyword.IsKind(SyntaxKind.OutKeyword)))
                continue;
            context.RegisterCodeFix(CodeAction.Create(Title, _ => Task.FromResult(
                context.Document.WithSyntaxRoot(root!.ReplaceNode(declared, WithUsing(declared)))), Title), diagnostic);
        }
    }

    private static ExpressionSyntax Awaited(ExpressionSyntax value) => value switch
    {
        AwaitExpressionSyntax await => Awaited(await.Expression),
        ParenthesizedExpressionSyntax inner => Awaited(inner.Expression),
        _ => value,
    };

    private static LocalDeclarationStatementSyntax WithUsing(LocalDeclarationStatementSyntax declared)
        => declared.WithoutLeadingTrivia()
            .WithUsingKeyword(SyntaxFactory.Token(SyntaxKind.UsingKeyword).WithTrailingTrivia(SyntaxFactory.Space))
            .WithLeadingTrivia(declared.GetLeadingTrivia());
}
