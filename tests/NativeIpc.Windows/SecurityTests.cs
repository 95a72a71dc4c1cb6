using System.Runtime.Versioning;
using System.Security.Principal;
using Xunit;

namespace NativeIpc.WindowsTests;

/// <summary>Who may use what is made: the options, as a C program finds them.</summary>
[SupportedOSPlatform("windows")]
public class SecurityTests : WindowsTest
{
    private const string ReadAndWrite = "D:(A;;GRGWGX;;;WD)"; // generic rights for everyone, but not all of them

    [Fact]
    public void A_security_descriptor_is_that_of_the_segment_its_lock_and_the_record()
    {
        NativeIpcKey key = NewKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 1, new() { SecurityDescriptor = ReadAndWrite });
        using SharedMemoryLock scope = segment.Lock();
        using Peer peer = Peer.Start();

        Assert.Equal("ok 4096", peer.Ask("open-segment", "W", key.NativeKey, "write"));
        Assert.Equal("error OpenFileMapping 5", peer.Ask("open-segment", "W", key.NativeKey, "all"));
        Assert.Equal("ok", peer.Ask("open-semaphore", "W", key.NativeKey + "_sem", "least"));
        Assert.EndsWith("D:(A;;GXGWGR;;;WD)", peer.Ask("describe", "semaphore", key.NativeKey + "_sem"),
            StringComparison.Ordinal);
        Assert.Equal("ok 16384", peer.Ask("open-segment", "W", key.NativeKey + "_sem_holder", "write"));
        Assert.Equal("error OpenFileMapping 5", peer.Ask("open-segment", "W", key.NativeKey + "_sem_holder", "all"));

        using SharedMemory opened = SharedMemory.OpenExisting(key); // by the rights that were given
        Assert.Equal(LockHolder.Process, opened.GetLockStatus().Holder);
        Assert.False(opened.TryLock(out _));
    }

    [Fact]
    public void A_security_descriptor_is_that_of_a_semaphore()
    {
        NativeIpcKey key = NewKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateOrOpen(key, 1,
            new() { SecurityDescriptor = "D:(A;;GR;;;WD)" });
        using Peer peer = Peer.Start();

        Assert.Equal("error OpenSemaphore 5", peer.Ask("open-semaphore", "W", key.NativeKey, "least"));
        Assert.Contains("access control list",
            Fails(NativeIpcError.PermissionDenied, 5, () => SystemSemaphore.OpenExisting(key)).Message,
            StringComparison.Ordinal);
        semaphore.Acquire();
    }

    [Fact]
    public void The_default_is_that_of_the_process()
    {
        NativeIpcKey key = NewKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 1);
        using SharedMemoryLock scope = segment.Lock();
        using Peer peer = Peer.Start();

        Assert.Equal("ok 4096", peer.Ask("open-segment", "W", key.NativeKey, "all")); // as Qt opens it
        Assert.Equal("ok", peer.Ask("open-semaphore", "W", key.NativeKey + "_sem", "all"));
    }

    [Fact]
    public void Current_user_only_names_this_user_and_nobody_else()
    {
        NativeIpcKey key = NewKey();
        using WindowsIdentity user = WindowsIdentity.GetCurrent();
        using SharedMemory segment = SharedMemory.CreateNew(key, 1, new() { CurrentUserOnly = true });
        using SharedMemoryLock scope = segment.Lock();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(Key(key.NativeKey + "s"), 1,
            new() { CurrentUserOnly = true });
        using Peer peer = Peer.Start();

        string[] seen =
        [
            peer.Ask("describe", "segment", key.NativeKey), peer.Ask("describe", "segment",
                key.NativeKey + "_sem_holder"),
            peer.Ask("describe", "semaphore", key.NativeKey + "_sem"), peer.Ask("describe", "semaphore",
                key.NativeKey + "s"),
        ];
        Assert.All(seen, text =>
        {
            Assert.Matches($"^ok O:{user.User!.Value}D:P?\\(A;;[^;]*;;;{user.User.Value}\\)$", text);
        });
        Assert.Equal("ok 4096", peer.Ask("open-segment", "W", key.NativeKey, "all")); // a peer of the same user
        using SharedMemory opened = SharedMemory.OpenExisting(key, SharedMemoryAccess.Read,
            new() { CurrentUserOnly = true });
        Assert.False(opened.TryLock(out _));
    }

    [Fact]
    public void Current_user_only_refuses_what_another_user_owns()
    {
        const string OfTheSystem = "O:SYD:(A;;GA;;;WD)";
        NativeIpcKey key = NewKey();
        NativeIpcKey semaphoreKey = NewKey();
        using Peer peer = Peer.Start();
        Assert.Equal("ok new", peer.Ask("create-segment", "W", key.NativeKey, 1, OfTheSystem));
        Assert.Equal("ok new", peer.Ask("create-semaphore", "W", semaphoreKey.NativeKey, 1, 1, OfTheSystem));
        var mine = new SharedMemoryOptions { CurrentUserOnly = true };
        var mineToo = new SystemSemaphoreOptions { CurrentUserOnly = true };

        Assert.Contains("S-1-5-18", Fails(NativeIpcError.PermissionDenied, 0,
            () => SharedMemory.OpenExisting(key, SharedMemoryAccess.Read, mine)).Message, StringComparison.Ordinal);
        Fails(NativeIpcError.PermissionDenied, 0, () => SharedMemory.CreateOrOpen(key, 1, mine));
        Fails(NativeIpcError.PermissionDenied, 0, () => SystemSemaphore.OpenExisting(semaphoreKey, mineToo));
        Fails(NativeIpcError.PermissionDenied, 0, () => SystemSemaphore.CreateOrOpen(semaphoreKey, 1, mineToo));
        SharedMemory.OpenExisting(key).Dispose();
        SystemSemaphore.OpenExisting(semaphoreKey).Dispose();
    }

    [Fact]
    public void Text_that_is_no_security_descriptor_is_refused_and_named()
    {
        const string Wrong = "D:(what?)";
        NativeIpcKey key = NewKey();
        var segments = new SharedMemoryOptions { SecurityDescriptor = Wrong };
        var semaphores = new SystemSemaphoreOptions { SecurityDescriptor = Wrong };

        Action[] calls =
        [
            () => SharedMemory.CreateNew(key, 1, segments), () => SharedMemory.CreateOrOpen(key, 1, segments),
            () => SharedMemory.OpenExisting(key, options: segments),
            () => SystemSemaphore.CreateNew(key, 1, semaphores), () => SystemSemaphore.CreateOrOpen(key, 1, semaphores),
            () => SystemSemaphore.CreateOrReset(key, 1, semaphores),
            () => SystemSemaphore.OpenExisting(key, semaphores),
        ];
        Assert.All(calls,
            call => Assert.Contains(Wrong, Assert.Throws<ArgumentException>(call).Message, StringComparison.Ordinal));
        Assert.False(SharedMemory.TryOpenExisting(key, out _));
    }
}
