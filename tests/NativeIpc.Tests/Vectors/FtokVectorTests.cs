using System.Globalization;
using NativeIpc.Interop.Unix;
using Xunit;

namespace NativeIpc.Tests.Vectors;

/// <summary>The formula behind ftok. The library calls libc's; the formula is what two key files can collide
/// by.</summary>
public class FtokVectorTests
{
    [Fact]
    public void The_formula_gives_what_glibc_gave() => VectorFile.CheckAll("ftok.json", 41, one => Assert.Equal(
        one.GetProperty("key").GetInt32(),
        Formula(Number(one.Text("dev")), Number(one.Text("ino")), one.GetProperty("id").GetInt32())));

    [Theory]
    [InlineData(1)]
    [InlineData(0x51)]
    [InlineData(127)]
    [InlineData(128)]
    [InlineData(255)]
    [NeedsLinux("The formula of other systems' ftok was not observed.")]
    public void Ftok_of_libc_follows_the_formula_for_a_real_file(int projectId)
    {
        string file = Path.GetTempFileName();
        try
        {
            Assert.Equal(0, Libc.Status(file, followLink: true, out FileStatus status));
            Assert.Equal(Formula(status.Identity.Device, status.Identity.Inode, projectId),
                Libc.ftok(file, projectId));
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static int Formula(ulong device, ulong inode, int projectId)
        => unchecked((int)((inode & 0xFFFF) | ((device & 0xFF) << 16) | ((ulong)(projectId & 0xFF) << 24)));

    private static ulong Number(string text) => ulong.Parse(text, CultureInfo.InvariantCulture);
}
