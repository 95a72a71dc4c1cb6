using NativeIpc.Posix.Users;
using Xunit;

namespace NativeIpc.Tests.Posix;

public class AskMarkTests
{
    /// <summary>All processes must mean the same bytes, whatever their version: recorded values.</summary>
    [Theory]
    [InlineData("/dev/shm/", 0x32FC_A739_2108_88C8)]
    [InlineData("/dev/shm/a", 0x2BD8_F713_2180_7B22)]
    [InlineData("/dev/shm/sem.Ä", 0x32E7_E340_8C03_82CC)]
    public void The_bytes_of_a_name_stay_the_same(string path, long offset)
        => Assert.Equal(offset, AskMark.OffsetOf(path));

    [Fact]
    public void Two_bytes_of_any_name_are_no_negative_offsets_and_not_the_next_names()
    {
        for (int i = 0; i < 1000; i++)
        {
            long offset = AskMark.OffsetOf($"/dev/shm/{i}");
            Assert.InRange(offset, 0, long.MaxValue - 2);
            Assert.Equal(0, offset & 1);
        }
    }
}
