using System.Text;
using NativeIpc.Linux;
using Xunit;

namespace NativeIpc.Tests.Listing;

public class ProcessScanTests
{
    [Theory]
    [InlineData("7f0cd0a00000-7f0cd0a10000 rw-s 00000000 00:1c 42                         /dev/shm/frames", 0x1c,
        42, 0x10000)]
    [InlineData("7f0cd0a00000-7f0cd0a01000 rw-s 00000000 00:01 7                          /SYSV5100abcd (deleted)",
        1, 7, 0x1000)]
    [InlineData("7f0cd0a00000-7f0cd0a01000 r--p 00001000 fd:103 18446744073709551615     /dev/shm/x",
        (0xfdL << 32) | 0x103, ulong.MaxValue, 0x1000)]
    public void A_line_of_maps_tells_device_inode_and_length(string line, ulong device, ulong inode, long size)
    {
        Assert.True(ProcessMaps.TrySplit(Encoding.UTF8.GetBytes(line), out ulong seenDevice, out ulong seenInode,
            out long seenSize));
        Assert.Equal((device, inode, size), (seenDevice, seenInode, seenSize));
    }

    [Theory]
    [InlineData("")]
    [InlineData("7f0cd0a00000")]
    [InlineData("7f0cd0a00000-7f0cd0a01000 rw-s")]
    [InlineData("no line of maps at all /dev/shm/x")]
    public void Another_line_tells_nothing(string line)
        => Assert.False(ProcessMaps.TrySplit(Encoding.UTF8.GetBytes(line), out _, out _, out _));
}
