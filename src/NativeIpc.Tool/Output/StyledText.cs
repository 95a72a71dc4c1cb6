using System.Globalization;

namespace NativeIpc.Tool.Output;

/// <summary>How a part of a line looks on a terminal.</summary>
internal enum Style
{
    Plain,
    Bold,
    Dim,

    /// <summary>Dark on light: stands out without colours, too.</summary>
    Inverse,
    Red,
    Green,
    Yellow,
    Blue,
}

/// <summary>A line for a terminal: parts of escaped text, each with its style.</summary>
internal sealed class StyledText
{
    private readonly List<(string Text, Style Style)> _parts = [];

    public StyledText()
    {
    }

    public StyledText(string text, Style style = Style.Plain) => Append(text, style);

    /// <summary>The text alone.</summary>
    public string Text => string.Concat(_parts.Select(part => part.Text));

    public StyledText Append(string text, Style style = Style.Plain)
    {
        _parts.Add((PrintableText.Of(text), style));
        return this;
    }

    /// <summary>The parts that fit into a number of columns; what is cut ends with an ellipsis.</summary>
    public IEnumerable<(string Text, Style Style)> Within(int columns)
    {
        int left = columns;
        bool fits = CellWidth.Of(Text) <= columns;
        foreach ((string text, Style style) in _parts)
        {
            int width = CellWidth.Of(text);
            if (!fits && width >= left)
            {
                yield return (CellWidth.Cut(text + "……", left), style); // longer than there is room: cut for certain
                yield break;
            }

            yield return (text, style);
            left -= width;
        }
    }

    /// <summary>A text in a style, with the codes that the terminal is to get: no colours with NO_COLOR.</summary>
    public static string Escaped(string text, Style style)
    {
        int code = style switch
        {
            Style.Bold => 1,
            Style.Dim => 2,
            Style.Inverse => 7,
            _ when !Terminal.HasColours => 0,
            Style.Red => 31,
            Style.Green => 32,
            Style.Yellow => 33,
            Style.Blue => 34,
            _ => 0,
        };
        return code == 0 || text.Length == 0
            ? text : string.Create(CultureInfo.InvariantCulture, $"\u001b[{code}m{text}\u001b[0m");
    }
}
