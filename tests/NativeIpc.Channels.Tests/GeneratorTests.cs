using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Diagnostics;
using NativeIpc.Channels.Generators;

namespace NativeIpc.Channels.Tests;

/// <summary>What the generator says of structs, and what it writes.</summary>
public sealed class GeneratorTests
{
    private static readonly MetadataReference[] s_references =
    [
        .. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Where(path => Path.GetFileName(path) is var name
                && (name.StartsWith("System.", StringComparison.Ordinal) || name == "NativeIpc.Channels.dll"))
            .Select(path => MetadataReference.CreateFromFile(path)),
    ];

    [Theory]
    [InlineData("bool A;", "NIPC103", "use byte, or an enum over byte")]
    [InlineData("char A;", "NIPC103", "use ushort, or a struct with [FixedText]")]
    [InlineData("nint A;", "NIPC103", "use long")]
    [InlineData("nuint A;", "NIPC103", "use ulong")]
    [InlineData("unsafe byte* A;", "NIPC103", "use an offset from the segment's beginning")]
    [InlineData("unsafe delegate*<void> A;", "NIPC103", "use an offset from the segment's beginning")]
    [InlineData("decimal A;", "NIPC103", "use long with a fixed scale, or double")]
    [InlineData("DateTime A;", "NIPC103", "DateTime.ToBinary")]
    [InlineData("DateTimeOffset A;", "NIPC103", "Unix time")]
    [InlineData("TimeSpan A;", "NIPC103", "TimeSpan.Ticks")]
    [InlineData("Guid A;", "NIPC103", "[InlineArray(16)]")]
    [InlineData("Half A;", "NIPC103", "use float")]
    [InlineData("Int128 A;", "NIPC103", "two fields of 64 bits")]
    [InlineData("string A;", "NIPC103", "use a struct with [FixedText]")]
    [InlineData("object A;", "NIPC103", "a reference leads nowhere")]
    [InlineData("int[] A;", "NIPC103", "use a struct with [InlineArray]")]
    [InlineData("int? A;", "NIPC103", "use the value and a byte")]
    [InlineData("Plain A;", "NIPC103", "mark it with [SharedLayout]")]
    [InlineData("int A { get; set; }", "NIPC103", "write a field")]
    [InlineData("[Atomic] private byte _a;", "NIPC106", "int, uint, long or ulong")]
    [InlineData("[Atomic] private int a;", "NIPC106", "underscore")]
    [InlineData("[Atomic] public int _a;", "NIPC106", "not private")]
    [InlineData("int Größe;", "NIPC107", "ASCII")]
    [InlineData("int FrameRate; int frame_rate;", "NIPC107", "frame_rate")]
    [InlineData("Other.Colour A; Colour B;", "NIPC107", "another type has it")]
    [InlineData("", "NIPC104", "no fields")]
    [InlineData("Packed A;", "NIPC103", "Pack or Size")]
    [InlineData("Sized A;", "NIPC103", "Pack or Size")]
    [InlineData("Huge A;", "NIPC104", "128 MiB")]
    [InlineData("unsafe fixed byte A[1 << 27]; int B;", "NIPC104", "128 MiB")]
    [InlineData("Doubled A;", "NIPC107", "rgb24")]
    [InlineData("Two A; TWO B;", "NIPC107", "another type has it")]
    [InlineData("Größen A;", "NIPC107", "ASCII")]
    [InlineData("[Atomic] private readonly int _a;", "NIPC106", "readonly")]
    public void A_field_that_is_not_the_same_everywhere_is_refused(string fields, string id, string hint)
    {
        Diagnostic said = Assert.Single(Faults($"[SharedLayout] public partial struct S {{ {fields} }}"));
        Assert.Equal(id, said.Id);
        Assert.Contains(hint, said.GetMessage(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("[SharedLayout] public struct S { int A; }", "NIPC101", "S")]
    [InlineData("public class Outer { [SharedLayout] public partial struct S { int A; } }", "NIPC101", "Outer")]
    [InlineData("[SharedLayout] public partial struct S<T> { int A; }", "NIPC102", "generic")]
    [InlineData("[SharedLayout] public ref partial struct S { int A; }", "NIPC102", "ref struct")]
    [InlineData("[SharedLayout] file partial struct S { int A; }", "NIPC102", "file")]
    [InlineData("[SharedLayout, StructLayout(LayoutKind.Auto)] public partial struct S { int A; }", "NIPC104", "order")]
    [InlineData("[SharedLayout, StructLayout(LayoutKind.Sequential, Pack = 1)] partial struct S { byte A; int B; }",
        "NIPC105", "Pack = 1")]
    [InlineData("[SharedLayout, StructLayout(LayoutKind.Sequential, Size = 6)] partial struct S { int A; }",
        "NIPC104", "multiple of 4")]
    [InlineData("[SharedLayout, StructLayout(LayoutKind.Explicit)] partial struct S { [FieldOffset(2)] int A; }",
        "NIPC105", "multiple of 4")]
    [InlineData("[SharedLayout, StructLayout(LayoutKind.Explicit)] partial struct S "
        + "{ [FieldOffset(0), Atomic] private int _a; [FieldOffset(2)] short B; }", "NIPC106", "overlaps")]
    [InlineData("[SharedLayout] partial struct S { int A; } partial struct S { int B; }", "NIPC104", "several parts")]
    [InlineData("[SharedLayout] partial struct S { int A; } [SharedLayout, InlineArray(2)] partial struct T { int A; }",
        "NIPC104", "[InlineArray]")]
    [InlineData("[SharedLayout] partial struct S(int b) { int A; long B; int Get() => b; }",
        "NIPC103", "write a field")]
    [InlineData("[FixedText(8), StructLayout(LayoutKind.Sequential, Size = 16)] partial struct S;",
        "NIPC108", "[StructLayout]")]
    [InlineData("[FixedText(8)] partial struct S<T>;", "NIPC108", "generic")]
    [InlineData("[SharedLayout(Name = \"no name\")] partial struct S { int A; }", "NIPC107", "ASCII")]
    [InlineData("[SharedLayout(Version = -1)] partial struct S { int A; }", "NIPC104", "version")]
    [InlineData("[FixedText(0)] partial struct S;", "NIPC108", "65535")]
    [InlineData("[FixedText(70000)] partial struct S;", "NIPC108", "65535")]
    [InlineData("[FixedText(8)] partial struct S { int A; }", "NIPC108", "no fields")]
    [InlineData("[FixedText(8)] struct S;", "NIPC101", "partial")]
    public void A_struct_that_cannot_be_one_is_refused(string code, string id, string hint)
    {
        Diagnostic said = Assert.Single(Faults(code));
        Assert.Equal(id, said.Id);
        Assert.Contains(hint, said.GetMessage(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("byte A; int B;", "3 bytes of padding stand before 'B'")]
    [InlineData("int A; byte B;", "3 bytes of padding stand at the end of 'S'")]
    public void Padding_is_told(string fields, string message)
        => Assert.StartsWith(message, Assert.Single(
            Run($"[SharedLayout] public partial struct S {{ {fields} }}", out _), said => said.Id == "NIPC109")
            .GetMessage(), StringComparison.Ordinal);

    [Fact]
    public void A_faulty_layout_makes_what_contains_it_faulty()
        => Assert.Equal(["A", "B"], Faults("""
            [SharedLayout] public partial struct Faulty { public bool A; }
            [SharedLayout] public partial struct S { public Faulty B; }
            """).Select(said => said.GetMessage().Split('\'')[1]));

    [Fact]
    public void A_layout_of_another_assembly_is_used_by_its_description()
    {
        string mine = typeof(Frame).Assembly.Location;
        Assert.Empty(Faults("[SharedLayout] public partial struct S { NativeIpc.Channels.Tests.Frame A; byte B; }",
            mine));
    }

    [Fact]
    public void Fixed_buffers_and_nested_types_compile()
        => Assert.Empty(Faults("""
            public partial class Outer
            {
                [SharedLayout]
                public unsafe partial struct @struct
                {
                    public fixed ushort @class[3];
                    public Colour Colour;
                    [Atomic] private ulong _names;
                }
            }
            """));

    [Theory]
    [InlineData("[SharedLayout] partial struct Frame { int A; } [SharedLayout] partial struct frame { int A; }")]
    [InlineData("[SharedLayout] public partial struct @record { int A; [Atomic] private int _b; }")]
    [InlineData("[SharedLayout] public partial struct @required { int A; }")]
    [InlineData("[SharedLayout] partial struct @struct { int A; } [FixedText(2)] partial struct _struct;")]
    public void Any_name_of_a_type_compiles(string code) => Assert.Empty(Faults(code));

    [Theory]
    [InlineData("int")]
    [InlineData("uint")]
    [InlineData("long")]
    [InlineData("ulong")]
    public void What_is_atomic_is_read_with_acquire_and_written_with_release_order(string type)
    {
        CSharpGeneratorDriver.Create(new SharedLayoutGenerator()).RunGeneratorsAndUpdateCompilation(
            Compile($"[SharedLayout] public partial struct S {{ [Atomic] private {type} _count; }}"),
            out Compilation whole, out _);
        INamedTypeSymbol layout = whole.GetTypeByMetadataName("S")!;
        Dictionary<string, string> uses = [];
        foreach (SyntaxReference part in layout.DeclaringSyntaxReferences)
        {
            SemanticModel model = whole.GetSemanticModel(part.SyntaxTree);
            foreach (IdentifierNameSyntax name in part.GetSyntax().DescendantNodes().OfType<IdentifierNameSyntax>())
            {
                if (model.GetSymbolInfo(name).Symbol is not IFieldSymbol { Name: "_count" }) continue;
                string place = name.Ancestors().OfType<AccessorDeclarationSyntax>().FirstOrDefault()?.Keyword.Text
                    ?? name.Ancestors().OfType<MethodDeclarationSyntax>().First().Identifier.Text;
                InvocationExpressionSyntax? call = name.FirstAncestorOrSelf<ArgumentSyntax>()?
                    .Ancestors().OfType<InvocationExpressionSyntax>().First();
                uses.Add(place, call is null ? "a plain use" // each place has one use
                    : model.GetSymbolInfo(call).Symbol!.ToDisplayString(SymbolDisplayFormat.CSharpErrorMessageFormat));
            }
        }

        Assert.Equal(new Dictionary<string, string>
        {
            ["get"] = $"System.Threading.Volatile.Read(ref readonly {type})",
            ["set"] = $"System.Threading.Volatile.Write(ref {type}, {type})",
            ["ExchangeCount"] = $"System.Threading.Interlocked.Exchange(ref {type}, {type})",
            ["CompareExchangeCount"] = $"System.Threading.Interlocked.CompareExchange(ref {type}, {type}, {type})",
            ["AddCount"] = $"System.Threading.Interlocked.Add(ref {type}, {type})",
        }, uses);
    }

    [Fact]
    public void What_has_not_changed_is_not_made_anew()
    {
        Compilation compilation = Compile("[SharedLayout] public partial struct S { public int A; }");
        GeneratorDriver driver = CSharpGeneratorDriver.Create([new SharedLayoutGenerator().AsSourceGenerator()],
            driverOptions: new GeneratorDriverOptions(IncrementalGeneratorOutputKind.None, true));
        driver = driver.RunGenerators(compilation);
        driver = driver.RunGenerators(compilation.AddSyntaxTrees(CSharpSyntaxTree.ParseText("class Other;")));
        GeneratorRunResult second = driver.GetRunResult().Results.Single();
        Assert.Equal(2, second.GeneratedSources.Length); // the struct's, and the assembly's
        Assert.All(second.TrackedOutputSteps.SelectMany(step => step.Value).SelectMany(step => step.Outputs),
            output => Assert.Equal(IncrementalStepRunReason.Cached, output.Reason));
    }

    [Theory]
    [InlineData(null, "Layouts", true)]
    [InlineData("my frames", "my_frames", true)]
    [InlineData("x", "x", false)]
    public void The_assembly_has_the_declarations_unless_it_is_told_not_to(string? name, string written, bool isWanted)
    {
        var options = new Options { ["NativeIpcLayoutInAssembly"] = isWanted ? "true" : "false" };
        if (name is not null) options["NativeIpcLayoutName"] = name;
        GeneratorDriver driver = CSharpGeneratorDriver.Create([new SharedLayoutGenerator().AsSourceGenerator()],
            optionsProvider: options);
        driver.RunGeneratorsAndUpdateCompilation(Compile("[SharedLayout] partial struct S { public int A; }"),
            out Compilation whole, out _);
        Assert.DoesNotContain(whole.GetDiagnostics(), said => said.Severity == DiagnosticSeverity.Error);
        string[] texts = [.. whole.Assembly.GetAttributes()
            .Where(given => given.AttributeClass!.Name == nameof(SharedLayoutDeclarationsAttribute))
            .Select(given => (string)given.ConstructorArguments[0].Value!)];
        Assert.Equal(isWanted ? 1 : 0, texts.Length);
        if (isWanted) Assert.Contains($"namespace {written} {{", texts[0], StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public void Reports_are_compared_as_well()
    {
        Compilation compilation = Compile("[SharedLayout] public partial struct S { public byte A; public int B; }");
        GeneratorDriver driver = CSharpGeneratorDriver.Create([new SharedLayoutGenerator().AsSourceGenerator()],
            driverOptions: new GeneratorDriverOptions(IncrementalGeneratorOutputKind.None, true));
        driver = driver.RunGenerators(compilation);
        driver = driver.RunGenerators(compilation.AddSyntaxTrees(CSharpSyntaxTree.ParseText("class Other;")));
        GeneratorRunResult second = driver.GetRunResult().Results.Single();
        Assert.Single(second.Diagnostics, said => said.Id == "NIPC109");
        Assert.Equal(IncrementalStepRunReason.Unchanged,
            Assert.Single(second.TrackedSteps["Structs"].SelectMany(step => step.Outputs)).Reason);
    }

    [Fact]
    public void A_report_can_be_switched_off_at_its_place()
        => Assert.Empty(Run("""
            #pragma warning disable NIPC109
            [SharedLayout] public partial struct S { public byte A; public int B; }
            #pragma warning restore NIPC109
            """, out _).Where(said => !said.IsSuppressed));

    [Fact]
    public void Each_rule_has_its_place_in_the_documents()
    {
        string root = typeof(GeneratorTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
            .Single(data => data.Key == "Repository").Value!;
        string page = File.ReadAllText(Path.Combine(root, "docs/analyzers.md"));
        DiagnosticDescriptor[] rules = [.. typeof(SharedLayoutGenerator).Assembly
            .GetType("NativeIpc.Channels.Generators.Rules", throwOnError: true)!.GetFields()
            .Select(field => field.GetValue(null)).OfType<DiagnosticDescriptor>()];
        Assert.NotEmpty(rules);
        Assert.All(rules, rule => Assert.Contains($"| {rule.Id} |", page, StringComparison.Ordinal));
    }

    private static Diagnostic[] Faults(string code, params string[] references)
        => [.. Run(code, out ImmutableArray<Diagnostic> compiled, references).Concat(compiled)
            .Where(said => said.Severity == DiagnosticSeverity.Error)];

    private static ImmutableArray<Diagnostic> Run(string code, out ImmutableArray<Diagnostic> compiled,
        params string[] references)
    {
        CSharpGeneratorDriver.Create(new SharedLayoutGenerator()).RunGeneratorsAndUpdateCompilation(
            Compile(code, references), out Compilation whole, out ImmutableArray<Diagnostic> said);
        Assert.DoesNotContain(said, each => each.Id == "CS8785"); // the generator itself failed
        compiled = said.Any(each => each.Severity == DiagnosticSeverity.Error) ? [] : whole.GetDiagnostics();
        return said;
    }

    private static CSharpCompilation Compile(string code, params string[] references)
        => CSharpCompilation.Create("Layouts", [CSharpSyntaxTree.ParseText($$"""
            using System;
            using System.Runtime.CompilerServices;
            using System.Runtime.InteropServices;
            using NativeIpc.Channels;
            {{code}}
            public struct Plain { public int A; }
            public enum Colour { Red }
            public enum Doubled { Rgb24, RGB24 }
            public enum Größen { Klein }
            public enum Two : byte { A }
            public enum TWO : byte { A }
            [InlineArray(3), StructLayout(LayoutKind.Sequential, Pack = 1)] public struct Packed { int _first; }
            [InlineArray(3), StructLayout(LayoutKind.Sequential, Size = 16)] public struct Sized { int _first; }
            [InlineArray(int.MaxValue)] public struct Many { int _first; }
            [InlineArray(int.MaxValue)] public struct More { Many _first; }
            [InlineArray(int.MaxValue)] public struct Huge { More _first; }
            namespace Other { public enum Colour { Blue } }
            """)], [.. s_references, .. references.Select(path => MetadataReference.CreateFromFile(path))],
            new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, allowUnsafe: true));

    /// <summary>Properties of the build that the generator is told.</summary>
    private sealed class Options : AnalyzerConfigOptionsProvider
    {
        private readonly Dictionary<string, string> _all = [];

        public string this[string name]
        {
            set => _all["build_property." + name] = value;
        }

        public override AnalyzerConfigOptions GlobalOptions => new Given(_all);

        public override AnalyzerConfigOptions GetOptions(SyntaxTree tree) => GlobalOptions;

        public override AnalyzerConfigOptions GetOptions(AdditionalText textFile) => GlobalOptions;

        private sealed class Given(Dictionary<string, string> all) : AnalyzerConfigOptions
        {
            public override bool TryGetValue(string key, [NotNullWhen(true)] out string? value)
                => all.TryGetValue(key, out value);
        }
    }
}
