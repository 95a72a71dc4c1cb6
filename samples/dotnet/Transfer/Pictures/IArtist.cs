namespace Transfer.Pictures;

/// <summary>Draws one picture after the other.</summary>
internal interface IArtist : IDisposable
{
    int Width { get; }

    int Height { get; }

    /// <summary>Goes on behind a picture of another process.</summary>
    void GoOnFrom(in PictureHead last);

    /// <summary>Draws the next one, and writes into its head what another process needs to go on.</summary>
    /// <param name="head">Its head, with the number.</param>
    /// <param name="pixels">Four bytes each: red, green, blue, unused.</param>
    void Draw(ref PictureHead head, Span<uint> pixels);
}
