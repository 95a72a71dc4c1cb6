using Xunit;

namespace NativeIpc.Machine;

/// <summary>A library in C that was there before the runtime handles a signal and goes on: nothing of a living process
/// is removed.</summary>
[NeedsLinux("Looks at Linux's files.")]
public class NativeHandlerTests
{
    // Its handler makes the file that the environment names, as the sign that the signal has come.
    private const string Source = """
        #define _GNU_SOURCE
        #include <fcntl.h>
        #include <signal.h>
        #include <stdlib.h>
        #include <unistd.h>

        static const char *sign;

        static void handle(int number)
        {
            (void)number;
            int made = open(sign, O_CREAT | O_WRONLY, 0600);
            if (made >= 0) close(made);
        }

        __attribute__((constructor)) static void begin(void)
        {
            struct sigaction action = { .sa_handler = handle };
            sign = getenv("NATIVE_HANDLER_SIGN");
            if (sign == NULL) return;
            sigaction(SIGHUP, &action, NULL);
            sigaction(SIGINT, &action, NULL);
            sigaction(SIGTERM, &action, NULL);
        }
        """;

    [Theory]
    [InlineData(1)] // SIGHUP, which the runtime leaves alone
    [InlineData(2)] // SIGINT and SIGTERM, which it handles itself, and then calls the handler that was there before it
    [InlineData(15)]
    public void A_signal_that_a_native_library_handles_removes_nothing_and_holds_up_no_later_call(int signal)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Looks at Linux's files.");
        string folder = Directory.CreateTempSubdirectory(TestRun.Prefix).FullName;
        try
        {
            string source = Path.Combine(folder, "handler.c");
            string built = Path.Combine(folder, "handler.so");
            string sign = Path.Combine(folder, "handled");
            File.WriteAllText(source, Source);
            Assert.Equal("", Shell.Run(Peers.Require("gcc", "gcc"), ["-shared", "-fPIC", "-o", built, source],
                "/").Error);

            NativeIpcKey posix = TestRun.NewKey(Backend.Posix);
            NativeIpcKey systemV = TestRun.NewKey(Backend.SystemV);
            var situation = new Situation { Environment = new() { ["LD_PRELOAD"] = built,
                ["NATIVE_HANDLER_SIGN"] = sign } };
            VictimResult result = Victims.Run(situation,
            [
                $"segment-create {posix} 4096", $"segment-create {systemV} 4096", $"signal {signal}",
                $"await-file {sign}",
                "is-ending", $"segment-open {posix}", $"segment-open {systemV}",
            ]);
            result.Did("created 4096", "created 4096", "sent", "there", "False", "opened 4096", "opened 4096");
            Assert.Equal(0, result.ExitCode);
            Assert.False(SharedMemory.Remove(posix));
            Assert.False(SharedMemory.Remove(systemV));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
