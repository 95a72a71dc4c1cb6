using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;

namespace NativeIpc.Analyzers;

/// <summary>NIPC001: a span, memory or reference of a segment that is used after the segment was disposed, in one
/// method.</summary>
/// <remarks>Only what is certain by the order of the text: the end stands in a block, and the use after it in the same
/// block or one inside, but not in a function there, which may be called before. A variable that is given another value
/// is left alone.</remarks>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class UseAfterEndAnalyzer : DiagnosticAnalyzer
{
    private static readonly ImmutableHashSet<string> s_views = ImmutableHashSet.Create("Span", "ReadOnlySpan", "Memory",
        "ReadOnlyMemory", "GetSpan", "GetReadOnlySpan", "GetReference", "GetReadOnlyReference");

    private static readonly ImmutableHashSet<string> s_parts = ImmutableHashSet.Create("Slice", "Cast", "AsBytes",
        "CreateSpan", "CreateReadOnlySpan", "Span");

    /// <inheritdoc/>
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } = [Rules.s_useAfterEnd];

    /// <inheritdoc/>
    public override void Initialize(AnalysisContext context)
    {
        context.EnableConcurrentExecution();
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.None);
        context.RegisterOperationBlockAction(Analyze);
    }

    /// <summary>Where a segment ends, and how far the block goes in which it has ended then.</summary>
    private readonly struct End(ISymbol segment, int at, IBlockOperation block)
    {
        public ISymbol Segment => segment;

        public int At => at;

        public bool Covers(IOperation use)
        {
            if (use.Syntax.SpanStart < at || !block.Syntax.Span.Contains(use.Syntax.Span)) return false;
            for (IOperation? around = use.Parent; around is not null && around != block; around = around.Parent)
                if (around is ILocalFunctionOperation or IAnonymousFunctionOperation) return false;
            return true;
        }
    }

    private static void Analyze(OperationBlockAnalysisContext context)
    {
        IOperation[] all = [.. context.OperationBlocks.SelectMany(block => block.DescendantsAndSelf())];
        End[] ends = [.. all.SelectMany(EndsAt)];
        if (ends.Length == 0) return;
        Dictionary<ISymbol, ISymbol> views = FindViews(all);
        ILookup<ISymbol, int> given = all.SelectMany(GivenBy)
            .ToLookup(made => (ISymbol)made.Variable, made => made.At, SymbolEqualityComparer.Default);
        foreach (IOperation use in all)
        {
            if (SymbolOf(use) is not { } used || !views.TryGetValue(used, out ISymbol segment) || IsOnlyAsked(use))
                continue;
            foreach (End end in ends)
            {
                if (!SymbolEqualityComparer.Default.Equals(end.Segment, segment) || !end.Covers(use)) continue;
                if (given[used].Any(at => at >= end.At && at <= use.Syntax.SpanStart)) continue;
                context.ReportDiagnostic(Diagnostic.Create(Rules.s_useAfterEnd, use.Syntax.GetLocation(), used.Name,
                    segment.Name));
                break;
            }
        }
    }

    private static IEnumerable<End> EndsAt(IOperation operation)
    {
        switch (operation)
        {
            // segment.Dispose();
            case IExpressionStatementOperation { Parent: IBlockOperation block } statement
                when statement.Operation is IInvocationOperation { TargetMethod.Name: "Dispose" } call
                    && Known.IsSharedMemory(call.Instance?.Type) && SymbolOf(call.Instance!) is { } segment:
                yield return new End(segment, statement.Syntax.Span.End, block);
                break;

            // using (var segment = …) { }
            case IUsingOperation { Parent: IBlockOperation block } scope:
                foreach (ILocalSymbol local in scope.Locals.Where(local => Known.IsSharedMemory(local.Type)))
                    yield return new End(local, scope.Syntax.Span.End, block);
                break;

            // { using var segment = …; }
            case IUsingDeclarationOperation { Parent: IBlockOperation { Parent: IBlockOperation outer } inner } scope:
                foreach (ILocalSymbol local in scope.DeclarationGroup.Declarations
                    .SelectMany(made => made.Declarators).Select(made => made.Symbol)
                    .Where(local => Known.IsSharedMemory(local.Type)))
                    yield return new End(local, inner.Syntax.Span.End, outer);
                break;
        }
    }

    /// <summary>Whether a use touches no memory: <c>view.Length</c>, <c>view.IsEmpty</c> and
    /// <c>nameof(view)</c>.</summary>
    private static bool IsOnlyAsked(IOperation use)
        => use is ILocalReferenceOperation { Local.RefKind: RefKind.None } && use.Parent switch
        {
            IPropertyReferenceOperation asked => asked.Instance == use && asked.Property.Name is "Length" or "IsEmpty",
            INameOfOperation => true,
            _ => false,
        };

    /// <summary>The variables that an operation gives another value, with its place and, if it is seen, the
    /// value.</summary>
    private static IEnumerable<(ILocalSymbol Variable, int At, IOperation? Value)> GivenBy(IOperation operation)
    {
        switch (operation)
        {
            case IVariableDeclaratorOperation { Initializer: { } first } made:
                yield return (made.Symbol, made.Syntax.SpanStart, first.Value);
                break;

            // Without ref, it is what a ref variable leads to that gets the value.
            case ISimpleAssignmentOperation { Target: ILocalReferenceOperation { Local: var local } } later
                when local.RefKind == RefKind.None || later.IsRef:
                yield return (local, later.Syntax.SpanStart, later.Value);
                break;

            case IArgumentOperation
            {
                Parameter.RefKind: RefKind.Out or RefKind.Ref,
                Value: ILocalReferenceOperation { Local: { RefKind: RefKind.None } local },
            } argument:
                yield return (local, argument.Syntax.SpanStart, null);
                break;

            case IDeconstructionAssignmentOperation { Target: ITupleOperation target } later:
                foreach (ILocalReferenceOperation element in target.Descendants().OfType<ILocalReferenceOperation>()
                    .Where(element => element is { Local.RefKind: RefKind.None, Parent: ITupleOperation }))
                    yield return (element.Local, later.Syntax.SpanStart, null);
                break;
        }
    }

    /// <summary>The variables that are memory of a segment, and of which. A variable of two segments, or of other
    /// memory later, is left alone.</summary>
    private static Dictionary<ISymbol, ISymbol> FindViews(IOperation[] all)
    {
        var views = new Dictionary<ISymbol, ISymbol>(SymbolEqualityComparer.Default);
        var doubtful = new HashSet<ISymbol>(SymbolEqualityComparer.Default);
        // In the order of the text: a part of a view comes after the view.
        foreach ((ILocalSymbol local, _, IOperation? value) in all.SelectMany(GivenBy))
        {
            if (!CanBeView(local)) continue;
            ISymbol? segment = SegmentOf(value, views);
            if (views.TryGetValue(local, out ISymbol before) && !SymbolEqualityComparer.Default.Equals(before, segment))
                doubtful.Add(local);
            if (segment is null) views.Remove(local);
            else views[local] = segment;
        }

        foreach (ISymbol doubt in doubtful) views.Remove(doubt);
        return views;
    }

    private static bool CanBeView(ILocalSymbol local)
        => local.RefKind != RefKind.None
            || local.Type.Name is "Span" or "ReadOnlySpan" or "Memory" or "ReadOnlyMemory";

    /// <summary>The segment whose memory a value is; null for none, and for a copy.</summary>
    private static ISymbol? SegmentOf(IOperation? value, Dictionary<ISymbol, ISymbol> views)
    {
        value = Known.Bare(value);
        switch (value)
        {
            case IMemberReferenceOperation { Instance: { } owner } member
                when Known.IsSharedMemory(owner.Type) && s_views.Contains(member.Member.Name):
                return SymbolOf(owner);
            case IInvocationOperation { Instance: { } owner } call
                when Known.IsSharedMemory(owner.Type) && s_views.Contains(call.TargetMethod.Name):
                return SymbolOf(owner);
            case IPropertyReferenceOperation { Instance: { } whole } part
                when part.Property.IsIndexer || s_parts.Contains(part.Property.Name):
                return SegmentOf(whole, views);
            case IImplicitIndexerReferenceOperation part: return SegmentOf(part.Instance, views);
            case IInvocationOperation { Instance: { } whole } call when s_parts.Contains(call.TargetMethod.Name):
                return SegmentOf(whole, views);
            case IInvocationOperation { Instance: null, Arguments.Length: > 0 } call
                when s_parts.Contains(call.TargetMethod.Name):
                return SegmentOf(call.Arguments[0].Value, views);
            case ILocalReferenceOperation other when views.TryGetValue(other.Local, out ISymbol segment):
                return segment;
            default: return null;
        }
    }

    private static ISymbol? SymbolOf(IOperation operation) => operation switch
    {
        ILocalReferenceOperation local => local.Local,
        IParameterReferenceOperation parameter => parameter.Parameter,
        _ => null,
    };
}
