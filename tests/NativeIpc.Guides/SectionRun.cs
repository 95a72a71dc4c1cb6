using System.Runtime.Versioning;
using NativeIpc.Testing;
using Xunit;

namespace NativeIpc.Guides;

/// <summary>
/// One section of a page, done as a reader does it: its files written into a new folder, the peer built as the page
/// says, and its commands run in their terminals. Two things are other than on the page: <c>dotnet</c> runs what was
/// compiled before, and <c>org.example</c> is a name of this run. What no reader sees may use <c>CLONE</c>, the
/// repository.
/// </summary>
[SupportedOSPlatform("linux")]
internal sealed class SectionRun : IDisposable
{
    private const string PageName = "org.example";

    private static readonly TimeSpan s_watchdog = Patience.Minutes(1);
    private static int s_runs;

    private readonly string _name = $"g{Environment.ProcessId}x{Interlocked.Increment(ref s_runs)}";
    private readonly string _folder;
    private readonly GuideSection _section;
    private readonly string _variant;
    private readonly ITestOutputHelper _log;
    private readonly Dictionary<string, string?> _environment;

    internal SectionRun(GuideSection section, string variant, ITestOutputHelper log)
    {
        _section = section;
        _variant = variant;
        _log = log;
        _folder = Directory.CreateTempSubdirectory("guide-").FullName;
        foreach (string folder in new[] { "bin", "tmp", "run" })
            Directory.CreateDirectory(PathOf(folder),
                UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        _environment = new()
        {
            // Debian's programs, whatever else a developer has
            ["PATH"] = PathOf("bin") + ":/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            ["TMPDIR"] = PathOf("tmp"),
            ["XDG_RUNTIME_DIR"] = PathOf("run"),
            ["DOTNET_EnableDiagnostics"] = "0", // it keeps files in TMPDIR
            ["DOTNET_ROOT"] = Path.GetDirectoryName(Place.Dotnet),
            ["LC_ALL"] = "C.UTF-8",
            ["CLONE"] = Place.Repository,
        };
    }

    private IEnumerable<GuideBlock> Blocks
        => _section.Blocks.Where(block => block["as"] is not { } name || name == _variant);

    private bool IsForWindows => _section.Blocks.Any(block => block["in"] == "windows");

    internal void Run()
    {
        RequireTools();
        foreach (GuideBlock block in Blocks.Where(block => block.Has("file")))
            File.AppendAllText(PathOf(block["file"]!), block.Text); // a file may come in parts
        foreach (string file in Blocks.Where(block => block.Language == "csharp").Select(block => block["file"])
            .OfType<string>().Distinct())
        {
            CompileDotnetSide(file);
        }

        foreach (GuideBlock block in Blocks.Where(block => block.Has("build"))) Build(block);
        WriteShims();

        using var machine = new Machine(apart: !IsForWindows);
        Assert.SkipUnless(machine.IsApart || !Blocks.Any(block => block.Has("alone")),
            "This user may not make namespaces.");
        foreach (GuideBlock[] session in Sessions()) Run(session, machine);

        if (!IsForWindows) Assert.Empty(machine.NewNames); // Wine keeps names in its server
        // Its server's
        Assert.DoesNotContain(Directory.EnumerateFileSystemEntries(PathOf("tmp")),
            path => !Path.GetFileName(path).StartsWith("wine-", StringComparison.Ordinal));
        Assert.Empty(Directory.EnumerateFileSystemEntries(PathOf("run")));
        Assert.Empty(Directory.EnumerateFileSystemEntries("/tmp", "*" + _name + "*"));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string PathOf(string name) => Path.Combine(_folder, name);

    private void RequireTools()
    {
        if (Blocks.Any(block => block["in"] == "debian13"))
            Peers.Require(Place.Debian13, "debootstrap; test.sh makes the folder");
        foreach (string need in Blocks.Select(block => block["needs"]).OfType<string>()
            .SelectMany(needs => needs.Split(',')))
        {
            string[] parts = need.Split(':');
            Peers.Require(parts[0], parts[1]);
        }

        if (!IsForWindows) return;
        Peers.Require("wine", "wine64");
        Peers.Require(Place.WineRun, "none: it belongs to this repository");
    }

    private void CompileDotnetSide(string file)
    {
        if (!IsForWindows)
        {
            CSharpProgram.Compile(_folder, file);
            return;
        }

        CSharpProgram.PublishForWindows(_folder, file);
    }

    // A block of commands without output, each of which must succeed.
    private void Build(GuideBlock block)
    {
        foreach (string line in block.Text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            string command = line[2..];
            if (block["in"] == "debian13") BuildInDebian13(command);
            else Succeed("sh", ["-c", command], _folder);
        }
    }

    private void BuildInDebian13(string command)
    {
        string inside = "/tmp/" + _name;
        string outside = Place.Debian13 + inside;
        Directory.CreateDirectory(outside);
        try
        {
            foreach (string file in Directory.EnumerateFiles(_folder))
                File.Copy(file, Path.Combine(outside, Path.GetFileName(file)));
            string[] user = Environment.UserName == "root" ? [] : ["unshare", "--map-root-user"];
            string[] words = [.. user, "/usr/sbin/chroot", Place.Debian13, "sh", "-c",
                $"cd {inside} && PATH=/usr/bin:/bin TMPDIR=/tmp {command}"];
            Succeed(words[0], words[1..], null);
            foreach (string made in Directory.EnumerateFiles(outside)
                .Where(file => !File.Exists(PathOf(Path.GetFileName(file)))))
            {
                // It runs with the loader and the libraries that it was built with, which are newer than this
                // machine's.
                string name = Path.GetFileName(made);
                File.Copy(made, PathOf(name + ".elf"));
                WriteScript(PathOf(name),
                    $"exec {Place.Debian13}/lib64/ld-linux-x86-64.so.2 "
                        + $"--library-path {Place.Debian13}/usr/lib/x86_64-linux-gnu {PathOf(name + ".elf")} \"$@\"");
            }
        }
        finally
        {
            Directory.Delete(outside, recursive: true);
        }
    }

    private void Succeed(string program, string[] arguments, string? folder)
    {
        ShellResult result = Shell.Run(program, arguments, folder, _environment);
        Assert.True(result.ExitCode == 0 && result.Error.Length == 0,
            $"{string.Join(' ', arguments)}\n{result.Output}{result.Error}");
    }

    private void WriteShims()
    {
        string run = IsForWindows ? $"exec {Place.WineRun} {PathOf("windows")}/\"${{file%.cs}}.exe\" \"$@\""
            : $"exec {Place.Dotnet} exec \"{_folder}/${{file%.cs}}.dll\" \"$@\"";
        // A sample is what the build has made of it.
        string sample = $"project={Place.Repository}$3\nname=$(basename \"$3\")\nshift 3\n"
            + $"exec \"$project/bin/{Place.Built}/$name\" \"$@\"";
        WriteScript(PathOf("bin/dotnet"), "[ \"$1\" = run ] || exit 2\n"
            + $"if [ \"$2\" = --project ]; then\n{sample}\nfi\nfile=$2\nshift 2\n{run}");
        if (!IsForWindows) WriteScript(PathOf("bin/nipc"), $"exec {Place.Nipc} \"$@\"");
        if (!IsForWindows) return;
        foreach (string program in Directory.EnumerateFiles(_folder, "*.exe"))
            WriteScript(PathOf("bin/" + Path.GetFileName(program)), $"exec {Place.WineRun} {program} \"$@\"");
    }

    private static void WriteScript(string path, string text)
    {
        File.WriteAllText(path, "#!/bin/sh\n" + text + "\n");
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    /// <summary>Blocks that run at the same time: one alone, or terminal 1 with those after it.</summary>
    private IEnumerable<GuideBlock[]> Sessions()
    {
        var session = new List<GuideBlock>();
        foreach (GuideBlock block in Blocks.Where(block => block.Has("run") || block.Has("terminal")))
        {
            if (session.Count > 0 && block["terminal"] is null or "1")
            {
                yield return [.. session];
                session.Clear();
            }

            session.Add(block);
        }

        if (session.Count > 0) yield return [.. session];
    }

    private void Run(GuideBlock[] session, Machine machine)
    {
        var enter = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Terminal[] terminals = [.. session.Select(
            block => new Terminal(block.Text.Replace(PageName, _name, StringComparison.Ordinal), machine, _folder,
                _environment, block.Has("enter") ? enter.Task : Task.CompletedTask))];
        try
        {
            var runs = new List<Task<bool>>();
            bool inTime = true;
            foreach (Terminal terminal in terminals)
            {
                runs.Add(terminal.RunAsync());
                inTime = inTime && terminal.FirstLine.Wait(s_watchdog);
            }

            enter.SetResult();
            inTime = inTime && Task.WaitAll([.. runs], s_watchdog);
            Assert.True(inTime, "The watchdog went off.\n" + Transcripts(terminals));
            Assert.True(runs.TrueForAll(run => run.Result), "Not as the page says.\n" + Transcripts(terminals));
        }
        finally
        {
            enter.TrySetResult();
            foreach (Terminal terminal in terminals) terminal.Dispose();
        }

        _log.WriteLine(Transcripts(terminals));
    }

    private static string Transcripts(Terminal[] terminals)
        => string.Join('\n', terminals.Select(terminal => terminal.Transcript));
}
