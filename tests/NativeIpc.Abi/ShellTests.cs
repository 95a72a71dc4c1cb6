using Xunit;

namespace NativeIpc.Abi;

/// <summary>The shared helper itself.</summary>
[NeedsLinux("Uses sh.")]
public class ShellTests
{
    [Fact]
    public void Output_error_and_exit_code_are_returned()
    {
        ShellResult result = Shell.Run("sh", ["-c", "echo \"$1 $NAME\"; echo wrong >&2; exit 3", "sh", "a  b"],
            environment: [new("NAME", "value")]);

        Assert.Equal((3, "a  b value\n", "wrong\n"), (result.ExitCode, result.Output, result.Error));
        Assert.Contains("wrong", Assert.Throws<InvalidOperationException>(() => result.Succeeded).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void The_watchdog_ends_a_program_and_its_children()
    {
        TimeoutException timeout = Assert.Throws<TimeoutException>(
            () => Shell.Run("sh", ["-c", "echo started; sleep 1000 & wait"], watchdog: TimeSpan.FromSeconds(1)));

        // The child holds the pipe as well: the output is complete, and hence told, only after the end of both.
        Assert.Contains("started", timeout.Message, StringComparison.Ordinal);
    }
}
