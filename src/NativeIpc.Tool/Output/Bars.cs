using NativeIpc;
using NativeIpc.Tool.Output;

namespace Transfer;

/// <summary>What <c>nipc demo</c> shows on a terminal, in place of the sample's own.</summary>
internal static class Bars
{
    public static bool AreShown => Terminal.IsInteractive && !OperatingSystem.IsWindows();

    /// <summary>Makes the transfers, one after the other.</summary>
    /// <param name="names">What each is called.</param>
    /// <param name="size">How many bytes each moves.</param>
    /// <param name="transfer">Makes one of them, by its index.</param>
    public static async Task<List<Outcome>> ShowAsync(string[] names, long size,
        Func<int, IProgressView, Task<Outcome>> transfer)
    {
        List<Outcome> outcomes = [];
        int widest = names.Max(name => name.Length);
        for (int i = 0; i < names.Length; i++)
        {
            var view = new BarView(new ProgressBar(toError: false, names[i].PadRight(widest), size));
            try
            {
                outcomes.Add(await transfer(i, view));
                if (outcomes[^1].Agrees) view.Moved(size);
            }
            finally
            {
                view.End();
            }
        }

        return outcomes;
    }

    public static void ShowTable(List<Outcome> outcomes)
    {
        Terminal.Write($"{"Key type",-11}  {"Receiver",-8}  {"Speed",10}  SHA-256 of both", Style.Bold);
        Console.Out.WriteLine();
        foreach (Outcome outcome in outcomes)
        {
            Console.Out.Write($"{outcome.TypeName,-11}  {outcome.Language,-8}  {outcome.Speed,10}  ");
            if (outcome.Agrees) Console.Out.Write($"{outcome.Digest![..8]}…{outcome.Digest[^8..]}");
            else Terminal.Write(outcome.Failure!, Style.Red);
            Console.Out.WriteLine();
        }
    }

    private sealed class BarView(ProgressBar bar) : IProgressView
    {
        private long _last;

        public void Started(int processId, NativeIpcKey key) => bar.Update(0);

        public void Moved(long bytes)
        {
            _last = bytes;
            bar.Update(bytes);
        }

        public void End() => bar.End(_last);
    }
}
