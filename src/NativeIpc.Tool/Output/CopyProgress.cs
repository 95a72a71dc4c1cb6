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

        var bar = new ProgressBar(toError: true, what, total);
        long last = 0;
        try
        {
            bar.Update(0);
            copy(done =>
            {
                last = done;
                bar.Update(done);
            });
        }
        finally
        {
            bar.End(last);
        }
    }
}
