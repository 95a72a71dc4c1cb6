namespace NativeIpc.Keys;

/// <summary>Why a text is not a key: which part is wrong, and at which UTF-16 unit that part starts.</summary>
internal readonly record struct KeyTextFault(int Position, string Reason)
{
    private const int Shown = 40;

    public FormatException ToException(ReadOnlySpan<char> text)
    {
        ReadOnlySpan<char> part = text[Position..];
        string shown = part.Length <= Shown ? $"'{part}'" : $"'{part[..Shown]}…'";
        return new FormatException(part.IsEmpty ? $"Not a key: {Reason}; the text ends at position {Position}."
            : $"Not a key: {Reason}, at position {Position}: {shown}.");
    }
}
