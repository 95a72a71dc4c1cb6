using System.ComponentModel;

namespace NativeIpc.Channels;

/// <summary>What the generator writes on an assembly with layouts: their declarations in other languages, which
/// <c>nipc layout</c> takes from it. The format is in docs/layouts.md.</summary>
/// <param name="text">The declarations.</param>
[AttributeUsage(AttributeTargets.Assembly)]
[EditorBrowsable(EditorBrowsableState.Never)]
public sealed class SharedLayoutDeclarationsAttribute(string text) : Attribute
{
    /// <summary>The declarations, lines of text.</summary>
    public string Text { get; } = text;
}
