using System.Text;

namespace NativeIpc.Keys;

/// <summary>How the platforms encode names (mission E3).</summary>
internal static class NameText
{
    /// <summary>UTF-8 as Qt writes it: a lone surrogate becomes a question mark, where .NET's own writes U+FFFD.</summary>
    public static readonly Encoding Utf8 = Encoding.GetEncoding("utf-8", new EncoderReplacementFallback("?"), DecoderFallback.ReplacementFallback);

    /// <summary>
    /// Whether text can be decomposed in this process. With InvariantGlobalization string.Normalize takes every text as normalized already (true of
    /// .NET 10); then <see cref="UsableKey"/> refuses names on Apple that might need it.
    /// </summary>
    public static readonly bool CanDecompose = "\u00e9".Normalize(NormalizationForm.FormD).Length == 2;

    /// <summary>The text of a native key as the system calls take it: decomposed (NFD) on Apple, where Qt's file names are; unchanged elsewhere.</summary>
    /// <param name="nativeKey">Well-formed UTF-16.</param>
    /// <param name="platform">The platform.</param>
    /// <param name="asItIs">Whether a name is passed as it is, to meet a peer that does not decompose.</param>
    public static string ForSystem(string nativeKey, KeyPlatform platform, bool asItIs = false)
        => platform == KeyPlatform.Apple && !asItIs && !Ascii.IsValid(nativeKey) ? nativeKey.Normalize(NormalizationForm.FormD) : nativeKey;
}
