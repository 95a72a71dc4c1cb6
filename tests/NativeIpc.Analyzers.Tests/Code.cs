using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeActions;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Diagnostics;
using Xunit;

namespace NativeIpc.Analyzers.Tests;

/// <summary>A method that is compiled against the library, and what the analyzers say of it.</summary>
internal static class Code
{
    private static readonly ImmutableArray<DiagnosticAnalyzer> s_all =
        [new KeyLiteralAnalyzer(), new ScopeAnalyzer(), new UseAfterEndAnalyzer()];

    private static readonly MetadataReference[] s_references =
    [
        .. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Where(path => Path.GetFileName(path) is var name
                && (name.StartsWith("System.", StringComparison.Ordinal) || name == "NativeIpc.dll"))
            .Select(path => MetadataReference.CreateFromFile(path)),
    ];

    /// <summary>The lines of a body that are reported, each as "ID: text of the line".</summary>
    public static async Task<string[]> Analyze(string body, string members = "")
    {
        string text = Whole(body, members);
        Compilation compiled = CSharpCompilation.Create("Analyzed",
            [CSharpSyntaxTree.ParseText(text, cancellationToken: TestContext.Current.CancellationToken)], s_references,
            new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, allowUnsafe: true));
        Assert.Empty(compiled.GetDiagnostics(TestContext.Current.CancellationToken)
            .Where(said => said.Severity == DiagnosticSeverity.Error));
        ImmutableArray<Diagnostic> found = await compiled.WithAnalyzers(s_all)
            .GetAnalyzerDiagnosticsAsync(TestContext.Current.CancellationToken);
        string[] lines = text.Split('\n');
        return [.. found.OrderBy(said => said.Location.SourceSpan.Start)
            .Select(said => $"{said.Id}: {lines[said.Location.GetLineSpan().StartLinePosition.Line].Trim()}")];
    }

    /// <summary>A body after the fix of its only report; null when there is none.</summary>
    public static async Task<string?> Fix(string body)
    {
        CancellationToken cancel = TestContext.Current.CancellationToken;
        using var workspace = new AdhocWorkspace();
        Project project = workspace.AddProject("Fixed", LanguageNames.CSharp).AddMetadataReferences(s_references)
            .WithCompilationOptions(new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary));
        Document document = project.AddDocument("Code.cs", Whole(body, ""));
        Compilation compiled = (await document.Project.GetCompilationAsync(cancel))!;
        Diagnostic found = Assert.Single(
            await compiled.WithAnalyzers(s_all).GetAnalyzerDiagnosticsAsync(cancel));
        CodeAction? fix = null;
        await new DisposeScopeFix().RegisterCodeFixesAsync(
            new CodeFixContext(document, found, (action, _) => fix = action, cancel));
        if (fix is null) return null;
        ImmutableArray<CodeActionOperation> done = await fix.GetOperationsAsync(cancel);
        Document changed = Assert.Single(done.OfType<ApplyChangesOperation>()).ChangedSolution
            .GetDocument(document.Id)!;
        string text = $"{await changed.GetTextAsync(cancel)}";
        int begin = text.IndexOf("/*begin*/", StringComparison.Ordinal) + "/*begin*/".Length;
        return text[begin..text.IndexOf("/*end*/", StringComparison.Ordinal)].Trim();
    }

    private static string Whole(string body, string members)
        => $$"""
            using System;
            using System.Collections.Generic;
            using System.Runtime.InteropServices;
            using System.Threading.Tasks;
            using NativeIpc;
            class Analyzed
            {
                {{members}}
                static SharedMemory New() => SharedMemory.CreateNew(NativeIpcKey.Parse("posix:/a"), 16);
                static void Use<T>(T what) where T : allows ref struct { }
                static void Out<T>(out T what) => what = default;
                static void Ref<T>(ref T what) { }
                async Task Body(SharedMemory segment, SystemSemaphore semaphore, bool really)
                {
                    await Task.Yield();
                    /*begin*/
                    {{body}}
                    /*end*/
                }
            }
            """;
}
