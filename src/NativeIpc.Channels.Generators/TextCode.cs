using System.Globalization;
using Microsoft.CodeAnalysis;

namespace NativeIpc.Channels.Generators;

/// <summary>The rest of a struct with <c>[FixedText]</c>.</summary>
internal static class TextCode
{
    public const int Longest = 65535;

    public static Generated Of(INamedTypeSymbol type)
    {
        int length = Known.Number(type, Known.FixedText) ?? 0;
        Report? fault =
            CodeText.NotPartial(type) is { } whole ? Report.At(type, Rules.s_notPartial, whole.Name)
            : CodeText.Unfit(type) is { } reason ? Report.At(type, Rules.s_text, type.Name, reason)
            : length is < 1 or > Longest ? Report.At(type, Rules.s_text, type.Name, "its length is from 1 to 65535")
            : Known.Find(type, Known.StructLayout) is not null
                ? Report.At(type, Rules.s_text, type.Name, "its layout is given, so it has no [StructLayout]")
            : type.GetMembers().OfType<IFieldSymbol>().Any(field => !field.IsStatic && !field.IsConst)
                ? Report.At(type, Rules.s_text, type.Name, "its bytes are generated, so it has no fields of its own")
            : null;
        string number = length.ToString(CultureInfo.InvariantCulture);
        return fault is not null ? new Generated("", null, new EquatableList<Report>([fault]))
            : new Generated(CodeText.File(type), CodeText.Part(type,
                $"[global::System.Runtime.CompilerServices.InlineArray({number})]\n", "",
                Body.Replace("LENGTH", number)), default);
    }

    private const string Body = """
            private byte _first;

            /// <summary>Its bytes, of which the text has those before the first zero.</summary>
            [global::System.Diagnostics.CodeAnalysis.UnscopedRef]
            public global::System.Span<byte> Bytes
                => global::System.Runtime.InteropServices.MemoryMarshal.CreateSpan(ref _first, LENGTH);

            /// <summary>Writes a text as UTF-8, and zero behind it.</summary>
            /// <param name="text">The text.</param>
            /// <returns>False when it has more than LENGTH bytes, or a zero character: then nothing was
            /// written.</returns>
            public bool TrySet(global::System.ReadOnlySpan<char> text)
                => global::NativeIpc.Channels.SharedLayouts.TryWriteText(Bytes, text);

            /// <summary>Writes a text as UTF-8, and zero behind it.</summary>
            /// <param name="text">The text.</param>
            /// <exception cref="global::System.ArgumentException">It has more than LENGTH bytes, or a zero
            /// character.</exception>
            public void Set(global::System.ReadOnlySpan<char> text)
            {
                if (!TrySet(text))
                    throw new global::System.ArgumentException(
                        "The text has more than LENGTH bytes of UTF-8, or a zero character.", nameof(text));
            }

            /// <summary>The text: up to the first zero byte; U+FFFD for what is not UTF-8.</summary>
            public readonly override string ToString()
                => global::NativeIpc.Channels.SharedLayouts.ReadText(
                    global::System.Runtime.InteropServices.MemoryMarshal.CreateReadOnlySpan(in _first, LENGTH));

        """;
}
