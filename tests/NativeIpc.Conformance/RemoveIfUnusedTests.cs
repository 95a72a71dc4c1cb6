using Xunit;

namespace NativeIpc.Conformance;

/// <summary>Removing what killed processes have left, and nothing else (POSIX on Linux).</summary>
public abstract class RemoveIfUnusedTests<TProvider> : ConformanceTests<TProvider>
    where TProvider : Provider, new()
{
    [BackendFact(Needs.Recovery)]
    public void A_semaphore_goes_when_every_user_is_dead_and_only_then()
    {
        NativeIpcKey key = NextKey();
        Assert.Equal(UnusedAnswer.Unused, SystemSemaphore.RemoveIfUnused(key));
        PeerProcess peer = Peer();
        peer.Ask($"sem create s {key} 1");
        Assert.Equal(UnusedAnswer.InUse, SystemSemaphore.RemoveIfUnused(key));
        using (SystemSemaphore mine = SystemSemaphore.OpenExisting(key))
        {
            peer.Kill();
            Assert.Equal(UnusedAnswer.InUse, SystemSemaphore.RemoveIfUnused(key));
        }

        Assert.True(SystemSemaphore.TryOpenExisting(key, out SystemSemaphore? left));
        left.Dispose();
        Assert.Equal(UnusedAnswer.Unused, SystemSemaphore.RemoveIfUnused(key));
        Assert.False(SystemSemaphore.TryOpenExisting(key, out _));
    }

    [BackendFact(Needs.Recovery)]
    public void A_segment_goes_when_every_user_is_dead_and_only_then()
    {
        NativeIpcKey key = NextKey();
        Assert.Equal(UnusedAnswer.Unused, SharedMemory.RemoveIfUnused(key));
        PeerProcess peer = Peer();
        peer.Ask($"shm create s {key} 100");
        Assert.Equal(UnusedAnswer.InUse, SharedMemory.RemoveIfUnused(key));
        peer.Kill();
        Assert.Equal(UnusedAnswer.Unused, SharedMemory.RemoveIfUnused(key));
        Assert.False(SharedMemory.TryOpenExisting(key, out _));
    }

    [BackendFact(Needs.Recovery)]
    public void Other_keys_are_refused()
    {
        NativeIpcKey key = NativeIpcKey.Parse("systemv:/tmp/nobody");
        Assert.Throws<PlatformNotSupportedException>(() => SystemSemaphore.RemoveIfUnused(key));
        Assert.Throws<PlatformNotSupportedException>(() => SharedMemory.RemoveIfUnused(key));
    }

    [BackendFact(Needs.RichSemaphores)]
    public void Records_go_with_the_last_user()
    {
        NativeIpcKey key = NextKey();
        SystemSemaphoreOptions options =
            new() { Recording = PermitRecording.Process, Removal = RemovalPolicy.LastOneOut };
        SystemSemaphore first = SystemSemaphore.CreateNew(key, 2, options);
        SystemSemaphore second = SystemSemaphore.OpenExisting(key, options);
        second.Acquire();
        first.Dispose();
        Assert.True(SystemSemaphore.TryOpenExisting(key, out SystemSemaphore? third, options));
        second.Dispose(); // with a permit: the third one gives it back
        third.Acquire();
        third.Acquire();
        third.Dispose();
        Assert.False(SystemSemaphore.TryOpenExisting(key, out _));
        Assert.Throws<ArgumentException>(() => SystemSemaphore.CreateNew(key, 1,
            options with { Recording = PermitRecording.ProcessAndChildren }));
    }
}
