using System.Diagnostics;
using System.Globalization;
using NativeIpc.Tool.Objects;

namespace NativeIpc.Tool.Output;

/// <summary>A bar on a line of its own, drawn over itself.</summary>
/// <param name="toError">Whether it is drawn on standard error; else on standard output. Either is a terminal.</param>
/// <param name="what">What goes on, in front of the bar.</param>
/// <param name="total">How many bytes there will be.</param>
internal sealed class ProgressBar(bool toError, string what, long total)
{
    private const int Width = 40;

    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(50);

    private readonly TextWriter _output = toError ? StandardStreams.RawError : StandardStreams.RawOut;
    private readonly long _started = Stopwatch.GetTimestamp();
    private long _drawn;

    /// <summary>Shows how many bytes are done, unless it was drawn a moment ago.</summary>
    public void Update(long done)
    {
        if (_drawn != 0 && Stopwatch.GetElapsedTime(_drawn) < s_pause) return;
        _drawn = Stopwatch.GetTimestamp();
        Draw(done);
    }

    /// <summary>Shows that it is over, and goes to the next line.</summary>
    public void End(long done)
    {
        Draw(done);
        _output.Write("\n");
    }

    private void Draw(long done)
    {
        double part = total <= 0 ? 1 : Math.Clamp((double)done / total, 0, 1);
        int filled = (int)(part * Width);
        double seconds = Math.Max(0.001, Stopwatch.GetElapsedTime(_started).TotalSeconds);
        string bar = StyledText.Escaped(new string('━', filled), Style.Green)
            + StyledText.Escaped(new string('─', Width - filled), Style.Dim);
        string numbers = string.Create(CultureInfo.InvariantCulture,
            $"{(int)(part * 100),3}% {ObjectColumns.Size(done)}/{ObjectColumns.Size(total)} "
                + $"{ObjectColumns.Size((long)(done / seconds))}/s");
        string line = $"{PrintableText.Of(what)} {bar} {numbers}";
        _output.Write(OperatingSystem.IsWindows() ? $"\r{PrintableText.Of(what)} {numbers}   " : $"\r{line}\u001b[K");
    }
}
