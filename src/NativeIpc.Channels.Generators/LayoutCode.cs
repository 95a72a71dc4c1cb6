using System.Globalization;
using System.Text;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using NativeIpc.Layouts;

namespace NativeIpc.Channels.Generators;

/// <summary>The rest of a struct with <c>[SharedLayout]</c>: its description, accessors of what is atomic.</summary>
internal static class LayoutCode
{
    private const string Channels = "global::NativeIpc.Channels.";
    private const string Interop = "global::System.Runtime.InteropServices.";

    public static Generated Of(INamedTypeSymbol type, CancellationToken cancel)
    {
        List<Report> reports = [];
        if (CodeText.NotPartial(type) is { } whole)
            reports.Add(Report.At(type, Rules.s_notPartial, whole.Name));
        else if (CodeText.Unfit(type) is { } reason)
            reports.Add(Report.At(type, Rules.s_kind, type.Name, reason));
        if (reports.Count > 0) return new Generated("", null, new EquatableList<Report>(reports));

        var types = new LayoutSet();
        LayoutStruct? layout = new LayoutReader(types, cancel).Read(type, reports);
        if (layout is null) return new Generated(CodeText.File(type), null, new EquatableList<Report>(reports));
        string description = LayoutText.Format(types);
        return new Generated(CodeText.File(type), Code(type, description, layout), new EquatableList<Report>(reports),
            description);
    }

    private static string Code(INamedTypeSymbol type, string description, LayoutStruct layout)
    {
        string Literal(string text) => SymbolDisplay.FormatLiteral(text, quote: true);
        string Number(long number) => number.ToString(CultureInfo.InvariantCulture);
        string attributes = $"[{Channels}SharedLayoutDescription({Literal(description)})]\n";
        if (Known.Find(type, Known.StructLayout) is null)
        {
            attributes += $"[{Interop}StructLayout({Interop}LayoutKind.Sequential, Size = {Number(layout.Size)})]\n";
        }

        string self = $"{Channels}ISharedLayout<{CodeText.NameOf(type)}>";
        var body = new StringBuilder($"    static {Channels}SharedLayoutInfo {self}.Layout\n");
        body.Append($"        => new({Literal(layout.Name)}, {Number(layout.Size)}, {Number(layout.Alignment)}, ")
            .Append($"{Number(layout.Version)}, 0x{layout.Fingerprint:x16}UL);\n");
        foreach (IFieldSymbol field in LayoutReader.FieldsOf(type))
        {
            if (Known.Find(field, Known.Atomic) is null) continue;
            body.Append(Accessors.Replace("$T", field.Type.ToDisplayString()).Replace("$F", CodeText.NameOf(field))
                .Replace("$N", LayoutReader.NameOf(field)));
        }

        return CodeText.Part(type, attributes, " : " + self, body.ToString());
    }

    private const string Accessors = """

            /// <summary>Reads with acquire order, writes with release order.</summary>
            public $T $N
            {
                readonly get => global::System.Threading.Volatile.Read(in this.$F);
                set => global::System.Threading.Volatile.Write(ref this.$F, value);
            }

            /// <summary>Writes a value and gives the one before it, in one step; a full barrier.</summary>
            /// <param name="value">The value to write.</param>
            public $T Exchange$N($T value)
                => global::System.Threading.Interlocked.Exchange(ref this.$F, value);

            /// <summary>Writes a value if another one is there, and gives the one that was there, in one step; a full
            /// barrier.</summary>
            /// <param name="value">The value to write.</param>
            /// <param name="comparand">The value that has to be there.</param>
            public $T CompareExchange$N($T value, $T comparand)
                => global::System.Threading.Interlocked.CompareExchange(ref this.$F, value, comparand);

            /// <summary>Adds and gives the sum, in one step; a full barrier.</summary>
            /// <param name="value">What is to be added.</param>
            public $T Add$N($T value) => global::System.Threading.Interlocked.Add(ref this.$F, value);

        """;
}
