using System.ComponentModel;

namespace NativeIpc.Channels;

/// <summary>What the generator writes on a layout: its description, which the build reads. The
/// format is in docs/layouts.md.</summary>
/// <param name="text">The description.</param>
[AttributeUsage(AttributeTargets.Struct)]
[EditorBrowsable(EditorBrowsableState.Never)]
public sealed class SharedLayoutDescriptionAttribute(string text) : Attribute
{
    /// <summary>The description, lines of text.</summary>
    public string Text { get; } = text;
}
