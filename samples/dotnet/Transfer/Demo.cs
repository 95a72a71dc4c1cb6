using System.Runtime.InteropServices;
using NativeIpc;

namespace Transfer;

/// <summary>The copies, and what the ending signals do.</summary>
internal static class Demo
{
    public static Task<int> RunAsync(Choices choices) => RunAsync(cancellation => RunAsync(choices, cancellation));

    /// <summary>Runs something that the ending signals end in good order.</summary>
    public static async Task<int> RunAsync(Func<CancellationToken, Task<int>> run)
    {
        using var interrupted = new CancellationTokenSource();
        List<PosixSignalRegistration> registrations = [];
        try
        {
            // The first one ends the demo in good order; all that it made is disposed on the way out.
            foreach (PosixSignal signal in new[] { PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP,
                PosixSignal.SIGQUIT })
            {
                registrations.Add(PosixSignalRegistration.Create(signal, context =>
                {
                    context.Cancel = true;
                    interrupted.Cancel();
                }));
            }

            return await run(interrupted.Token);
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

    /// <summary>Every key type with a child of every language, and the summary.</summary>
    public static async Task<int> RunAsync(Choices choices, CancellationToken cancellation)
    {
        long size = new FileInfo(choices.File).Length;
        Console.WriteLine($"{choices.File}, {size:N0} bytes, from process {Environment.ProcessId} "
            + $"through {Ring.SegmentSize / 1024} KiB of shared memory");

        List<PeerProgram> programs = choices.DotnetChild ? [PeerProgram.Dotnet()] : [];
        using CCompiler? compiler = choices.CChild && !OperatingSystem.IsWindows() ? new CCompiler() : null;
        string? whyNoC = choices.CChild ? "the C program is for Unix" : null;
        if (compiler is not null)
        {
            (PeerProgram? program, whyNoC) = await compiler.CompileAsync(cancellation);
            if (program is not null) programs.Add(program);
        }

        if (whyNoC is not null) Console.WriteLine($"The C half is skipped: {whyNoC}.");

        (NativeIpcKeyType Type, PeerProgram Program)[] runs =
            [.. from program in programs from type in choices.Types select (type, program)];
        if (runs.Length == 0) throw new UsageException("Nothing is left to do.");
        List<Outcome> outcomes = Bars.AreShown
            ? await Bars.ShowAsync([.. runs.Select(run => NameOf(run.Type, run.Program))], size,
                (i, view) => SendAsync(runs[i], view))
            : await WithLinesAsync();

        if (Bars.AreShown) Bars.ShowTable(outcomes);
        else ShowLines(outcomes);
        bool good = outcomes.TrueForAll(outcome => outcome.Agrees);
        Console.WriteLine(good
            ? $"{(outcomes.Count == 1 ? "The copy has" : $"All {outcomes.Count} copies have")} the "
                + $"SHA-256 {outcomes[0].Digest}, and nothing is left behind."
            : $"{outcomes.Count(outcome => !outcome.Agrees)} of {outcomes.Count} transfers failed.");
        return good ? 0 : 1;

        Task<Outcome> SendAsync((NativeIpcKeyType Type, PeerProgram Program) run, IProgressView view)
            => Sender.SendAsync(choices.File, run.Program, run.Type, choices.Corrupt, view, cancellation);

        async Task<List<Outcome>> WithLinesAsync()
        {
            List<Outcome> done = [];
            foreach ((NativeIpcKeyType Type, PeerProgram Program) run in runs)
                done.Add(await SendAsync(run, new LineView(NameOf(run.Type, run.Program), size)));
            return done;
        }
    }

    private static string NameOf(NativeIpcKeyType type, PeerProgram program)
        => $"{Outcome.NameOf(type)} to {program.Language}";

    private static void ShowLines(List<Outcome> outcomes)
    {
        foreach (Outcome outcome in outcomes)
            Console.WriteLine($"{(outcome.Agrees ? "ok  " : "FAIL")}  {outcome.TypeName,-11}  {outcome.Language,-4} "
                + $" {outcome.Speed,10}  {outcome.Failure ?? outcome.Digest}");
    }
}
