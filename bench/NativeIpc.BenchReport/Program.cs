using NativeIpc.BenchReport;

// What bench.sh calls: report RUNS BENCH_FOLDER OUT_FOLDER MACHINE ABOUT [EARLIER_RUNS...], results MACHINE TO RUNS...,
// compare LAST NOW [AGAIN...], missing RUNS PEER LIST.
switch (args)
{
    case ["report", var runsPath, var bench, var to, var machine, var about, .. var earlier]:
        Runs runs = Runs.Read(runsPath);
        Target[] targets = [.. Target.Read(Path.Combine(bench, "targets.tsv"))];
        Dictionary<string, string> explanations = File.ReadLines(Path.Combine(bench, "explanations.tsv"))
            .Where(line => line.Length > 0 && line[0] != '#')
            .Select(line => (line, at: line.LastIndexOf('\t'))).ToDictionary(item => item.line[..item.at],
                item => item.line[(item.at + 1)..]);
        foreach (string orphan in explanations.Keys.Except(
            [.. targets.Select(Tables.Key), .. runs.Workloads.Select(Tables.PlatformKey)]))
            Console.Error.WriteLine($"explanations.tsv: no target is '{orphan}'.");
        Runs[] together = [runs, .. earlier.Select(Runs.Read)];
        string reached = Tables.Targets(together, targets, explanations);
        File.WriteAllText(Path.Combine(to, "targets.md"), reached);
        File.WriteAllText(Path.Combine(to, "RESULTS.md"), $"""
            # Results

            {about} Written by `./bench.sh`; [README.md](README.md) says what each workload measures.

            ## Targets
            A ratio is the median of those of the rounds, to the peer's value of the same round. *Within noise*: over
            the target by less than the rounds are apart. *±*: how far the middle half of the rounds is apart, where it
            is over 10 %.

            {reached}
            ## All workloads
            C's median, and the others by their ratio to it. A variant that C does not have (*) is compared with C's
            plain workload.

            {Tables.Ratios(runs)}
            ## On other platforms
            Ours with the JIT, by its ratio to the C of that platform. *Much worse*: more than 1.5 times that of .NET 10
            on glibc.

            {Tables.Platforms(runs, explanations)}
            ## Instructions
            What native AOT takes for one operation: instructions outside the kernel, counted by `eng/instructions.sh`.
            The step `instructions` of `./test.sh` fails when one takes 2 % more; the time is of this table's run.

            {Tables.Instructions(runs, File.ReadLines(Path.Combine(bench, "instructions.tsv")))}
            ## What only the library has
            {Tables.Alone(runs)}
            """);
        Result.Write(Path.Combine(to, "results.tsv"), machine, Result.Worst(together));
        Console.WriteLine(File.ReadAllText(Path.Combine(to, "RESULTS.md")));
        return 0;

    case ["results", var where, var table, .. var measured]:
        Result.Write(table, where, Result.Worst(measured.Select(Runs.Read)));
        return 0;

    case ["compare", var last, var now, .. var again]:
        Result[] before = [.. Result.Read(last)];
        Result[][] times = [.. again.Prepend(now).Select(table => Result.Read(table).ToArray())];
        string? elsewhere = Result.MachineOf(last) == Result.MachineOf(now) ? Comparison.Elsewhere(before, times[0])
            : $"the last table is of another machine, {Result.MachineOf(last)}";
        if (elsewhere is not null) Console.WriteLine($"Only ratios, which may be half as high again: {elsewhere}.");
        int slower = 0;
        foreach ((string text, bool isCertain) in Comparison.Regressions(before, elsewhere is null, times))
        {
            Console.WriteLine(isCertain ? $"slower: {text}" : $"perhaps slower: {text}; the host decides as much");
            if (isCertain) slower++;
        }

        Console.WriteLine(slower == 0
            ? "Nothing is slower than in the last table." : $"{slower} slower than in the last table.");
        return slower == 0 ? 0 : 1;

    case ["missing", var produced, var peer, var list]:
        Runs all = Runs.Read(produced);
        string[] missing = [.. File.ReadLines(list)
            .Where(
                name =>
                    !all.Workloads.Any(workload =>
                        (workload == name || workload.StartsWith(name + ".", StringComparison.Ordinal))
                            && all.Of(peer, workload) is not null))];
        foreach (string name in missing) Console.WriteLine(name);
        return missing.Length == 0 ? 0 : 1;

    default:
        Console.Error.WriteLine("usage: NativeIpc.BenchReport report RUNS BENCH_FOLDER OUT_FOLDER MACHINE ABOUT "
            + "[EARLIER_RUNS...] | results MACHINE TO RUNS... | compare LAST NOW [AGAIN...] | missing RUNS PEER LIST");
        return 2;
}
