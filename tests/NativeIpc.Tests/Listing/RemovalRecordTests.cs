using System.Globalization;
using NativeIpc.Lifetime;
using Xunit;

namespace NativeIpc.Tests.Listing;

/// <summary>The record of who has to remove an object, and what proves that this process is dead. Linux.</summary>
[NeedsLinux("The record is made on Linux.")]
public class RemovalRecordTests
{
    [Theory]
    [InlineData("fe3fa157cd f0000004 f0000002 3039 3ade68b1", null, 12345, 0x3ade68b1)]
    [InlineData("fe3fa157cd f0000004 f0000002 1 0 10000", 65536, 1, 0)]
    [InlineData("fe3fa157cd f0000004 f0000002 1 0 10000", 65537, 0, 0)] // of another segment
    [InlineData("fe3fa157cd f0000004 f0000002 1 0 10000", null, 0, 0)]
    [InlineData("fe3fa157cd f0000004 f0000002 1 0", 65536, 0, 0)]
    [InlineData("fe3fa157cd f0000004 f0000002 0 0", null, 0, 0)]
    [InlineData("fe3fa157cd f0000004 f0000002 ffffffff 0", null, 0, 0)] // kill(-1) would mean all
    [InlineData("fe3fa157cd f0000004 f0000002 80000000 0", null, 0, 0)]
    [InlineData("fe3fa157cd f0000004 f0000002 x 0", null, 0, 0)]
    [InlineData("1 2", null, 0, 0)]
    [InlineData("", null, 0, 0)]
    public void What_is_no_record_of_the_object_says_nothing(string text, int? id, int process, long start)
    {
        RemovalRecord.Maker maker = RemovalRecord.Parse(text, id);
        Assert.Equal((process != 0, process, start), (maker.IsKnown, maker.Process, maker.Start));
        Assert.NotEqual(true, maker.Lives);
    }

    [Fact]
    public void Only_a_process_of_the_same_boot_and_namespaces_is_known_to_live_or_to_be_dead()
    {
        string file = Path.Combine("/dev/shm", $"ni-record-{Environment.ProcessId}");
        using FileStream stream = new(file,
            new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.ReadWrite,
                Options = FileOptions.DeleteOnClose });
        RemovalRecord.Write((int)stream.SafeFileHandle.DangerousGetHandle());
        RemovalRecord.Maker self = RemovalRecord.Read(file);
        Assert.SkipUnless(self.IsKnown, "tmpfs has no attributes here (before Linux 6.6).");
        Assert.Equal((Environment.ProcessId, true), (self.Process, self.Lives));
        Assert.False((self with { Start = self.Start + 1 }).Lives); // the number was given again
        Assert.False((self with { Process = int.MaxValue }).Lives); // beyond what numbers there are
        string[] place = self.Place!.Split(' ');
        for (int part = 0; part < place.Length; part++)
        {
            string[] other = [.. place];
            other[part] = other[part].Replace(other[part][0], other[part][0] == '1' ? '2' : '1');
            Assert.Null((self with { Place = string.Join(' ', other), Process = int.MaxValue }).Lives);
        }

        RemovalRecord.Erase((int)stream.SafeFileHandle.DangerousGetHandle());
        Assert.False(RemovalRecord.Read(file).IsKnown);
    }

    [Theory]
    [InlineData("17 (a) S b) {0} 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 {1} 18 4711 20", "S", "3", false)]
    [InlineData("17 (x) {0} 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 {1} 18 4711 20", "Z", "1", true)]
    // Other threads live
    [InlineData("17 (x) {0} 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 {1} 18 4711 20", "Z", "2", false)]
    [InlineData("17 (x) {0} 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 {1} 18 4711 20", "X", "0", true)]
    public void The_state_and_the_start_of_a_process_are_read_behind_its_name(string line, string state, string threads,
        bool isOver)
    {
        Assert.True(RemovalRecord.Stat.TryParse(string.Format(CultureInfo.InvariantCulture, line, state, threads),
            out RemovalRecord.Stat stat));
        Assert.Equal((4711, isOver), (stat.Start, stat.IsOver));
        Assert.False(RemovalRecord.Stat.TryParse("17 (x", out _));
        Assert.False(RemovalRecord.Stat.TryParse("17 (x) S 1 2", out _));
    }
}
