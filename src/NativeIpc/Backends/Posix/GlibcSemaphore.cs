using static NativeIpc.Interop;

namespace NativeIpc.Backends.Posix;

/// <summary>
/// What this library knows of the inside of glibc's <c>sem_t</c>, all of it here: on 64-bit systems its first eight bytes are one word, the
/// count in the low half and the number of waiters in the high half (unchanged since glibc 2.21). It is relied on only after
/// <see cref="s_isKnown"/> has seen it to be so, and only for setting the count in one step; the portable way serves elsewhere.
/// </summary>
internal static unsafe class GlibcSemaphore
{
    /// <summary>Whether the layout was seen to hold in this process, on a private semaphore.</summary>
    internal static readonly bool s_isKnown = Check();

    private static bool Check()
    {
        if (!OperatingSystem.IsLinux() || !Environment.Is64BitProcess || !BitConverter.IsLittleEndian || !Libraries.IsGlibc) return false;
        ulong* word = stackalloc ulong[Layout.SizeOfSemT / sizeof(ulong)];
        nint semaphore = (nint)word;
        return Libc.sem_init(semaphore, 1, 5) == 0 && *word == 5
            && Libc.sem_post(semaphore) == 0 && *word == 6
            && Libc.sem_trywait(semaphore) == 0 && *word == 5;
    }

    /// <summary>Sets the count of a semaphore that others use, and wakes as many waiters as it lets in.</summary>
    /// <remarks>
    /// Interleavings: a post, a wait or a new waiter between reading and exchanging makes the exchange fail and the turn start again. One
    /// that comes after it works on the new count. The permits that waiters are woken for are not stored but posted, each of which the C
    /// library turns into a wake-up; a newcomer may take one first, as it may after any post, and the waiter then waits on.
    /// </remarks>
    internal static void SetCount(nint semaphore, uint count)
    {
        ref ulong word = ref *(ulong*)semaphore;
        uint wakes;
        while (true)
        {
            ulong seen = Volatile.Read(ref word);
            wakes = Math.Min(count, (uint)(seen >> 32));
            ulong set = (seen & 0xFFFFFFFF_00000000) | (count - wakes);
            if (Interlocked.CompareExchange(ref word, set, seen) == seen) break;
        }

        for (; wakes > 0; wakes--) _ = Libc.sem_post(semaphore); // cannot overflow: the count is what was asked for, at most
    }
}
