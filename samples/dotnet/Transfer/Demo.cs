using System.Runtime.InteropServices;
using NativeIpc;
using Spectre.Console;

namespace Transfer;

/// <summary>Every key type with a child of every language, and the summary.</summary>
internal static class Demo
{
    public static async Task<int> RunAsync(Choices choices)
    {
        using var interrupted = new CancellationTokenSource();
        List<PosixSignalRegistration> registrations = [];
        try
        {
            // The first one ends the demo in good order; all that it made is disposed on the way out.
            foreach (PosixSignal signal in new[] { PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP, PosixSignal.SIGQUIT })
            {
                registrations.Add(PosixSignalRegistration.Create(signal, context =>
                {
                    context.Cancel = true;
                    interrupted.Cancel();
                }));
            }

            return await RunAsync(choices, interrupted.Token);
        }
        catch (OperationCanceledException)
        {
            await Console.Error.WriteLineAsync("Interrupted.");
            return 130;
        }
        finally
        {
            registrations.ForEach(registration => registration.Dispose());
        }
    }

    private static async Task<int> RunAsync(Choices choices, CancellationToken cancellation)
    {
        long size = new FileInfo(choices.File).Length;
        Console.WriteLine($"{choices.File}, {size:N0} bytes, from process {Environment.ProcessId} through {Ring.SegmentSize / 1024} KiB of shared memory");

        List<PeerProgram> programs = choices.DotnetChild ? [PeerProgram.Dotnet()] : [];
        using CCompiler? compiler = choices.CChild && !OperatingSystem.IsWindows() ? new CCompiler() : null;
        string? whyNoC = choices.CChild ? "the C program is for Unix" : null;
        if (compiler is not null)
        {
            (PeerProgram? program, whyNoC) = await compiler.CompileAsync(cancellation);
            if (program is not null) programs.Add(program);
        }

        if (whyNoC is not null) Console.WriteLine($"The C half is skipped: {whyNoC}.");

        (NativeIpcKeyType Type, PeerProgram Program)[] runs = [.. from program in programs from type in choices.Types select (type, program)];
        if (runs.Length == 0) throw new UsageException("Nothing is left to do.");
        List<Outcome> outcomes = IsTerminal
            ? await WithBarsAsync(runs, choices, size, cancellation)
            : await WithLinesAsync(runs, choices, size, cancellation);

        ShowTable(outcomes);
        bool good = outcomes.TrueForAll(outcome => outcome.Agrees);
        Console.WriteLine(good
            ? $"{(outcomes.Count == 1 ? "The copy has" : $"All {outcomes.Count} copies have")} the SHA-256 {outcomes[0].Digest}, and nothing is left behind."
            : $"{outcomes.Count(outcome => !outcome.Agrees)} of {outcomes.Count} transfers failed.");
        return good ? 0 : 1;
    }

    private static bool IsTerminal => !Console.IsOutputRedirected && AnsiConsole.Profile.Capabilities is { Ansi: true, Interactive: true };

    private static string NameOf(NativeIpcKeyType type, PeerProgram program) => $"{Outcome.NameOf(type)} to {program.Language}";

    private static async Task<List<Outcome>> WithLinesAsync((NativeIpcKeyType Type, PeerProgram Program)[] runs, Choices choices, long size, CancellationToken cancellation)
    {
        List<Outcome> outcomes = [];
        foreach ((NativeIpcKeyType type, PeerProgram program) in runs)
        {
            var view = new LineView(NameOf(type, program), size);
            outcomes.Add(await Sender.SendAsync(choices.File, program, type, choices.Corrupt, view, cancellation));
        }

        return outcomes;
    }

    private static Task<List<Outcome>> WithBarsAsync((NativeIpcKeyType Type, PeerProgram Program)[] runs, Choices choices, long size, CancellationToken cancellation)
        => AnsiConsole.Progress()
            .Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn(), new ElapsedTimeColumn())
            .StartAsync(async context =>
            {
                List<Outcome> outcomes = [];
                ProgressTask[] tasks = Array.ConvertAll(runs, run => context.AddTask(NameOf(run.Type, run.Program), autoStart: false, maxValue: Math.Max(1, size)));
                foreach (((NativeIpcKeyType type, PeerProgram program), ProgressTask task) in runs.Zip(tasks))
                {
                    outcomes.Add(await Sender.SendAsync(choices.File, program, type, choices.Corrupt, new BarView(task), cancellation));
                    if (outcomes[^1].Agrees) task.Value = task.MaxValue;
                    task.StopTask();
                }

                return outcomes;
            });

    private static void ShowTable(List<Outcome> outcomes)
    {
        if (!IsTerminal)
        {
            foreach (Outcome outcome in outcomes)
                Console.WriteLine($"{(outcome.Agrees ? "ok  " : "FAIL")}  {outcome.TypeName,-11}  {outcome.Language,-4}  {outcome.Speed,10}  {outcome.Failure ?? outcome.Digest}");
            return;
        }

        var table = new Table().RoundedBorder().AddColumns("Key type", "Receiver");
        table.AddColumn(new TableColumn("Speed").RightAligned());
        table.AddColumn("SHA-256 of both");
        foreach (Outcome outcome in outcomes)
        {
            table.AddRow(new Text(outcome.TypeName), new Text(outcome.Language), new Text(outcome.Speed),
                outcome.Agrees ? new Text($"{outcome.Digest![..8]}…{outcome.Digest[^8..]}") : new Text(outcome.Failure!, new Style(Color.Red)));
        }

        AnsiConsole.Write(table);
    }
}
