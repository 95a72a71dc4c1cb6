using System.Runtime.Versioning;
using System.Text.RegularExpressions;
using NativeIpc.Testing;
using Xunit;

namespace NativeIpc.Guides;

/// <summary>Each page of docs/errors shows how to prove a cause, and what it tells to type there runs.</summary>
[SupportedOSPlatform("linux")]
[NeedsLinux("Uses sh.")]
public partial class ErrorPageTests(ITestOutputHelper log)
{
    /// <summary>What some machines have not: the root of control groups has no limits, few have quotas, and a kernel
    /// may keep its log for itself.</summary>
    private static readonly Dictionary<string, string> s_notEverywhere = new()
    {
        ["cat /sys/fs/cgroup/memory.max"] = "test -e /sys/fs/cgroup/memory.max",
        ["cat /sys/fs/cgroup/pids.max"] = "test -e /sys/fs/cgroup/pids.max",
        ["quota"] = "command -v quota",
        ["dmesg"] = "dmesg",
    };

    public static TheoryData<string> Pages => new(GuidePage.Of("errors").Where(page => page != "errors/README.md"));

    [Theory]
    [MemberData(nameof(Pages))]
    public void A_page_has_causes_and_remedies_in_its_table_and_a_proof(string page)
    {
        string text = File.ReadAllText(Path.Combine(Place.Documents, page));
        Assert.Matches(page == "errors/unknown.md" ? @"(?m)^\| You have \|" : @"(?m)^\| .*\| What helps \|$", text);
        Assert.Contains("\n## Prove it: ", text, StringComparison.Ordinal);
        Assert.Contains(GuidePage.Read(page), section => section.IsRun);
    }

    [Fact]
    public void Each_proof_of_a_table_runs()
    {
        string[] commands = [.. GuidePage.Of("errors").SelectMany(ProofsOf).Distinct()];
        Assert.True(commands.Length > 10, $"{commands.Length} commands only.");
        IEnumerable<string> typed = commands
            .Where(command => !s_notEverywhere.TryGetValue(command, out string? test)
                || Shell.Run("sh", ["-c", test]).ExitCode == 0)
            .Select(command => $"$ {command.Replace("PID", "self").Replace("KEY", "posix:/org.example.proof")}\n…\n");
        const string Key = "posix:/org.example.proof";
        string text = $"$ nipc create sem {Key} 1\n{Key}\n{string.Concat(typed)}$ nipc rm {Key}\n…\n";
        var block = new GuideBlock("console", new Dictionary<string, string> { ["run"] = "" }, text, 1);
        using var run = new SectionRun(new GuideSection("", [block]), "", log);
        run.Run();
    }

    /// <summary>The pieces of code in the column "Proof".</summary>
    private static IEnumerable<string> ProofsOf(string page)
    {
        int column = -1;
        foreach (string line in File.ReadLines(Path.Combine(Place.Documents, page)))
        {
            string[] cells = line.Replace(@"\|", "\u0001").Split('|');
            if (cells.Length < 3) column = -1;
            else if (column < 0) column = Array.FindIndex(cells, cell => cell.Trim() == "Proof");
            else
            {
                foreach (Match code in Code().Matches(cells[column]))
                    yield return code.Groups[1].Value.Replace('\u0001', '|');
            }
        }
    }

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Code();
}
