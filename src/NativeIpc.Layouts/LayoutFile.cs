using System;
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
        ReadOnlySpan<byte> first = Encoding.ASCII.GetBytes(LayoutText.First),
            last = Encoding.ASCII.GetBytes(LayoutText.Last);
        clash = null;
        while (content.IndexOf(first) is >= 0 and var begin)
        {
            content = content.Slice(begin);
            int end = content.IndexOf(last);
            if (end < 0) break;
            if (LayoutText.Parse(Encoding.UTF8.GetString(content.Slice(0, end + last.Length))) is not { } set)
            {
                content = content.Slice(first.Length);
                continue;
            }

            if (!found.TryAdd(set, out string name)) clash = name;
            content = content.Slice(end + last.Length);
        }

        return found;
    }
}
