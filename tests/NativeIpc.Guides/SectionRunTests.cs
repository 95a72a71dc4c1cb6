using System.Runtime.Versioning;
using Xunit;
using Xunit.Sdk;

namespace NativeIpc.Guides;

/// <summary>The tests of the pages fail where they should.</summary>
[SupportedOSPlatform("linux")]
[NeedsLinux("Uses sh.")]
public class SectionRunTests
{
    private readonly ITestOutputHelper _log;

    public SectionRunTests(ITestOutputHelper log) => _log = log;

    [Theory]
    [InlineData("$ echo a  b\na b\n")]
    [InlineData("$ echo one; echo two; echo three\n…\nthree\n")]
    [InlineData("$ echo one 2 three\none … three\n")]
    [InlineData("$ true\n$ echo two\ntwo\n")]
    [InlineData("$ touch /dev/shm/org.example && rm /dev/shm/org.example\n")]
    public void Output_as_on_the_page_passes(string text) => Run(text);

    [Theory]
    [InlineData("$ echo one\ntwo\n")]
    [InlineData("$ echo one; echo two\none\n")]
    [InlineData("$ true\none\n")]
    [InlineData("$ echo one; false\none\n")]
    [InlineData("$ echo wrong >&2\n")]
    [InlineData("$ touch /dev/shm/org.example\n")]
    [InlineData("$ touch $TMPDIR/key\n")]
    [InlineData("$ touch $XDG_RUNTIME_DIR/key\n")]
    [InlineData("$ ipcmk -M 1 > /dev/null\n")]
    [InlineData("$ ipcmk -S 1 > /dev/null\n")]
    public void Other_output_a_failure_or_a_leftover_fails(string text)
        => Assert.ThrowsAny<XunitException>(() => Run(text));

    private void Run(string text)
    {
        var block = new GuideBlock("console", new Dictionary<string, string> { ["run"] = "" }, text, 1);
        using var run = new SectionRun(new GuideSection("", [block]), "", _log);
        run.Run();
    }
}
