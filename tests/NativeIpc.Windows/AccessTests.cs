using Xunit;

namespace NativeIpc.WindowsTests;

/// <summary>Objects whose access control list, or protection, gives less than everything: those of a service,
/// say.</summary>
public class AccessTests : WindowsTest
{
    private const string ReadOnly = "D:(A;;0x4;;;WD)"; // FILE_MAP_READ for everyone
    private const string ReadAndWrite = "D:(A;;0x6;;;WD)";
    private const string Use = "D:(A;;0x100002;;;WD)"; // SYNCHRONIZE and SEMAPHORE_MODIFY_STATE
    private const int PageReadOnly = 2;
    private const string Nothing = "D:(D;;GA;;;WD)";

    [Fact]
    public void Opening_for_reading_asks_for_reading_only()
    {
        string name = NewName();
        using Peer peer = Peer.Start();
        Assert.Equal("ok new", peer.Ask("create-segment", "W", name, 1, ReadOnly));
        peer.Ask("write", 0, "55");

        using SharedMemory reader = SharedMemory.OpenExisting(Key(name), SharedMemoryAccess.Read);

        Assert.Equal(0x55, reader.ReadOnlySpan[0]);
        Fails(NativeIpcError.PermissionDenied, 5, () => SharedMemory.OpenExisting(Key(name)));
        Fails(NativeIpcError.PermissionDenied, 5, () => SharedMemory.CreateOrOpen(Key(name), 1));
        Fails(NativeIpcError.AlreadyExists, 183, () => SharedMemory.CreateNew(Key(name), 1));
    }

    [Fact]
    public void Opening_for_writing_asks_for_no_more_than_that()
    {
        string name = NewName();
        using Peer peer = Peer.Start();
        peer.Ask("create-segment", "W", name, 1, ReadAndWrite);

        using SharedMemory opened = SharedMemory.OpenExisting(Key(name));
        using SharedMemory created = SharedMemory.CreateOrOpen(Key(name), 1);
        created.Span[0] = 0x66;

        Assert.Equal("ok 66", peer.Ask("read", 0, 1));
        using Peer other = Peer.Start();
        // So the list is enforced here
        Assert.Equal("error OpenFileMapping 5", other.Ask("open-segment", "W", name, "all"));
    }

    [Fact]
    public void A_semaphore_is_opened_to_wait_and_release_only()
    {
        string name = NewName();
        using Peer peer = Peer.Start();
        Assert.Equal("ok new", peer.Ask("create-semaphore", "W", name, 1, 9, Use));

        using SystemSemaphore opened = SystemSemaphore.OpenExisting(Key(name));
        using SystemSemaphore created = SystemSemaphore.CreateOrOpen(Key(name), 1);
        using SystemSemaphore accepted = SystemSemaphore.CreateOrReset(Key(name), 1,
            new() { AcceptExistingCount = true });

        opened.Acquire();
        created.Release();
        Assert.True(accepted.TryAcquire());
        Fails(NativeIpcError.AlreadyExists, 183, () => SystemSemaphore.CreateNew(Key(name), 1));
        Fails(NativeIpcError.AlreadyExists, 183, () => SystemSemaphore.CreateOrReset(Key(name), 1));
        using Peer other = Peer.Start();
        Assert.Equal("error OpenSemaphore 5", other.Ask("open-semaphore", "W", name, "all"));
    }

    [Fact]
    public void A_segment_that_gives_no_access_is_permission_denied()
    {
        string name = NewName();
        using Peer peer = Peer.Start();
        Assert.Equal("ok new", peer.Ask("create-segment", "W", name, 1, Nothing));

        Fails(NativeIpcError.PermissionDenied, 5, () => SharedMemory.OpenExisting(Key(name), SharedMemoryAccess.Read));
        Fails(NativeIpcError.PermissionDenied, 5, () => SharedMemory.TryOpenExisting(Key(name), out _));
        Fails(NativeIpcError.PermissionDenied, 5, () => SharedMemory.CreateOrOpen(Key(name), 1));
        Fails(NativeIpcError.AlreadyExists, 183, () => SharedMemory.CreateNew(Key(name), 1));
    }

    [Fact]
    public void A_semaphore_that_gives_no_access_is_permission_denied()
    {
        string name = NewName();
        using Peer peer = Peer.Start();
        Assert.Equal("ok new", peer.Ask("create-semaphore", "W", name, 1, 1, Nothing));

        Fails(NativeIpcError.PermissionDenied, 5, () => SystemSemaphore.OpenExisting(Key(name)));
        Fails(NativeIpcError.PermissionDenied, 5, () => SystemSemaphore.TryOpenExisting(Key(name), out _));
        Fails(NativeIpcError.PermissionDenied, 5, () => SystemSemaphore.CreateOrOpen(Key(name), 1));
        Fails(NativeIpcError.AlreadyExists, 183, () => SystemSemaphore.CreateNew(Key(name), 1));
    }

    [Fact]
    public void A_section_without_write_protection_can_be_read()
    {
        string name = NewName();
        using Peer peer = Peer.Start();
        Assert.Equal("ok", peer.Ask("create-section", "W", name, 100, PageReadOnly));

        using SharedMemory reader = SharedMemory.OpenExisting(Key(name), SharedMemoryAccess.Read);
        Assert.Equal(4096, reader.Size);
    }

    // Skipped by the attribute: see IsWine.
    [Fact(Skip = "Wine 8 and 10 let anybody, a C program too, map a PAGE_READONLY section for writing.",
        SkipWhen = nameof(IsWine))]
    public void A_section_without_write_protection_cannot_be_written()
    {
        string name = NewName();
        using Peer peer = Peer.Start();
        Assert.Equal("ok", peer.Ask("create-section", "W", name, 100, PageReadOnly));

        Assert.Contains("reading only",
            Fails(NativeIpcError.PermissionDenied, 5, () => SharedMemory.OpenExisting(Key(name))).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_section_of_reserved_pages_is_refused()
    {
        const int ReadWriteReserved = 0x04 | 0x04000000; // PAGE_READWRITE | SEC_RESERVE
        string name = NewName();
        using Peer peer = Peer.Start();
        Assert.Equal("ok", peer.Ask("create-section", "W", name, 1 << 20, ReadWriteReserved));

        Fails(NativeIpcError.InvalidSize, 0, () => SharedMemory.OpenExisting(Key(name)));
    }
}
