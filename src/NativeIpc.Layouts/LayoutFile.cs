using System.Text;

namespace NativeIpc.Layouts;

/// <summary>Descriptions in a file: a text of its own, or an assembly, in whose metadata they stand as UTF-8. Each
/// begins and ends with a line of its own, so that they are found in any file that has them.</summary>
internal static class LayoutFile
{
    /// <summary>All descriptions of a file in one; without types when there is none.</summary>
    /// <param name="content">The file.</param>
    /// <param name="clash">A name that two different types have; null when there is none.</param>
    public static LayoutSet Find(ReadOnlySpan<byte> content, out string? clash)
    {
        var found = new LayoutSet();
        clash = null;
        while (IndexOf(content, LayoutText.First) is >= 0 and var begin)
        {
            content = content.Slice(begin);
            int end = IndexOf(content, LayoutText.Last);
            if (end < 0) break;
            ReadOnlySpan<byte> text = content.Slice(0, end + LayoutText.Last.Length);
            if (LayoutText.Parse(Encoding.UTF8.GetString(text)) is not { } set)
            {
                content = content.Slice(LayoutText.First.Length);
                continue;
            }

            if (!found.TryAdd(set, out string name)) clash = name;
            content = content.Slice(end + LayoutText.Last.Length);
        }

        return found;
    }

    /// <summary>What stands before the declarations of a language, which follow a description in the file NAME.layout
    /// of a build.</summary>
    public static string Heading(string language) => "--- " + language + "\n";

    /// <summary>The declarations of a language that such a file has; null when it has none.</summary>
    public static string? Declarations(ReadOnlySpan<byte> content, string language)
    {
        string heading = "\n" + Heading(language);
        int begin = IndexOf(content, heading);
        if (begin < 0) return null;
        content = content.Slice(begin + heading.Length);
        int end = IndexOf(content, "\n--- ");
        return Encoding.UTF8.GetString(end < 0 ? content : content.Slice(0, end + 1));
    }

    // Not the one for spans, whose vectors are some kilobytes of a native program.
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
}
