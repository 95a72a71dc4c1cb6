using System.Globalization;
using System.Text;

namespace Transfer.Pictures;

/// <summary>The pictures of a file, one after the other and then from the beginning: PPM (P6), all of one size, as
/// <c>ffmpeg -i FILM -f image2pipe -c:v ppm FILE</c> writes them.</summary>
internal sealed class FrameFile : IArtist
{
    private const int LongestSide = 4096;
    private readonly FileStream _file;
    private readonly byte[] _row;

    public FrameFile(string path)
    {
        _file = File.OpenRead(path);
        try
        {
            (Width, Height) = ReadHead() ?? throw Wrong();
            _file.Position = 0;
            _row = new byte[3 * Width];
        }
        catch
        {
            _file.Dispose();
            throw;
        }
    }

    public int Width { get; }

    public int Height { get; }

    public void GoOnFrom(in PictureHead last)
    {
        for (ulong i = 0; i < last.Number; i++)
        {
            BeginNext();
            _file.Position += (long)_row.Length * Height;
        }
    }

    public void Draw(ref PictureHead head, Span<uint> pixels)
    {
        BeginNext();
        foreach (ref uint pixel in pixels) pixel = 0;
        for (int y = 0; y < Height; y++)
        {
            if (_file.ReadAtLeast(_row, _row.Length, throwOnEndOfStream: false) < _row.Length) throw Wrong();
            Span<uint> row = pixels.Slice(y * Width, Width);
            for (int x = 0; x < row.Length; x++)
                row[x] = _row[3 * x] | ((uint)_row[(3 * x) + 1] << 8) | ((uint)_row[(3 * x) + 2] << 16);
        }
    }

    public void Dispose() => _file.Dispose();

    private void BeginNext()
    {
        (int, int)? size = ReadHead();
        if (size is null)
        {
            _file.Position = 0;
            size = ReadHead();
        }

        if (size != (Width, Height)) throw Wrong();
    }

    private IOException Wrong()
        => new($"{_file.Name} is no sequence of pictures in the format PPM (P6), with 256 values for a colour, all of "
            + $"one size and of at most {LongestSide} pixels a side.");

    /// <summary>Null at the end of the file.</summary>
    private (int Width, int Height)? ReadHead()
    {
        if (_file.Position == _file.Length) return null;
        if (ReadWord() != "P6" || !int.TryParse(ReadWord(), CultureInfo.InvariantCulture, out int width)
            || !int.TryParse(ReadWord(), CultureInfo.InvariantCulture, out int height) || ReadWord() != "255"
            || width is < 1 or > LongestSide || height is < 1 or > LongestSide)
        {
            throw Wrong();
        }

        return (width, height);
    }

    /// <summary>A word and the one white space behind it; a comment goes from # to the end of its line.</summary>
    private string ReadWord()
    {
        var word = new StringBuilder();
        while (word.Length < 16)
        {
            int next = _file.ReadByte();
            if (next == '#')
            {
                while (next is not ('\n' or -1)) next = _file.ReadByte();
            }

            if (next is not (' ' or '\t' or '\r' or '\n' or -1)) word.Append((char)next);
            else if (word.Length > 0 || next == -1) break;
        }

        return word.ToString();
    }
}
