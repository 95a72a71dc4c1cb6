using Spectre.Console;
using Spectre.Console.Rendering;

namespace NativeIpc.Tool.Output;

/// <summary>A terminal on which all text comes through <see cref="PrintableText"/>. What a live view draws does not come
/// this way: <see cref="LiveView"/> makes it a <see cref="PrintableRenderable"/> itself.</summary>
internal sealed class PrintableConsole(IAnsiConsole terminal) : IAnsiConsole
{
    public Profile Profile => terminal.Profile;

    public IAnsiConsoleCursor Cursor => terminal.Cursor;

    public IAnsiConsoleInput Input => terminal.Input;

    public IExclusivityMode ExclusivityMode => terminal.ExclusivityMode;

    public RenderPipeline Pipeline => terminal.Pipeline;

    public void Clear(bool home) => terminal.Clear(home);

    public void Write(IRenderable renderable) => terminal.Write(new PrintableRenderable(renderable));

    public void WriteAnsi(Action<AnsiWriter> action) => terminal.WriteAnsi(action);
}
