using NativeIpc.Interop.Unix;

namespace NativeIpc.Posix.Words;

/// <summary>The address of a semaphore.</summary>
internal readonly struct PosixSemaphoreHandle
{
    private PosixSemaphoreHandle(nint address, bool isMapping)
    {
        Address = address;
        IsMapping = isMapping;
    }

    /// <summary>Its file, mapped by this library.</summary>
    public static PosixSemaphoreHandle Mapped(nint page) => new(page, isMapping: true);

    /// <summary>What sem_open(3) gave.</summary>
    public static PosixSemaphoreHandle Opened(nint semaphore) => new(semaphore, isMapping: false);

    public nint Address { get; }

    /// <summary>Whether the page is this object's alone. The C library gives the same one to everybody who opens a
    /// name.</summary>
    public bool IsMapping { get; }

    /// <summary>Unmaps or closes it, which cannot fail for what is open.</summary>
    public void Close() => _ = IsMapping ? Libc.munmap(Address, Layout.SizeOfSemT) : Libc.sem_close(Address);
}
