using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;

namespace NativeIpc.Analyzers;

/// <summary>NIPC002: the scope of a lock, or a permit, that nothing disposes.</summary>
/// <remarks>A scope that is passed on, returned, kept in a field or caught by a lambda is somebody else's to
/// dispose.</remarks>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class ScopeAnalyzer : DiagnosticAnalyzer
{
    /// <inheritdoc/>
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } = [Rules.s_notDisposed];

    /// <inheritdoc/>
    public override void Initialize(AnalysisContext context)
    {
        context.EnableConcurrentExecution();
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.None);
        context.RegisterOperationBlockAction(Analyze);
    }

    private static void Analyze(OperationBlockAnalysisContext context)
    {
        var declared = new Dictionary<ILocalSymbol, IOperation>(SymbolEqualityComparer.Default);
        var kept = new HashSet<ILocalSymbol>(SymbolEqualityComparer.Default);
        foreach (IOperation operation in context.OperationBlocks.SelectMany(block => block.DescendantsAndSelf()))
        {
            switch (operation)
            {
                case IInvocationOperation call: Look(context, call, declared); break;
                case ILocalReferenceOperation { IsDeclaration: false } reference when !IsOnlyAsked(reference):
                    kept.Add(reference.Local);
                    break;
            }
        }

        foreach (KeyValuePair<ILocalSymbol, IOperation> local in declared.Where(local => !kept.Contains(local.Key)))
            Report(context, local.Value);
    }

    private static void Look(OperationBlockAnalysisContext context, IInvocationOperation call,
        Dictionary<ILocalSymbol, IOperation> declared)
    {
        // A collection, or a helper, gives what somebody else has taken, and may keep it.
        if (!Known.TakesScopes(MethodOf(call).ContainingType)) return;

        // TryLock(out scope), TryEnter(out permit)
        foreach (IArgumentOperation argument in call.Arguments.Where(IsScopeForCaller))
        {
            switch (argument.Value)
            {
                case IDiscardOperation: Report(context, call); break;
                case IDeclarationExpressionOperation { Expression: ILocalReferenceOperation made }:
                    declared[made.Local] = call;
                    break;
            }
        }

        IOperation given = call;
        while (given.Parent is IAwaitOperation or IConversionOperation or IParenthesizedOperation) given = given.Parent;
        if (!Known.IsScope(given.Type)) return;
        switch (given.Parent)
        {
            case IExpressionStatementOperation:
            case ISimpleAssignmentOperation { Target: IDiscardOperation }:
                Report(context, call);
                break;
            case IVariableInitializerOperation { Parent: IVariableDeclaratorOperation made } when !IsUsing(made):
                declared[made.Symbol] = call;
                break;
        }
    }

    private static bool IsScopeForCaller(IArgumentOperation argument)
        => argument.Parameter is { RefKind: RefKind.Out } parameter && Known.IsScope(parameter.Type);

    private static bool IsUsing(IVariableDeclaratorOperation made)
        => made.Parent?.Parent?.Parent is IUsingDeclarationOperation or IUsingOperation;

    /// <summary>Whether a reference reads a property, <c>scope.WasAbandoned</c>, and nothing else.</summary>
    private static bool IsOnlyAsked(ILocalReferenceOperation reference)
        => reference.Parent is IPropertyReferenceOperation asked && asked.Instance == reference;

    private static void Report(OperationBlockAnalysisContext context, IOperation call)
    {
        context.ReportDiagnostic(Diagnostic.Create(Rules.s_notDisposed, call.Syntax.GetLocation(),
            MethodOf((IInvocationOperation)call).Name));
    }

    /// <summary>The method that gives a scope, without what only says how it is awaited.</summary>
    private static IMethodSymbol MethodOf(IInvocationOperation call)
    {
        while (call is { TargetMethod.Name: "ConfigureAwait" or "AsTask", Instance: IInvocationOperation awaited })
            call = awaited;
        return call.TargetMethod;
    }
}
