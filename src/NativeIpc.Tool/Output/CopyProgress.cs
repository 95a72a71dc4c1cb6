using Spectre.Console;

namespace NativeIpc.Tool.Output;

/// <summary>A bar on standard error while bytes are copied, if that is a terminal; nothing otherwise.</summary>
internal static class CopyProgress
{
    /// <param name="what">What is copied, for the bar.</param>
    /// <param name="total">How many bytes there will be.</param>
    /// <param name="copy">Copies, and says from time to time how many bytes are done.</param>
    public static void Show(string what, long total, Action<Action<long>> copy)
    {
        if (!Terminal.IsErrorInteractive)
        {
            copy(_ => { });
            return;
        }

        Terminal.Error.Progress()
            .Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn(), new DownloadedColumn(), new TransferSpeedColumn())
            .Start(context =>
            {
                ProgressTask task = context.AddTask(Markup.Escape(PrintableText.Of(what)), maxValue: Math.Max(total, 1));
                copy(done => task.Value = done);
                task.Value = task.MaxValue;
            });
    }
}
