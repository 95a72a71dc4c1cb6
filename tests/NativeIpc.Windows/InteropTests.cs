using Xunit;

namespace NativeIpc.WindowsTests;

/// <summary>With a C program, by the W and the A functions, in both directions.</summary>
public class InteropTests : WindowsTest
{
    [Theory]
    [MemberData(nameof(Functions))]
    [Scenario("2 →")]
    public void A_peer_opens_our_segment(string functions)
    {
        NativeIpcKey key = NewKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 100);
        segment.Write(10, [1, 2, 3]);
        using Peer peer = Peer.Start();

        foreach (string access in new[] { "read", "write", "all" })
            Assert.Equal("ok 4096", peer.Ask("open-segment", functions, key.NativeKey, access));
        Assert.Equal("ok 0001020300", peer.Ask("read", 9, 5));
        Assert.Equal("ok", peer.Ask("write", 4095, "fe"));
        Assert.Equal(0xfe, segment.ReadOnlySpan[4095]);
        // As Qt's create, which then fails
        Assert.Equal("ok existing", peer.Ask("create-segment", functions, key.NativeKey, 100));
    }

    [Theory]
    [MemberData(nameof(Functions))]
    [Scenario("2 ←")]
    public void We_open_a_peer_s_segment(string functions)
    {
        string name = NewName();
        using Peer peer = Peer.Start();
        Assert.Equal("ok new", peer.Ask("create-segment", functions, name, 5000));
        Assert.Equal("ok", peer.Ask("write", 0, "c0ffee"));

        using SharedMemory reader = SharedMemory.OpenExisting(Key(name), SharedMemoryAccess.Read);
        using SharedMemory writer = SharedMemory.CreateOrOpen(Key(name), 5000);

        Assert.Equal((8192, false), (reader.Size, writer.CreatedNew));
        Assert.Equal([0xc0, 0xff, 0xee], reader.ReadOnlySpan[..3].ToArray());
        writer.Span[2] = 0x11;
        Assert.Equal("ok c0ff11", peer.Ask("read", 0, 3));
        Fails(NativeIpcError.AlreadyExists, 183, () => SharedMemory.CreateNew(Key(name), 5000));
    }

    [Theory]
    [MemberData(nameof(Functions))]
    [Scenario("4 →")]
    public void A_peer_uses_our_semaphore(string functions)
    {
        NativeIpcKey key = NewKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 1);
        using Peer peer = Peer.Start();

        foreach (string access in new[] { "least", "all" })
            Assert.Equal("ok", peer.Ask("open-semaphore", functions, key.NativeKey, access));
        Assert.Equal("ok existing", peer.Ask("create-semaphore", functions, key.NativeKey, 1, int.MaxValue)); // as Qt
        Assert.Equal("ok", peer.Ask("acquire", 0));
        Assert.False(semaphore.TryAcquire());
        Assert.Equal("timeout", peer.Ask("acquire", 20));
        semaphore.Release(3);
        Assert.Equal("ok 3", peer.Ask("release", 1));
        for (int i = 0; i < 4; i++) Assert.True(semaphore.TryAcquire());
        Assert.False(semaphore.TryAcquire());
    }

    [Theory]
    [MemberData(nameof(Functions))]
    [Scenario("4 ←")]
    public void We_use_a_peer_s_semaphore(string functions)
    {
        string name = NewName();
        using Peer peer = Peer.Start();
        Assert.Equal("ok new", peer.Ask("create-semaphore", functions, name, 2, int.MaxValue));
        using SystemSemaphore semaphore = SystemSemaphore.OpenExisting(Key(name));

        semaphore.Acquire();
        Assert.Equal("ok 1", peer.Ask("release", 2));
        for (int i = 0; i < 3; i++) Assert.True(semaphore.TryAcquire());
        Assert.Equal("timeout", peer.Ask("acquire", 0));
        semaphore.Release(2);
        Assert.Equal("ok", peer.Ask("acquire", 0));
        Assert.Equal("ok", peer.Ask("acquire", 0));
        Assert.Equal("timeout", peer.Ask("acquire", 0));
    }

    [Theory]
    [MemberData(nameof(Functions))]
    [Scenario("4 ←")]
    public async Task A_wait_of_ours_ends_when_a_peer_releases(string functions)
    {
        string name = NewName();
        using Peer peer = Peer.Start();
        peer.Ask("create-semaphore", functions, name, 0, 1);
        peer.Ask("create-segment", functions, name + "-memory", 1);
        using SystemSemaphore semaphore = SystemSemaphore.OpenExisting(Key(name));
        using SharedMemory memory = SharedMemory.OpenExisting(Key(name + "-memory"));
        byte seen = 0;
        var entered = new TaskCompletionSource();
        Task waiting = Start(() =>
        {
            entered.SetResult();
            semaphore.Acquire();
            seen = memory.ReadOnlySpan[0];
        });
        await Soon(entered.Task);

        peer.Ask("write", 0, "2a");
        peer.Ask("release", 1);
        await Soon(waiting);
        Assert.Equal(0x2a, seen);
    }

    [Theory]
    [MemberData(nameof(Functions))]
    [Scenario("4 →")]
    public void A_wait_of_a_peer_ends_when_we_release(string functions)
    {
        NativeIpcKey key = NewKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 0);
        using Peer peer = Peer.Start();
        peer.Ask("open-semaphore", functions, key.NativeKey, "least");
        peer.Tell("acquire", -1);

        semaphore.Release();
        Assert.Equal("ok", peer.Answer());
        Assert.False(semaphore.TryAcquire());
    }

    [Theory]
    [InlineData("W", "with spaces, dots. & slashes/")]
    [InlineData("A", "with spaces, dots. & slashes/")]
    [InlineData("W", "ключ 鍵 🔑")]
    [InlineData("A", "é")]
    [Scenario("1 →")]
    public void Names_are_the_same_text_on_both_sides(string functions, string text)
    {
        string name = NewName(text);
        using SharedMemory segment = SharedMemory.CreateNew(Key(name), 1);
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(Key(name + "s"), 1);
        using Peer peer = Peer.Start();

        string answer = peer.Ask("open-segment", functions, name, "read");
        Assert.SkipWhen(answer.StartsWith("error WideCharToMultiByte", StringComparison.Ordinal),
            $"The ANSI code page here has no '{text}'.");
        Assert.Equal("ok 4096", answer);
        Assert.Equal("ok", peer.Ask("open-semaphore", functions, name + "s", "least"));
    }

    [Theory]
    [MemberData(nameof(Functions))]
    [Scenario("5 ←")]
    public void A_segment_survives_its_creator_with_us(string functions)
    {
        string name = NewName();
        using Peer creator = Peer.Start();
        creator.Ask("create-segment", functions, name, 1);
        creator.Ask("write", 0, "77");
        using (SharedMemory segment = SharedMemory.OpenExisting(Key(name)))
        {
            creator.Kill();
            using Peer late = Peer.Start();
            Assert.Equal("ok 4096", late.Ask("open-segment", functions, name, "all"));
            Assert.Equal("ok 77", late.Ask("read", 0, 1));
        }

        Assert.False(SharedMemory.TryOpenExisting(Key(name), out _)); // late was killed, too
    }

    [Theory]
    [MemberData(nameof(Functions))]
    [Scenario("6 ←")]
    public void A_killed_creator_leaves_nothing(string functions)
    {
        string name = NewName();
        using Peer peer = Peer.Start();
        peer.Ask("create-segment", functions, name, 1);
        peer.Ask("create-semaphore", functions, name + "s", 0, 1);
        peer.Kill();

        Assert.False(SharedMemory.TryOpenExisting(Key(name), out _));
        Assert.False(SystemSemaphore.TryOpenExisting(Key(name + "s"), out _));
        using SharedMemory segment = SharedMemory.CreateNew(Key(name), 1);
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(Key(name + "s"), 1);
    }

    [Theory]
    [MemberData(nameof(Functions))]
    [Scenario("6 →")]
    public void A_killed_holder_gives_no_permit_back(string functions)
    {
        NativeIpcKey key = NewKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 1);
        using Peer peer = Peer.Start();
        peer.Ask("open-semaphore", functions, key.NativeKey, "least");
        Assert.Equal("ok", peer.Ask("acquire", 0));
        peer.Kill();

        Assert.False(semaphore.TryAcquire(TimeSpan.FromMilliseconds(20), TestContext.Current.CancellationToken));
    }

    [Theory]
    [MemberData(nameof(Functions))]
    [Scenario("5 ←")]
    public void A_view_alone_does_not_keep_the_name(string functions)
    {
        string name = NewName();
        using Peer peer = Peer.Start();
        peer.Ask("create-segment", functions, name, 1);
        SharedMemory.OpenExisting(Key(name)).Dispose();
        peer.Ask("close-handle");

        Assert.Equal("ok 4096", peer.Ask("size"));
        Assert.False(SharedMemory.TryOpenExisting(Key(name), out _));
    }
}
