using System.Globalization;
using NativeIpc.Inspection;
using NativeIpc.Tool.Objects;
using NativeIpc.Tool.Output;

namespace NativeIpc.Tool.Live;

/// <summary>How full the memory of POSIX objects is, as a bar.</summary>
internal static class Gauge
{
    private const int Width = 20;

    public static StyledText AppendTo(StyledText line, IpcLimit? limit)
    {
        if (limit is not { Used: { } used, Maximum: > 0 and var maximum }) return line;
        double part = Math.Clamp((double)used / maximum, 0, 1);
        int filled = (int)Math.Ceiling(part * Width);
        Style style = part > 0.9 ? Style.Red : part > 0.7 ? Style.Yellow : Style.Green;
        return line.Append($"  {limit.Name} ").Append(new string('█', filled),
            style).Append(new string('░', Width - filled), Style.Dim)
            .Append(string.Create(CultureInfo.InvariantCulture,
                $" {ObjectColumns.Size(used)} of {ObjectColumns.Size(maximum)}"));
    }

    /// <summary>The limit that is shown; null where the system has none such.</summary>
    public static IpcLimit? Find() => IpcObjects.GetLimits().FirstOrDefault(limit => limit.Name == "/dev/shm");
}
