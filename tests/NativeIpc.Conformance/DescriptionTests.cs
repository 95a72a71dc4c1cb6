using System.Diagnostics;
using System.Reflection;
using Xunit;

namespace NativeIpc.Conformance;

/// <summary>What objects say of themselves, to logs and debuggers, and of who holds a lock.</summary>
public abstract class DescriptionTests<TProvider> : ConformanceTests<TProvider>
    where TProvider : Provider, new()
{
    [Fact]
    public void A_segment_and_its_lock_show_their_key()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 100);
        Assert.Contains(key.ToString(), segment.ToString(), StringComparison.Ordinal);
        Assert.Contains($"{segment.Size} bytes", segment.ToString(), StringComparison.Ordinal);
        SharedMemoryLock scope = segment.Lock();
        Assert.Contains("(held)", scope.ToString(), StringComparison.Ordinal);
        scope.Dispose();
        Assert.Contains("(released)", scope.ToString(), StringComparison.Ordinal);
        Assert.StartsWith("SharedMemoryLock ", scope.ToString(), StringComparison.Ordinal);
        Assert.Equal("SharedMemoryLock (none)", default(SharedMemoryLock).ToString());
        segment.Dispose();
        Assert.Contains(key.ToString(), segment.ToString(), StringComparison.Ordinal);
        Assert.Contains("disposed", segment.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_semaphore_shows_its_key()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 1);
        Assert.Equal($"SystemSemaphore {key}", semaphore.ToString());
        semaphore.Dispose();
        Assert.Equal($"SystemSemaphore {key} (disposed)", semaphore.ToString());
    }

    [Fact]
    public void A_debugger_shows_what_ToString_says()
    {
        foreach (Type type in (Type[])[typeof(SharedMemory), typeof(SystemSemaphore), typeof(SharedMemoryLock)])
            Assert.Equal("{ToString(),nq}", type.GetCustomAttribute<DebuggerDisplayAttribute>()?.Value);
    }

    [Fact]
    public void Who_holds_the_lock_of_a_segment_sees_that_it_is_this_thread()
    {
        using SharedMemory segment = SharedMemory.CreateNew(NextKey(), 100);
        LockStatus free = segment.GetLockStatus();
        Assert.False(free.IsHeldByThisProcess || free.IsHeldByThisInstance || free.WasTakenByThisThread);

        using SharedMemoryLock scope = segment.Lock();
        Assert.False(segment.TryLock(out _)); // as a second Lock on this thread would, it finds its own lock
        LockStatus status = segment.GetLockStatus();
        Assert.True(status is { IsHeldByThisProcess: true, IsHeldByThisInstance: true, WasTakenByThisThread: true },
            $"{status}");
        LockStatus elsewhere = default;
        Finish(Start(() => elsewhere = segment.GetLockStatus()));
        Assert.True(elsewhere is { IsHeldByThisInstance: true, WasTakenByThisThread: false }, $"{elsewhere}");

        // Another thread may release: that is why a second Lock does not throw.
        Finish(Start(scope.Dispose));
        Assert.False(segment.GetLockStatus().IsHeldByThisProcess);
    }

    [Fact]
    public void Another_instance_of_this_process_sees_that_this_process_holds_the_lock()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 100);
        using SharedMemory other = SharedMemory.OpenExisting(key);
        using SharedMemoryLock scope = segment.Lock();
        LockStatus status = other.GetLockStatus();
        Assert.Equal(status.Holder != LockHolder.CannotTell, status.IsHeldByThisProcess);
        Assert.False(status.IsHeldByThisInstance || status.WasTakenByThisThread);
    }

    [Fact]
    public void Another_process_that_holds_the_lock_is_not_this_one()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 100);
        using (segment.Lock())
        {
        }

        Testing.PeerProcess peer = Peer();
        peer.Ask($"shm open a {key} rw");
        Assert.Equal("", CrashedHolderTests<TProvider>.Lock(peer));
        LockStatus status = segment.GetLockStatus();
        Assert.False(status.IsHeldByThisProcess || status.IsHeldByThisInstance || status.WasTakenByThisThread,
            $"{status}");
        peer.Ask("shm unlock a");
    }

    [BackendFact(Needs.Recovery)]
    public void Who_holds_a_robust_semaphore_sees_that_it_is_this_instance()
    {
        NativeIpcKey key = NextGlibcKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 1, new() { Robust = true });
        using SystemSemaphore other = SystemSemaphore.OpenExisting(key, new() { Robust = true });
        Assert.False(semaphore.GetLockStatus().IsHeldByThisProcess);
        semaphore.Acquire();
        Assert.True(semaphore.GetLockStatus() is { IsHeldByThisProcess: true, IsHeldByThisInstance: true });
        Assert.True(other.GetLockStatus() is { IsHeldByThisProcess: true, IsHeldByThisInstance: false });
        semaphore.Release();
        Assert.False(semaphore.GetLockStatus().IsHeldByThisProcess);
    }

    [Fact]
    public void Options_that_are_changed_later_do_not_change_an_open_object()
    {
        NativeIpcKey key = NextKey();
        var options = new SystemSemaphoreOptions { Removal = RemovalPolicy.Keep };
        using (SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 1, options))
        {
            options.Removal = RemovalPolicy.Creator;
            options.PeerTimeout = TimeSpan.FromTicks(-5);
            semaphore.Acquire();
        }

        // It was kept, as the options said when it was made.
        if (!OperatingSystem.IsWindows()) Assert.True(SystemSemaphore.Remove(key));

        NativeIpcKey segmentKey = NextKey();
        var segmentOptions = new SharedMemoryOptions { UseLock = true };
        using SharedMemory segment = SharedMemory.CreateNew(segmentKey, 100, segmentOptions);
        segmentOptions.UseLock = false;
        using (segment.Lock())
        {
        }
    }
}
