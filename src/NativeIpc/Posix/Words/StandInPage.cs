using System.Diagnostics;
using NativeIpc.Interop.Unix;
using NativeIpc.Linux;

namespace NativeIpc.Posix.Words;

/// <summary>
/// Owns a private page that stands where the page of a closed, promoted semaphore was, until no thread can know the
/// address: a thread that comes late finds <see cref="GlibcSemaphore.Gone"/> there, does nothing, and then sees that
/// the object is disposed.
/// </summary>
/// <remarks>The garbage collector tells when: a caller keeps the semaphore alive, and with it this object.</remarks>
internal sealed unsafe class StandInPage
{
    /// <summary>How many may wait for the garbage collector while further objects are promoted: so a process never has
    /// more mappings than that beyond what it had open at once.</summary>
    internal const int Most = 1000;

    private static int s_count;

    private readonly nint _address;
    private readonly FileIdentity _identity;

    private StandInPage(nint address, FileIdentity identity)
    {
        _address = address;
        _identity = identity;
        Interlocked.Increment(ref s_count);
    }

    ~StandInPage()
    {
        // mremap(2) unmaps its target first, also when it then fails: somebody else's memory may be there by now.
        if (IsInPlace || Mapping.IsOf(_address, _identity)) _ = Libc.munmap(_address, Layout.SizeOfSemT);
        Interlocked.Decrement(ref s_count);
    }

    /// <summary>How many wait for the garbage collector.</summary>
    internal static int Count => Volatile.Read(ref s_count);

    /// <summary>Whether it stands there. If not, for want of memory, the true page stays until the garbage collector
    /// comes, a late thread may still change the true word, and the kernel counts this process among the
    /// users.</summary>
    internal bool IsInPlace { get; private set; }

    /// <summary>Puts one in the place of a semaphore's page. <paramref name="atTheEnd"/>: what to do with the true word
    /// when no thread can change it by the address any more; null for nothing.</summary>
    internal static StandInPage Replace(PosixSemaphoreHandle handle, FileIdentity identity, Action<nint>? atTheEnd)
    {
        Debug.Assert(handle.IsMapping);
        var standIn = new StandInPage(handle.Address, identity);
        if (atTheEnd is null)
        {
            standIn.Exchange();
            return standIn;
        }

        // A second view of the true page outlives the exchange.
        nint view = Libc.mremap(handle.Address, 0, (nuint)Environment.SystemPageSize, Flags.MREMAP_MAYMOVE, 0);
        if (view == Libc.MAP_FAILED)
        {
            atTheEnd(handle.Address);
            return standIn;
        }

        standIn.Exchange();
        atTheEnd(view);
        _ = Libc.munmap(view, (nuint)Environment.SystemPageSize);
        return standIn;
    }

    private void Exchange()
    {
        nuint length = (nuint)Environment.SystemPageSize;
        nint page = Libc.mmap(0, length, Flags.PROT_READ | Flags.PROT_WRITE,
            Flags.MAP_PRIVATE | Flags.MAP_ANONYMOUS, -1, 0);
        if (page == Libc.MAP_FAILED) return;
        *(ulong*)page = GlibcSemaphore.Gone;

        // R1 Race: a thread that has read the address makes its step now. Safe because: the kernel exchanges the pages
        // in one step, so that step came before the closing, or finds Gone.
        IsInPlace = Libc.mremap(page, length, length, Flags.MREMAP_MAYMOVE | Flags.MREMAP_FIXED, _address)
            != Libc.MAP_FAILED;
        if (!IsInPlace) _ = Libc.munmap(page, length);
    }
}
