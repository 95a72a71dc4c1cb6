using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;
using NativeIpc.Interop.Unix;

namespace NativeIpc.Posix.Words;

/// <summary>
/// What this library knows of the inside of glibc's <c>sem_t</c>, all of it here: on 64-bit systems its first eight
/// bytes are one word, the count in the low half and the number of waiters in the high half (unchanged since glibc
/// 2.21). It is relied on only after <see cref="s_isKnown"/> has seen it to be so; the portable calls serve elsewhere,
/// and where the switch NativeIpc.PortableWaits is on. The numbers are those of the C library, so its waiters and this
/// library's may mix. With musl, whose own semaphores are made otherwise, those have the word that processes on glibc
/// find under a name (PosixNames.IsOfGlibc).
/// </summary>
internal static unsafe class GlibcSemaphore
{
    /// <summary>Whether the layout was seen to hold in this process, on a private semaphore.</summary>
    internal static readonly bool s_isKnown = IsPossible() && Libraries.IsGlibc && Check();

    /// <summary>Whether any semaphores can have the word here: all of glibc's, and with musl some.</summary>
    internal static readonly bool s_isOffered = s_isKnown || (IsPossible() && !Libraries.IsGlibc);

    // The third word of glibc's sem_t: shared between processes. musl has 0 there, which glibc takes for a private one,
    // whose waiters another process cannot wake.
    private const uint SharedBetweenProcesses = 0x80;
    private const int SharingAt = 8;

    /// <summary>Whether <see cref="Exchange"/> is one instruction, so that the kernel may put another page under it at
    /// any moment: on x64, and on arm64 from version 8.1 on by the JIT, which then uses that version's instructions.
    /// </summary>
    /// <remarks>Before, and in a native program, which is compiled for every processor, it is a load and a store, and
    /// Arm is not known to promise that the store is refused when the address leads to another page by then. Rdm came
    /// with 8.1 as those instructions did, which have no property of their own.</remarks>
    internal static bool ExchangesAtOnce
        => X86Base.IsSupported || (Rdm.Arm64.IsSupported && RuntimeFeature.IsDynamicCodeCompiled);

    private static bool IsPossible()
        => !(AppContext.TryGetSwitch("NativeIpc.PortableWaits", out bool isPortable) && isPortable)
            && OperatingSystem.IsLinux() && Environment.Is64BitProcess && BitConverter.IsLittleEndian;

    /// <summary>Writes what glibc's sem_init makes for processes; the rest of the bytes are 0.</summary>
    internal static void Initialize(Span<byte> image, int count)
    {
        image.Clear();
        BitConverter.TryWriteBytes(image, (ulong)count);
        BitConverter.TryWriteBytes(image[SharingAt..], SharedBetweenProcesses);
    }

    /// <summary>Whether a page was made by glibc, or for it, and not by musl's sem_init.</summary>
    internal static bool IsMadeForGlibc(nint page) => *(uint*)(page + SharingAt) == SharedBetweenProcesses;

    private static bool Check()
    {
        ulong* word = stackalloc ulong[Layout.SizeOfSemT / sizeof(ulong)];
        nint semaphore = (nint)word;

        // To load libpthread, which is empty since glibc 2.34, would be 14 system calls more in the first lock.
        bool isInLibc = Libraries.LibcHasSemaphores;
        return (isInLibc ? Libc.sem_init_in_libc(semaphore, 1, 5) : Libc.sem_init(semaphore, 1, 5)) == 0 && *word == 5
            && (isInLibc ? Libc.sem_post_in_libc(semaphore) : Libc.sem_post(semaphore)) == 0 && *word == 6
            && (isInLibc ? Libc.sem_trywait_in_libc(semaphore) : Libc.sem_trywait(semaphore)) == 0 && *word == 5;
    }

    private const ulong CountMask = 0xFFFFFFFF;
    private const ulong OneWaiter = 1UL << 32;

    // No machine has so many waiters that their number needs these bits: they carry the mark (LockWord).
    private const int MarkShift = 55;
    private const ulong MarkMask = ~0UL << MarkShift;

    /// <summary>The largest mark.</summary>
    internal const uint MaximumMark = 511;

    /// <summary>The word of a semaphore, in one look.</summary>
    internal readonly record struct Word(ulong Value)
    {
        public uint Count => (uint)Value;

        /// <summary>How many sleep or are about to, and those that were killed while they slept.</summary>
        public uint Waiters => (uint)((Value & ~MarkMask) >> 32);

        /// <summary>The mark, in the meaning of <see cref="LockWord"/>; 0 for none.</summary>
        public uint Mark => (uint)(Value >> MarkShift);

        public Word With(uint count, uint mark)
            => new((Value & ~MarkMask & ~CountMask) | ((ulong)mark << MarkShift) | count);
    }

    internal static Word Look(nint semaphore) => new(Volatile.Read(ref *(ulong*)semaphore));

    /// <summary>Exchanges the word if nobody has changed it since <paramref name="seen"/>. A full barrier.</summary>
    internal static bool Exchange(nint semaphore, Word seen, Word next)
        => Interlocked.CompareExchange(ref *(ulong*)semaphore, next.Value, seen.Value) == seen.Value;

    // SEM_VALUE_MAX of every glibc.
    private const uint MaximumCount = int.MaxValue;

    /// <summary>Takes a permit if there is one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool TryTake(nint semaphore)
    {
        ulong seen = Volatile.Read(ref *(ulong*)semaphore);
        return (int)seen > 0
            && (Interlocked.CompareExchange(ref *(ulong*)semaphore, seen - 1, seen) == seen || TryTakeAgain(semaphore));
    }

    private static bool TryTakeAgain(nint semaphore)
    {
        while (true)
        {
            ulong seen = Volatile.Read(ref *(ulong*)semaphore);
            if ((int)seen <= 0) return false;
            if (Interlocked.CompareExchange(ref *(ulong*)semaphore, seen - 1, seen) == seen) return true;
        }
    }

    /// <summary>Gives permits, all or none. Waking the waiters is left to the caller.</summary>
    /// <returns>False when the count would pass its maximum, or the page says <see cref="Gone"/>.</returns>
    internal static bool TryGive(nint semaphore, int count, int maximum, out Word before)
    {
        do before = Look(semaphore);
        while (before.Count <= (long)maximum - count && !Exchange(semaphore, before, new(before.Value + (uint)count)));
        return before.Count <= (long)maximum - count;
    }

    /// <summary>Gives permits if nobody waits for them, nobody comes between, and the count stays within a
    /// maximum.</summary>
    internal static bool TryGiveFast(nint semaphore, int count, int maximum)
    {
        ulong seen = Volatile.Read(ref *(ulong*)semaphore);
        return seen <= int.MaxValue && (long)seen <= (long)maximum - count
            && Interlocked.CompareExchange(ref *(ulong*)semaphore, seen + (uint)count, seen) == seen;
    }

    /// <summary>The same, and says how many there were before.</summary>
    internal static bool TryGiveFast(nint semaphore, int count, int maximum, out int before)
    {
        ulong seen = Volatile.Read(ref *(ulong*)semaphore);
        before = (int)seen;
        return seen <= int.MaxValue && (long)seen <= (long)maximum - count
            && Interlocked.CompareExchange(ref *(ulong*)semaphore, seen + (uint)count, seen) == seen;
    }

    /// <summary>Gives permits if nobody waits for them and nobody comes between.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool TryGiveFast(nint semaphore, int count)
    {
        ulong seen = Volatile.Read(ref *(ulong*)semaphore);
        return seen <= MaximumCount - (uint)count
            && Interlocked.CompareExchange(ref *(ulong*)semaphore, seen + (uint)count, seen) == seen;
    }

    /// <summary>One permit, no waiter, no holder.</summary>
    internal static Word Free => new(1);

    /// <summary>The word of a page that stands in for a closed semaphore's: a count that no semaphore has, so that
    /// nothing is taken, given or marked there.</summary>
    internal const ulong Gone = 1UL << 31;

    /// <summary>Adds the caller to the waiters, so that each release, also a peer's sem_post, wakes one.</summary>
    internal static void AddWaiter(nint semaphore) => Interlocked.Add(ref *(ulong*)semaphore, OneWaiter);

    /// <summary>Removes the caller from the waiters, and passes on a wake-up that was meant for another one.</summary>
    internal static void RemoveWaiter(nint semaphore)
    {
        var left = new Word(Interlocked.Add(ref *(ulong*)semaphore, unchecked(0 - OneWaiter)));
        if (left.Count > 0 && left.Waiters > 0) Wake(semaphore, 1);
    }

    /// <summary>The word that a waiter sleeps on while it is 0, by futex(2): the count.</summary>
    internal static uint* SleepingPlace(nint semaphore) => (uint*)semaphore;

    /// <summary>Wakes sleepers. Harmless if it was not needed: every sleeper looks again.</summary>
    internal static void Wake(nint semaphore, int count) => _ = Futex.Wake((uint*)semaphore, count);

    /// <summary>Sets the count of a semaphore that others use, and wakes as many waiters as it lets in.</summary>
    internal static void SetCount(nint semaphore, uint count)
    {
        ref ulong word = ref *(ulong*)semaphore;
        uint wakes;
        while (true)
        {
            // R1 Race: a post, a take or a new waiter between look and exchange. Safe because: the exchange fails, and
            // the loop looks again; what comes after the exchange works on the new count.
            ulong seen = Volatile.Read(ref word);
            wakes = Math.Min(count, new Word(seen).Waiters);
            ulong set = (seen & ~MarkMask & ~CountMask) | (count - wakes); // nobody holds what was reset
            if (Interlocked.CompareExchange(ref word, set, seen) == seen) break;
        }

        // Given, not stored, so that each wakes one waiter. A newcomer may take one first, as after any post; then the
        // waiter waits on.
        for (; wakes > 0; wakes--)
        {
            if (TryGive(semaphore, 1, int.MaxValue, out _)) Wake(semaphore, 1);
        }
    }
}
