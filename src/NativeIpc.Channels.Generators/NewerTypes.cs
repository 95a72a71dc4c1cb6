namespace System;

// What newer .NET has and netstandard2.0 has not: for ^1 and 1.., and for texts.

internal readonly struct Index(int value, bool fromEnd = false)
{
    public static implicit operator Index(int value) => new(value);

    public int GetOffset(int length) => fromEnd ? length - value : value;
}

internal readonly struct Range(Index start, Index end)
{
    public Index Start => start;

    public Index End => end;

    public static Range StartAt(Index start) => new(start, new Index(0, fromEnd: true));
}

internal static class StringParts
{
    public static bool Contains(this string text, string part, StringComparison comparison)
        => text.IndexOf(part, comparison) >= 0;

    public static bool Contains(this string text, char part, StringComparison comparison)
        => text.IndexOf(part.ToString(), comparison) >= 0;
}
