using System.Globalization;

namespace NativeIpc.Layouts;

/// <summary>Declarations in several languages as one text, which docs/layouts.md describes: behind a description in a
/// file NAME.layout, and in an assembly behind a line of their own, by which they are found and verified.</summary>
internal static class Declarations
{
    /// <summary>What that line begins with; the length of what follows it and its number stand behind that.</summary>
    public const string First = "nativeipc-declarations 1 ";

    /// <summary>What stands before the declarations of a language.</summary>
    public static string Heading(string language) => "--- " + language + "\n";

    /// <summary>The text for an assembly.</summary>
    /// <param name="all">The declarations, ASCII: an end of line, then each behind its heading.</param>
    public static string Format(string all)
        => First + all.Length.ToString(CultureInfo.InvariantCulture) + " "
            + Fingerprints.Of(all).ToString("x16", CultureInfo.InvariantCulture) + "\n" + all;
}
