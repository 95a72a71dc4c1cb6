using NativeIpc.Victim;
using Xunit;

namespace NativeIpc.Machine;

/// <summary>That a process has an object open without mapping it, only its descriptors tell.</summary>
[NeedsLinux("Uses Linux's /proc.")]
public class UnseenProcessesTests
{
    private static readonly NativeIpcKey s_key = new("/key", NativeIpcKeyType.PosixRealtime);

    /// <summary>A process whose descriptors could not all be read counted as seen unless the error was EACCES or EPERM,
    /// so what it used was taken for unused.</summary>
    /// <param name="number">ENOMEM, EMFILE, EIO.</param>
    [Theory]
    [InlineData(12)]
    [InlineData(24)]
    [InlineData(5)]
    [NeedsRoot(Victims.WhyRoot)]
    public void A_process_whose_descriptors_cannot_be_read_was_not_seen(int number)
    {
        VictimResult result = Run(number);
        Assert.True(CountOf(result[3]) > CountOf(result[1]), $"{result[1]}, then {result[3]}");
    }

    /// <summary>ENOENT says that the process, or its descriptor, is no more: nothing was missed.</summary>
    [Fact]
    [NeedsRoot(Victims.WhyRoot)]
    public void A_descriptor_that_is_no_more_was_not_missed()
    {
        int missed = CountOf(Run(2)[3]), unseen = CountOf(Run(12)[3]);
        Assert.True(missed < unseen, $"{missed} with ENOENT, {unseen} with ENOMEM");
    }

    // Before the filter as well: a sandbox may have processes that not even root may look at.
    private static VictimResult Run(int number)
        => Victims.Run(new Situation { MountFirst = "mount -t tmpfs -o mode=1777 none /dev/shm" },
            $"segment-create {s_key} 4096", "unseen", $"refuse-links {number}", "unseen");

    private static int CountOf(Outcome outcome)
    {
        Assert.EndsWith(" unseen", outcome.Did, StringComparison.Ordinal);
        return int.Parse(outcome.Did!.Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture);
    }
}
