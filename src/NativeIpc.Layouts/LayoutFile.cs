using System.Text;

namespace NativeIpc.Layouts;

/// <summary>Descriptions in a file: a text of its own, or an assembly, in whose metadata they stand as UTF-8. Each
/// begins and ends with a line of its own, so that they are found in any file that has them.</summary>
internal static class LayoutFile
{
    /// <summary>All descriptions of a file in one; without types when there is none.</summary>
    /// <param name="content">The file.</param>
    /// <param name="clash">A name that two different types have; null when there is none.</param>
    public static LayoutSet Find(ReadOnlySpan<byte> content, out string? clash) => Find(content, out clash, out _);

    /// <summary>The same, and whether something in the file begins as a description does and is none.</summary>
    public static LayoutSet Find(ReadOnlySpan<byte> content, out string? clash, out bool isDamaged)
    {
        var found = new LayoutSet();
        clash = null;
        isDamaged = false;
        while (IndexOf(content, LayoutText.First) is >= 0 and var begin)
        {
            content = content.Slice(begin);
            int end = IndexOf(content, LayoutText.Last);
            if (end < 0 || LayoutText.Parse(Encoding.UTF8.GetString(content.Slice(0, end + LayoutText.Last.Length)))
                is not { } set)
            {
                isDamaged = true;
                content = content.Slice(LayoutText.First.Length);
                continue;
            }

            if (!found.TryAdd(set, out string name)) clash = name;
            content = content.Slice(end + LayoutText.Last.Length);
        }

        return found;
    }

    /// <summary>The declarations of a language that a file has; null when it has none.</summary>
    /// <param name="content">The file: NAME.layout of a build, or an assembly.</param>
    /// <param name="language">The language.</param>
    /// <param name="isDamaged">Whether an assembly has some that are cut off, or not what was written.</param>
    public static string? Declarations(ReadOnlySpan<byte> content, string language, out bool isDamaged)
    {
        isDamaged = false;
        if (!StartsWith(content, LayoutText.First))
        {
            int first = IndexOf(content, Layouts.Declarations.First);
            if (first < 0) return null;
            if (!TryTake(content.Slice(first + Layouts.Declarations.First.Length), out content))
            {
                isDamaged = true;
                return null;
            }
        }

        string heading = "\n" + Layouts.Declarations.Heading(language);
        int begin = IndexOf(content, heading);
        if (begin < 0) return null;
        content = content.Slice(begin + heading.Length);
        int end = IndexOf(content, "\n--- ");
        return Encoding.UTF8.GetString(end < 0 ? content : content.Slice(0, end + 1));
    }

    /// <summary>Takes as many bytes as the first line says, if they are what it says.</summary>
    private static bool TryTake(ReadOnlySpan<byte> content, out ReadOnlySpan<byte> all)
    {
        const int Longest = 64;
        all = default;
        int end = content.Slice(0, Math.Min(content.Length, Longest)).IndexOf((byte)'\n');
        if (end < 0) return false;
        string[] words = Encoding.UTF8.GetString(content.Slice(0, end)).Split(' ');
        int length = words.Length == 2 ? LayoutSet.ParseNumber(words[0]) : -1;
        if (length < 0 || length > content.Length - end - 1 || !LayoutSet.TryParse(words[1], 16, out ulong expected))
            return false;
        all = content.Slice(end + 1, length);
        return Fingerprints.Of(Encoding.UTF8.GetString(all)) == expected;
    }

    // Not the ones for spans, whose vectors are some kilobytes of a native program.
    private static int IndexOf(ReadOnlySpan<byte> content, string ascii)
    {
        ReadOnlySpan<byte> text = Encoding.UTF8.GetBytes(ascii);
        for (int at = 0; at <= content.Length - text.Length; at++)
        {
            int next = content.Slice(at).IndexOf(text[0]);
            if (next < 0) return -1;
            at += next;
            if (content.Slice(at).StartsWith(text)) return at;
        }

        return -1;
    }

    private static bool StartsWith(ReadOnlySpan<byte> content, string ascii)
        => content.StartsWith(Encoding.UTF8.GetBytes(ascii));
}
