using System.Text.RegularExpressions;
using System.Xml.Linq;
using Xunit;

namespace NativeIpc.Tool.Tests;

/// <summary>The picture of the machine: read by Graphviz itself, and with no names that do more than be
/// shown.</summary>
[NeedsLinux("Files in /dev/shm are objects on Linux.")]
public partial class GraphTests : OneType
{
    [Theory]
    [InlineData("dot", " -- ")]
    [InlineData("mermaid", " --- ")]
    public void A_line_joins_a_process_and_what_it_has_open(string format, string line)
    {
        NativeIpcKey used = NewKey("posix"), unused = NewKey("posix");
        Nipc.Succeed("create", "shm", $"{used}", "64");
        Nipc.Succeed("create", "sem", $"{used}", "1");
        Nipc.Succeed("create", "shm", $"{unused}", "64");
        using SharedMemory segment = SharedMemory.OpenExisting(used,
            options: new SharedMemoryOptions { Removal = RemovalPolicy.Keep });
        string text = Nipc.Succeed("graph", "--format", format);
        string inUse = NodeOf(text, $"{used}", "shm"), idle = NodeOf(text, $"{unused}", "shm"), semaphore = NodeOf(text,
            $"{used}", "sem");
        Assert.Contains($"    p{Environment.ProcessId}{line}{inUse}", text, StringComparison.Ordinal);
        Assert.DoesNotContain($"{line}{idle}\n", text.Replace(";", "", StringComparison.Ordinal),
            StringComparison.Ordinal);
        Assert.Matches($"{inUse} (-- {semaphore} \\[style=dashed, label=\"lock\"\\]|-\\. lock \\.- {semaphore})", text);
        // Whether nobody has it open is known where all processes may be looked at.
        string inList = Nipc.Succeed("list", "-o", "key,users,flags",
            "--no-header").Split('\n').Single(row => row.StartsWith($"{unused} ", StringComparison.Ordinal));
        bool isKnown = inList.Contains("unused", StringComparison.Ordinal);
        Assert.Equal(isKnown, Regex.IsMatch(text, $"(?m)^    {idle}.*(dashed|:::unused)"));
        string usedOnly = Nipc.Succeed("graph", "--format", format, "--used");
        Assert.DoesNotContain($"{unused}", usedOnly, StringComparison.Ordinal);
        Assert.Contains($"{used}", usedOnly, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a\"]; x [label=\"y")]
    [InlineData("<b>&lt;&#60;#60;</b>`x`")]
    [InlineData(@"a\nb\N\")]
    [InlineData("a}};{{|#quot;%%--> subgraph")]
    public void A_name_is_shown_and_does_nothing(string name)
    {
        string dot = Peers.Require("dot", "graphviz");
        string file = $"nitool-{Environment.ProcessId}-{name}".Replace("/", "∕", StringComparison.Ordinal);
        File.WriteAllBytes($"/dev/shm/{file}", [1, 2, 3]);
        try
        {
            string drawing = NewFile();
            File.WriteAllText(drawing, Nipc.Succeed("graph"));
            XDocument picture = XDocument.Parse(Shell.Run(dot, ["-Tsvg", drawing]).Succeeded);
            Assert.Contains(picture.Descendants(), element
                => element.Name.LocalName == "text" && element.Value == $"posix:/{Encoded(file)}");

            // Mermaid is not in Debian: nothing but letters, digits and codes may stand in a label.
            string text = Nipc.Succeed("graph", "--format", "mermaid");
            Assert.All(text.Split('\n')[2..],
                line =>
                    Assert.Matches(
                        @"^    (p[0-9]+\(""LABEL""\)|o[0-9]+(\[""LABEL""\]|\{\{""LABEL""\}\})(:::\w+)?"
                            + @"|p[0-9]+ --- o[0-9]+|o[0-9]+ -\. lock \.- o[0-9]+|classDef .*)$",
                        Label().Replace(line, "\"LABEL\"")));
        }
        finally
        {
            File.Delete($"/dev/shm/{file}");
        }
    }

    /// <summary>As the text of a key has it.</summary>
    private static string Encoded(string name)
        => new NativeIpcKey("/" + name, NativeIpcKeyType.PosixRealtime).ToString()["posix:/".Length..];

    private static string NodeOf(string text, string key, string kind)
        => Regex.Match(text, $"(?m)^    (o[0-9]+).*{Regex.Escape(key)}(<br/>|\\\\n){kind} ").Groups[1].Value;

    [GeneratedRegex(@"""([\p{L}\p{Nd} /:._=,?-]|#[0-9]+;|<br/>)*""")]
    private static partial Regex Label();
}
