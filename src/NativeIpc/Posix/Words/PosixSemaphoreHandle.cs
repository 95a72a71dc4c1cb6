using NativeIpc.Interop.Unix;

namespace NativeIpc.Posix.Words;

/// <summary>The address of a semaphore: its file mapped by us, or what sem_open gave.</summary>
internal readonly struct PosixSemaphoreHandle(nint address, bool isMapping)
{
    public nint Address => address;

    /// <summary>Whether the page is this object's alone. The C library gives the same one to everybody who opens a
    /// name.</summary>
    public bool IsMapping => isMapping;

    /// <summary>Lets go of it. Nothing that can be done about a failure, of which there is none for what is
    /// open.</summary>
    public void Release() => _ = isMapping ? Libc.munmap(address, Layout.SizeOfSemT) : Libc.sem_close(address);
}
