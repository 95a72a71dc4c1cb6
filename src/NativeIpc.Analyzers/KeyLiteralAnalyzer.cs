using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;

namespace NativeIpc.Analyzers;

/// <summary>NIPC003: <c>NativeIpcKey.Parse</c> of a constant that is no key.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class KeyLiteralAnalyzer : DiagnosticAnalyzer
{
    /// <inheritdoc/>
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } = [Rules.s_noKey];

    /// <inheritdoc/>
    public override void Initialize(AnalysisContext context)
    {
        context.EnableConcurrentExecution();
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.None);
        context.RegisterOperationAction(Analyze, OperationKind.Invocation);
    }

    private static void Analyze(OperationAnalysisContext context)
    {
        var call = (IInvocationOperation)context.Operation;
        if (call.TargetMethod.Name != "Parse" || !Known.IsKey(call.TargetMethod.ContainingType)) return;
        IOperation? text = call.Arguments.Length == 0 ? null : Known.Bare(call.Arguments[0].Value);
        if (text?.ConstantValue is not { HasValue: true, Value: string literal }) return;
        if (KeyRule.FindFault(literal) is { } fault)
            context.ReportDiagnostic(Diagnostic.Create(Rules.s_noKey, text.Syntax.GetLocation(), literal, fault));
    }
}
