using NativeIpc.Keys;
using Xunit;

namespace NativeIpc.Tests.Listing;

public class LegacyNameTests
{
    [Theory]
    [InlineData("frames", "frames")]
    [InlineData("Frames", "Frames")]
    [InlineData("org.example.frames", "")] // the dots are gone: the hash proves nothing
    [InlineData("42", "")]
    public void A_legacy_name_tells_its_original_where_the_hash_proves_it(string name, string original)
    {
        foreach (IpcObjectKind kind in QtKinds.All)
        {
            string legacy = new NativeIpcKeyRules(KeyPlatform.Linux).LegacyNativeKey(name,
                NativeIpcKeyType.PosixRealtime, kind).NativeKey[1..];
            Assert.True(NameRules.IsLegacyName(legacy, kind, out string told));
            Assert.Equal(original, told);
        }
    }

    [Fact]
    public void The_sibling_of_a_legacy_name_is_the_one_of_the_other_kind()
    {
        var rules = new NativeIpcKeyRules(KeyPlatform.Linux);
        string segment = rules.LegacyNativeKey("frames", NativeIpcKeyType.PosixRealtime,
            IpcObjectKind.SharedMemory).NativeKey[1..];
        string semaphore = rules.LegacyNativeKey("frames", NativeIpcKeyType.PosixRealtime,
            IpcObjectKind.SystemSemaphore).NativeKey[1..];
        Assert.Equal(semaphore, NameRules.LegacySibling(segment, IpcObjectKind.SharedMemory));
        Assert.Equal(segment, NameRules.LegacySibling(semaphore, IpcObjectKind.SystemSemaphore));
    }

    [Theory]
    [InlineData("frames")]
    [InlineData("qipc_sharedmemory_")]
    [InlineData("qipc_sharedmemory_frames")]
    [InlineData("qipc_systemsem_0123456789abcdef0123456789abcdef01234567")]
    [InlineData("qipc_sharedmemory_0123456789ABCDEF0123456789abcdef01234567")]
    [InlineData("qipc_sharedmemory_a.b0123456789abcdef0123456789abcdef01234567")]
    public void Another_name_is_no_legacy_name_of_a_segment(string name)
        => Assert.False(NameRules.IsLegacyName(name, IpcObjectKind.SharedMemory, out _));
}
