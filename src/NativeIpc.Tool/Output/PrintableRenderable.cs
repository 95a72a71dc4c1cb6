using Spectre.Console.Rendering;

namespace NativeIpc.Tool.Output;

/// <summary>What is drawn on a terminal, with <see cref="PrintableText"/> for all text in it. What has to fit is escaped
/// before it is measured; this is for what was not.</summary>
internal sealed class PrintableRenderable(IRenderable drawn) : IRenderable
{
    public Measurement Measure(RenderOptions options, int maxWidth) => drawn.Measure(options, maxWidth);

    public IEnumerable<Segment> Render(RenderOptions options, int maxWidth)
        => drawn.Render(options, maxWidth).Select(part => part.IsControlCode || part.IsLineBreak ? part
            : PrintableText.Of(part.Text) is var shown && ReferenceEquals(shown, part.Text) ? part
            : new Segment(shown, part.Style));
}
