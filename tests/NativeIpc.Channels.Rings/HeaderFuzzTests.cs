using System.Diagnostics;
using Xunit;

namespace NativeIpc.Channels.Rings;

/// <summary>The same for the header for C and the module for Python, each in one program whatever the type of the
/// key.</summary>
[NeedsLinux("Channels are there on Linux.")]
public sealed class HeaderFuzzTests : ChannelTests
{
    [Theory]
    [InlineData("-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")]
    [InlineData("-O2")]
    public void Garbage_in_the_control_words_leads_the_header_for_C_nowhere(params string[] how)
    {
        string program = Path.Combine(AppContext.BaseDirectory, "channel-fuzz" + how[0]);
        string root = Metadata("Repository");
        _ = Shell.Run(Peers.Require("gcc", "gcc"), [.. how, "-g", "-Wall", "-Wextra", "-Werror", "-I",
            Path.Combine(root, "include"), Path.Combine(root, "tests", "peers", "channels", "fuzz.c"), "-o", program,
            "-lpthread"]).Succeeded;
        Process proof = Start(program, "prove");
        Assert.Equal("reading", Line(proof));
        Ended(proof);
        Assert.NotEqual(0, proof.ExitCode);
        Process fuzz = Start(program, $"{RingFuzzTests.Headers}", $"{Environment.ProcessId}");
        string all = fuzz.StandardOutput.ReadToEnd(); // it ends by itself when it hangs
        TestContext.Current.TestOutputHelper?.WriteLine(all);
        Ended(fuzz);
        Assert.Equal(0, fuzz.ExitCode);
        Assert.EndsWith("done\n", all, StringComparison.Ordinal);
    }

    [Fact]
    public void Garbage_in_the_control_words_leads_Python_nowhere()
    {
        Process fuzz = Start(Peers.Require("/usr/bin/python3", "python3"),
            Path.Combine(Metadata("Repository"), "tests", "peers", "channels", "fuzz.py"), NextKey().NativeKey,
            NextKey().NativeKey, $"{(IsLong ? 100_000 : 1500)}", "1");
        string all = fuzz.StandardOutput.ReadToEnd(); // the watchdog of the run ends it when it hangs
        TestContext.Current.TestOutputHelper?.WriteLine(all);
        Ended(fuzz);
        Assert.Equal(0, fuzz.ExitCode);
        Assert.Equal(["ring", "topic", "open"],
            all.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(' ')[0]));
    }
}
