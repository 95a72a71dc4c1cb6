using System.Security.Cryptography;
using NativeIpc.Keys;
using Xunit;

namespace NativeIpc.Tests.Keys;

public sealed class Sha1Tests
{
    [Fact]
    public void Up_to_four_blocks_have_the_hash_that_dotnet_gives()
    {
        byte[] data = new byte[257];
        for (int i = 0; i < data.Length; i++) data[i] = (byte)((i * 37) ^ (i >> 3));
        for (int length = 0; length <= data.Length; length++)
        {
#pragma warning disable CA5350 // the hash that Qt's names have
            byte[] expected = SHA1.HashData(data.AsSpan(0, length));
#pragma warning restore CA5350
            Assert.Equal(expected, Sha1.Hash(data.AsSpan(0, length)));
        }
    }
}
