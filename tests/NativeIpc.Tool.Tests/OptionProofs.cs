namespace NativeIpc.Tool.Tests;

/// <summary>Where an option shows: a command line that ends otherwise with it than without it.</summary>
/// <param name="Line">The command line after <c>nipc</c>, a line of sh; <c>{}</c> stands for options.</param>
/// <param name="Option">The option as it is given, with its value.</param>
/// <param name="SetUp">What a script makes first; <c>$N</c> is nipc, the folder is empty.</param>
internal sealed record OptionProof(string Line, string Option, string SetUp = "")
{
    /// <summary>Whether the line without the option waits for ever, and is ended.</summary>
    internal bool Waits { get; init; }

    /// <summary>Whether the option's deed is to end with the exit code of a wrong command line.</summary>
    internal bool Refuses { get; init; }

    /// <summary>The exit code with the option: a failure would make a difference as well.</summary>
    internal int Code { get; init; }

    /// <summary>Whether it depends on the machine whether the exit code is 0 or 1: doctor's.</summary>
    internal bool MayFind { get; init; }

    /// <summary>Whether another user than root gives it.</summary>
    internal bool IsOfUser { get; init; }

    /// <summary>Options beside which it makes no difference here, although it acts, each with the reason: not
    /// run.</summary>
    internal Dictionary<string, string> Alike { get; init; } = [];
}

/// <summary>A proof for each option of each verb. One without a proof fails the test.</summary>
internal static class OptionProofs
{
    private const string Segment = "printf 'abcdefghij' > /dev/shm/x\n";
    private const string Semaphore =
        "sem() { { printf \"\\\\$(printf %o $2)\"; head -c 31 /dev/zero; } > /dev/shm/sem.$1; }; sem x ";
    private const string Event = "$N create event posix:/x auto --set > /dev/null\n";
    private const string Layout =
        "printf 'nativeipc-layout 1\\nstruct A 4 4 0 83a35cee7ae54d91\\n B u32 0\\nend\\n' > layout\n";
    private const string Foreign = "chown 1 /dev/shm/*; chmod 666 /dev/shm/*\n";

    // Segments and semaphores of both types, used and unused, of two users, with a key file that only --folder finds.
    private const string Many = Alone.KeysOfOwnDevice + """
        printf a > /dev/shm/a; printf bbb > /dev/shm/b; printf cc > /dev/shm/c; touch -d 2020-01-01 /dev/shm/b
        sem d 1; chown 65534 /dev/shm/c /dev/shm/sem.d; touch keys/k
        perl -e '@s = stat "keys/k"; shmget((0x51 << 24) | (($s[0] & 255) << 16) | ($s[1] & 65535), 7, 01600)'
        ipcmk -M 5 > /dev/null; ipcmk -S 1 > /dev/null
        as_user ipcmk -M 9 > /dev/null; as_user ipcmk -S 1 > /dev/null
        exec 7< /dev/shm/a

        """;

    private const string LongName =
        "printf a > /dev/shm/0123456789012345678901234567890123456789012345678901234567890123456789\n";

    // Its maker, who was to remove it, is killed.
    private const string Orphan =
        "mkfifo said; $N create shm posix:/o 10 --hold > said & read line < said; kill -9 $!; wait; rm said\n";

    private static readonly OptionProof[] s_key =
    [
        new("key VERB x {}", "-t systemv"), new("key VERB x -t windows {}", "-k sem"), new("key VERB x {}",
            "-p windows"),
        new("key VERB x -t systemv {}", "-d /elsewhere"), new($"key VERB {new string('x', 5000)} {{}}",
            "--strict") { Refuses = true },
        new("key VERB x {}", "-e"), new("key VERB x {}", "--json"),
    ];

    private static readonly Dictionary<string, string> s_few = new()
        { ["--orphaned"] = "one object, or none, is orphaned" };

    private static readonly OptionProof[] s_list =
    [
        new("list {}", "-t systemv", Many), new("list {}", "-k sem", Many), new("list {}", "--mine",
            Many) { IsOfUser = true, Alike = s_few },
        new("list {}", "--unused", Many) { Alike = s_few }, new("list {}", "--orphaned",
            Many + Orphan) { Alike = new() { ["-W"] = "what is not there is never told" } }, new("list {}", "-o key",
                Many), new("list {}", "--no-header", Many),
        new("script -qec \"stty cols 40; $N list {}\" /dev/null", "--wide", Many + LongName)
        {
            Alike = new() { ["-W"] = "a live view is drawn on a terminal that somebody looks at: LiveViewTests" },
        }, new("list {}", "-s size", Many) { Alike = s_few }, new("list {}", "-r", Many) { Alike = s_few },
        new("list {}", "--no-attachments", Many), new("list {}", "-d keys", Many) { Alike = s_few }, new("list {}",
            "-W", Many) { Alike = s_few }, new("list {}", "--json", Many),
        new("list {}", "-a", Many + "ipcmk -Q > /dev/null\n"),
    ];

    private const string Both = Segment + Semaphore + "1\n";

    private static readonly Dictionary<string, string> s_patterns = new()
        { ["-g"] = "a pattern names its type itself" };

    private static readonly OptionProof[] s_show =
    [
        new("show /x {}", "-t posix", Both) { Alike = s_patterns }, new("show 'posix:/*' {}", "-g", Both),
        new("show posix:/x {}", "-k sem", Both),
        new("show posix:/x {}", "-o 2", Both), new("show posix:/x {}", "-n 4", Both + Layout), new("show posix:/x {}",
            "-S 'u16 a'", Both),
        new("show posix:/x {}", "-L layout", Both + Layout),
        new("show posix:/x -S 'u16 a' {}", "--endian big", Both), new("script -qec \"$N show posix:/x {}\" /dev/null",
            "-W", Both),
        new("show posix:/x {}", "--json", Both),
    ];

    private static readonly Dictionary<string, string> s_fifo = new()
    {
        ["--pipe"] = "here the command looks for a FIFO, or for nothing",
        ["--jsem"] = "here the command takes no name",
    };

    private static OptionProof[] Locked(string line, string setUp) =>
    [
        new(line, "-L", setUp), new(line.Replace("{}", "-L {}", StringComparison.Ordinal), "-w 0",
            setUp + Semaphore + "0\nexec 7< /dev/shm/sem.x\n") { Waits = true, Code = 1 },
    ];

    private static OptionProof[] Create(string line, string there = Both) =>
    [
        new(line.Replace("posix:", "", StringComparison.Ordinal), "-t posix"), new(line, "-m 664"), new(line,
            "-g 65534"), new(line, "--or-open", there),
        new(line, "--hold") { Code = 128 + 15 }, new(line, "--json"),
        new(line.Replace("{}", "--or-open {}", StringComparison.Ordinal), "-O", there + Foreign),
    ];

    private static OptionProof[] OfEvent(string verb) =>
    [
        new($"{verb} /x {{}}", "-t posix", Event) { Alike = s_patterns }, new($"{verb} 'posix:/*' {{}}", "-g", Event),
        new($"{verb} posix:/x {{}}", "-O", Event + Foreign),
    ];

    /// <summary>The proofs of a verb.</summary>
    internal static OptionProof[] Of(string verb) => verb switch
    {
        "list" => s_list,
        "show" => s_show,
        "graph" =>
        [
            new("graph {}", "-f mermaid", Many), new("graph {}", "-t systemv", Many), new("graph {}", "-k sem", Many),
            new("graph {}", "--mine", Many) { IsOfUser = true },
            new("graph {}", "-d keys", Many), new("graph {}", "--used", Many),
        ],
        "doctor" =>
        [
            new("doctor {}", "--fix",
                "$N create sem posix:/w 1 > /dev/null; $N run --sem posix:/w -- sh -c 'kill -9 $PPID' 2> /dev/null | "
                    + "cat\n") { MayFind = true },
            new("doctor {}", "-a", "for i in $(seq 9); do printf abc > /dev/shm/sem.$i; done\n")
                { MayFind = true },
            new("doctor {}", "-d keys", Many) { MayFind = true },
            new("doctor {}", "--json", Segment) { MayFind = true },
        ],
        "key parse" =>
        [
            new("key parse /x {}", "-t posix"), new("key parse posix:/x {}", "-k sem"), new("key parse posix:/x {}",
                "-p macos"),
            new("key parse systemv:/elsewhere/x -e {}", "-d /elsewhere"), new("key parse /x -t posix {}", "-e"),
            new("key parse posix:/x {}", "--json"),
        ],
        "key safe" => [new("key safe x {}", "--scope user"), .. s_key.Select(
            proof => proof with { Line = proof.Line.Replace("VERB", "safe", StringComparison.Ordinal) })],
        "key legacy" => [new("key legacy x {}", "-t posix"),
            .. s_key[1..].Select(
                proof => proof with { Line = proof.Line.Replace("VERB", "legacy", StringComparison.Ordinal) })],
        "key convert" =>
        [
            new("key convert posix:/x {}", "--to windows"), new("key convert /x --to windows {}", "-t posix"),
            new("key convert posix:/x --to windows {}", "-k sem"),
            new("key convert posix:/x --to posix -e {}", "-p macos"), new("key convert posix:/x --to systemv {}",
                "-d /elsewhere"),
            new($"key convert posix:/{new string('x', 5000)} --to systemv {{}}", "--strict") { Refuses = true },
            new("key convert posix:/x --to systemv {}", "-e"), new("key convert posix:/x --to systemv {}", "--json"),
        ],
        "layout" => [new("layout layout {}", "-l c", Layout + "printf '%s c\\nint c;\\n' --- >> layout\n")],
        "key code" => [new("key code posix:/x {}", "-l c"), new("key code posix:/x -l c {}", "-k sem"),
            new("key code /x -l c {}", "-t posix")],
        "create shm" => Create("create shm posix:/x 10 {}"),
        "create sem" => [.. Create("create sem posix:/x 1 {}"),
            new("create sem posix:/x 5 {}", "--reset", Semaphore + "1\n")],
        "create event" => [.. Create("create event posix:/x auto {}", Event),
            new("create event posix:/x auto {}", "--reset", Event), new("create event posix:/x auto {}", "--set")],
        "set" => OfEvent("set"),
        "reset" => OfEvent("reset"),
        "wait" => [.. OfEvent("wait"),
            new("wait posix:/x {}", "-w 0", Event + "$N reset posix:/x\n") { Waits = true, Code = 1 }],
        "rm" =>
        [
            new("rm /x {}", "-t posix", Segment) { Alike = new() { ["--glob"] = "a pattern names its type itself" } },
            new("rm posix:/x {}", "-k sem", Both), new("rm posix:/x {}", "-f",
                Both + "exec 7< /dev/shm/x 8< /dev/shm/sem.x\n"),
            new("rm 'posix:/*' {}", "--glob", Segment), new("rm --glob 'posix:/*' {}", "--dry-run", Both),
            new("rm {}", "--orphaned", Orphan), new("rm {}", "--unused", Both), new("rm --unused {}", "-y", Both),
            new("rm --unused {}", "-d keys",
                Many) { Alike = new() { ["-k sem"] = "the key file is that of a segment" } }, new("rm posix:/x {}",
                    "--json", Segment),
        ],
        "read" =>
        [
            new("read /x {}", "-t posix", Segment) { Alike = s_patterns }, new("read 'posix:/*' {}", "-g", Segment),
            new("read posix:/x {}", "-o 2", Segment), new("read posix:/x {}", "-n 4", Segment), new("read posix:/x {}",
                "-x", Segment),
            new("script -qec \"$N read posix:/x {}\" /dev/null", "-r", Segment), .. Locked("read posix:/x {}", Segment),
            new("read posix:/x {}", "-O", Segment + Foreign) { IsOfUser = true },
        ],
        "write" =>
        [
            new("write /x -s 1 {}", "-t posix", Segment) { Alike = s_patterns }, new("write 'posix:/*' -s 1 {}", "-g",
                Segment), new("write posix:/x -s 1 {}", "-o 2", Segment), new("write posix:/x {}", "-s 2", Segment),
            new("write posix:/x {}", "-x 33", Segment),
            .. Locked("write posix:/x -s 1 {}", Segment), new("write posix:/x -s 1 {}", "-O", Segment + Foreign),
        ],
        "dump" =>
        [
            new("dump /x file {}", "-t posix", Segment) { Alike = s_patterns }, new("dump 'posix:/*' file {}", "-g",
                Segment), new("dump posix:/x file {}", "-f", Segment + "printf old > file\n"),
            .. Locked("dump posix:/x file {}", Segment),
            new("dump posix:/x file {}", "-O", Segment + Foreign) { IsOfUser = true },
        ],
        "restore" =>
        [
            new("restore /x file {}", "-t posix", Segment + "printf new > file\n") { Alike = s_patterns },
            new("restore 'posix:/*' file {}", "-g", Segment + "printf new > file\n"), new("restore posix:/x file {}",
                "-c", "printf new > file\n"),
            new("restore posix:/x file -c {}", "-m 664", "printf new > file\n"), .. Locked("restore posix:/x file {}",
                Segment + "printf new > file\n").Select(proof => proof with
            {
                Alike = new() { ["-c"] = "it makes a segment, and here is one" },
            }),
            new("restore posix:/x file {}", "-O", Segment + Foreign + "printf new > file\n"),
        ],
        "acquire" =>
        [
            new("acquire /x {}", "-t posix", Semaphore + "4\n") { Alike = s_patterns }, new("acquire 'posix:/*' {}",
                "-g", Semaphore + "4\n"), new("acquire posix:/x {}", "-n 2", Semaphore + "4\n"),
            new("acquire posix:/x {}", "-w 0", Semaphore + "0\n") { Waits = true, Code = 1 },
            new("acquire posix:/x {}", "-O", Semaphore + "4\n" + Foreign),
        ],
        "release" =>
        [
            new("release /x {}", "-t posix", Semaphore + "4\n") { Alike = s_patterns }, new("release 'posix:/*' {}",
                "-g", Semaphore + "4\n"), new("release posix:/x {}", "-n 2", Semaphore + "4\n"),
            new("release posix:/x {}", "-O", Semaphore + "4\n" + Foreign),
        ],
        "value" =>
        [
            new("value /x {}", "-t posix", Semaphore + "4\n") { Alike = s_patterns }, new("value 'posix:/*' {}", "-g",
                Semaphore + "4\n"), new("value posix:/x {}", "--json", Semaphore + "4\n"), new("value posix:/x {}",
                    "-O", Semaphore + "4\n" + Foreign) { IsOfUser = true },
        ],
        "run" =>
        [
            new("run {} $N value posix:/x", "-s posix:/x", Semaphore + "4\n"), new("run -s /x {} true", "-t posix",
                Semaphore + "4\n") { Alike = s_patterns },
            new("run -s 'posix:/*' {} true", "-g", Semaphore + "4\n"),
            new("run -s posix:/x {} $N value posix:/x", "-n 2", Semaphore + "4\n"),
            new("run -s posix:/x {} true", "-w 0", Semaphore + "0\n") { Waits = true, Code = 1 },
            new("run -s posix:/x {} true", "-c 3"),

            // With -n 2 it waits for a second permit, which never comes.
            new("run -s posix:/x -w 5 {} od -An -tx8 -N8 /dev/shm/sem.x", "--robust", Semaphore + "1\n"),
            new("run -s posix:/x -w 0 {} true", "-E 9", Semaphore + "0\n") { Code = 9 },
            new("run -s posix:/x {} true", "-O", Semaphore + "4\n" + Foreign),
        ],
        "jobserver" =>
        [
            new("jobserver {} true", "-s posix:/x"), new("jobserver -s /x {} true", "-t posix"),
            new("jobserver -s posix:/x {} true", "-j 3") { Alike = s_fifo },
            new("jobserver -s posix:/x {} sh -c 'timeout 1 head -c1 < ${MAKEFLAGS##*fifo:}; echo'", "-n 1",
                Semaphore + "4\n") { Alike = s_fifo },
            new("jobserver -s posix:/x {} true", "-w 0", Semaphore + "0\n") { Waits = true, Code = 1, Alike = s_fifo },
            new("jobserver -s posix:/x {} printenv MAKEFLAGS", "--pipe", Semaphore + "4\n"),
            new("jobserver -s posix:/x {} echo {''}", "--jsem", Semaphore + "4\n"),
            new("jobserver -s posix:/x {} true", "-O", Semaphore + "4\n" + Foreign) { Alike = s_fifo },
        ],
        "demo" => [new("demo file --child dotnet {}", "-t posix", "printf new > file\n"),
            new("demo file -t posix {}", "--child dotnet", "printf new > file\n")],
        _ => [],
    };
}
