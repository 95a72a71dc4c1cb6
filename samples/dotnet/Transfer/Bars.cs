using System.Globalization;
using Spectre.Console;

namespace Transfer;

/// <summary>What is shown on a terminal: a bar for each transfer, and a table of them.</summary>
internal static class Bars
{
    public static bool AreShown => !Console.IsOutputRedirected
        && AnsiConsole.Profile.Capabilities is { Ansi: true, Interactive: true };

    /// <summary>Makes the transfers, one after the other.</summary>
    /// <param name="names">What each is called.</param>
    /// <param name="size">How many bytes each moves.</param>
    /// <param name="transfer">Makes one of them, by its index.</param>
    public static Task<List<Outcome>> ShowAsync(string[] names, long size,
        Func<int, IProgressView, Task<Outcome>> transfer)
        => AnsiConsole.Progress()
            .Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(),
                new DownloadedColumn { Culture = CultureInfo.InvariantCulture }, new ElapsedTimeColumn())
            .StartAsync(async context =>
            {
                List<Outcome> outcomes = [];
                ProgressTask[] tasks = Array.ConvertAll(names,
                    name => context.AddTask(name, autoStart: false, maxValue: Math.Max(1, size)));
                for (int i = 0; i < tasks.Length; i++)
                {
                    outcomes.Add(await transfer(i, new BarView(tasks[i])));
                    if (outcomes[^1].Agrees) tasks[i].Value = tasks[i].MaxValue;
                    tasks[i].StopTask();
                }

                return outcomes;
            });

    public static void ShowTable(List<Outcome> outcomes)
    {
        var table = new Table().RoundedBorder().AddColumns("Key type", "Receiver");
        table.AddColumn(new TableColumn("Speed").RightAligned());
        table.AddColumn("SHA-256 of both");
        foreach (Outcome outcome in outcomes)
        {
            table.AddRow(new Text(outcome.TypeName), new Text(outcome.Language), new Text(outcome.Speed),
                outcome.Agrees ? new Text($"{outcome.Digest![..8]}…{outcome.Digest[^8..]}")
                    : new Text(outcome.Failure!, new Style(Color.Red)));
        }

        AnsiConsole.Write(table);
    }

    private sealed class BarView(ProgressTask task) : IProgressView
    {
        public void Started(int processId, NativeIpc.NativeIpcKey key) => task.StartTask();

        public void Moved(long bytes) => task.Value = bytes;
    }
}
