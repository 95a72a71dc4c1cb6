using System.Text;
using NativeIpc.Platform;

namespace NativeIpc.Keys;

/// <summary>What becomes of a name that is not ASCII on Apple systems, where Qt's names are decomposed (NFD).</summary>
internal enum NameForm
{
    /// <summary>It is decomposed, as Qt's are.</summary>
    Decomposed,

    /// <summary>It is passed as it is, to meet a peer that does not decompose.</summary>
    AsItIs,

    /// <summary>It should be decomposed and cannot be in this process, so it is refused.</summary>
    Refused,
}

/// <summary>How the platforms encode names (mission E3).</summary>
internal static class NameText
{
    private static NameForm? s_formHere;

    /// <summary>UTF-8 as Qt writes it: a lone surrogate becomes a question mark, where .NET's own writes
    /// U+FFFD.</summary>
    public static Encoding Utf8 => field ??= MakeUtf8();

    // By a clone: GetEncoding looks the name up among all that .NET knows.
    private static Encoding MakeUtf8()
    {
        var utf8 = (Encoding)new UTF8Encoding(encoderShouldEmitUTF8Identifier: false).Clone();
        utf8.EncoderFallback = new EncoderReplacementFallback("?");
        return utf8;
    }

    /// <summary>
    /// Whether text can be decomposed in this process. With InvariantGlobalization string.Normalize takes every text as
    /// normalized already (true of .NET 10); names on Apple that might need it are refused then.
    /// </summary>
    public static bool CanDecompose => "\u00e9".Normalize(NormalizationForm.FormD).Length == 2;

    /// <summary>The text of a native key as the system calls take it: decomposed (NFD) on Apple, where Qt's file names
    /// are; unchanged elsewhere.</summary>
    /// <param name="nativeKey">Any text. What is no character (a lone surrogate, U+FFFE), and .NET refuses to
    /// normalize, stays as it is.</param>
    /// <param name="platform">The platform.</param>
    /// <param name="form">What becomes of it on Apple.</param>
    public static string ForSystem(string nativeKey, KeyPlatform platform, NameForm form = NameForm.Decomposed)
        => platform == KeyPlatform.Apple && form == NameForm.Decomposed && !Ascii.IsValid(nativeKey)
            ? Decompose(nativeKey) : nativeKey;

    /// <summary>What becomes of names that are not ASCII on Apple systems: with the AppContext switch
    /// NativeIpc.NamesAsTheyAre they are passed as they are, to meet a program in another language; otherwise
    /// decomposed, as Qt's are, where .NET can do that. To find that out loads ICU.</summary>
    public static NameForm FormHere => s_formHere ??=
        AppContext.TryGetSwitch("NativeIpc.NamesAsTheyAre", out bool asTheyAre) && asTheyAre ? NameForm.AsItIs
        : CanDecompose ? NameForm.Decomposed
        : NameForm.Refused;

    /// <summary>The same where it matters on this platform; on others not asked.</summary>
    public static NameForm FormOfThisPlatform
        => PlatformEnvironment.Platform == KeyPlatform.Apple ? FormHere : NameForm.Decomposed;

    /// <summary>The text of a native key as the system calls take it here.</summary>
    public static string ForThisSystem(string nativeKey)
        => ForSystem(nativeKey, PlatformEnvironment.Platform, FormOfThisPlatform);

    private static string Decompose(string text)
    {
        int at = IndexOfRefused(text);
        if (at < 0) return text.Normalize(NormalizationForm.FormD);
        var decomposed = new StringBuilder();
        for (; at >= 0; at = IndexOfRefused(text))
        {
            decomposed.Append(text[..at].Normalize(NormalizationForm.FormD)).Append(text[at]);
            text = text[(at + 1)..];
        }

        return decomposed.Append(text.Normalize(NormalizationForm.FormD)).ToString();
    }

    /// <summary>Where the first one of the code units is that string.Normalize throws for; -1 for none.</summary>
    private static int IndexOfRefused(string text)
    {
        int lone = KeyText.IndexOfLoneSurrogate(text);
        int reversed = text.IndexOf('\uFFFE');
        return lone < 0 || reversed < 0 ? Math.Max(lone, reversed) : Math.Min(lone, reversed);
    }
}
