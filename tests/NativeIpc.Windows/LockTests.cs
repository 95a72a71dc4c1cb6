using Xunit;

namespace NativeIpc.WindowsTests;

/// <summary>The lock that Qt takes: a semaphore of value 1 under the segment's name with _sem behind it.</summary>
public class LockTests : WindowsTest
{
    [Theory]
    [MemberData(nameof(Functions))]
    [Scenario("3 ←")]
    public void A_peer_that_holds_the_lock_keeps_us_out(string functions)
    {
        string name = NewName();
        using Peer peer = Peer.Start();
        Assert.Equal("ok new", peer.Ask("create-semaphore", functions, name + "_sem", 1, int.MaxValue));
        Assert.Equal("ok", peer.Ask("acquire", 0));
        using SharedMemory segment = SharedMemory.CreateNew(Key(name), 1);

        Assert.False(segment.TryLock(out _));
        Assert.False(segment.TryLock(TimeSpan.FromMilliseconds(20), out _, TestContext.Current.CancellationToken));
        Assert.Equal("ok 0", peer.Ask("release", 1));
        using SharedMemoryLock held = segment.Lock();
        Assert.False(held.WasReplaced);
        Assert.Equal("timeout", peer.Ask("acquire", 0));
    }

    [Theory]
    [MemberData(nameof(Functions))]
    [Scenario("3 →")]
    public void We_keep_a_peer_out_while_we_hold_the_lock(string functions)
    {
        NativeIpcKey key = NewKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 1);
        using Peer peer = Peer.Start();
        // Made when it is first needed
        Assert.Equal("error OpenSemaphore 2", peer.Ask("open-semaphore", functions, key.NativeKey + "_sem", "all"));
        SharedMemoryLock held = segment.Lock();

        // As Qt opens it
        Assert.Equal("ok existing", peer.Ask("create-semaphore", functions, key.NativeKey + "_sem", 1, int.MaxValue));
        Assert.Equal("timeout", peer.Ask("acquire", 20));
        peer.Tell("acquire", -1);
        segment.Span[0] = 0x33;
        held.Dispose();
        held.Dispose();
        Assert.Equal("ok", peer.Answer());
        Assert.False(segment.TryLock(out _));
    }

    [Fact]
    public void Disposing_the_segment_releases_its_lock_and_takes_it_along()
    {
        NativeIpcKey key = NewKey();
        SharedMemory segment = SharedMemory.CreateNew(key, 1);
        using SharedMemory other = SharedMemory.OpenExisting(key, SharedMemoryAccess.Read);
        Assert.True(segment.TryLock(out _));
        Assert.False(other.TryLock(out _));
        segment.Dispose();

        Assert.True(other.TryLock(out SharedMemoryLock held));
        held.Dispose();
        other.Dispose();
        Assert.False(SystemSemaphore.TryOpenExisting(Key(key.NativeKey + "_sem"), out _));
    }

    [Fact]
    public void The_lock_of_a_long_name_is_cut_to_fit()
    {
        string name = NewName().PadRight(259, 'x');
        using SharedMemory segment = SharedMemory.CreateNew(Key(name), 1);
        using SharedMemoryLock held = segment.Lock();

        using SystemSemaphore semaphore = SystemSemaphore.OpenExisting(Key(name[..255] + "_sem"));
        Assert.False(semaphore.TryAcquire());
    }

    [Fact]
    public void The_lock_of_a_legacy_segment_is_the_legacy_semaphore()
    {
        string name = NewName();
        using SharedMemory segment = SharedMemory.CreateNew(
            SharedMemory.LegacyNativeKey(name, NativeIpcKeyType.Windows), 1);
        using SharedMemoryLock held = segment.Lock();

        using SystemSemaphore semaphore =
            SystemSemaphore.OpenExisting(SystemSemaphore.LegacyNativeKey(name, NativeIpcKeyType.Windows));
        Assert.False(semaphore.TryAcquire());
        Assert.False(SystemSemaphore.TryOpenExisting(Key(segment.Key.NativeKey + "_sem"), out _));
    }

    [Fact]
    public void Another_kind_of_object_under_the_lock_s_name_is_a_key_error()
    {
        NativeIpcKey key = NewKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 1);
        using Peer peer = Peer.Start();
        peer.Ask("create-mutex", "W", key.NativeKey + "_sem");

        Fails(NativeIpcError.KeyError, 6, () => segment.Lock());
        segment.Span[0] = 1; // the segment itself goes on
    }

    [Fact]
    public void A_segment_without_the_lock_makes_none()
    {
        using SharedMemory segment = SharedMemory.CreateNew(NewKey(), 1, new() { UseLock = false });

        Assert.Throws<InvalidOperationException>(() => segment.Lock());
    }
}
