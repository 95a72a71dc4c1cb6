using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using NativeIpc.Interop.Unix;
using NativeIpc.Lifetime;

namespace NativeIpc.Posix.Words;

/// <summary>
/// The object behind a POSIX event, as docs/layouts.md publishes it: 64 bytes, of which the first four are the word
/// that waiters sleep on, and the next four their number. Both change in one exchange here; other implementations may
/// change them one after the other.
/// </summary>
/// <remarks>
/// <para>Bit 0 of the word: set. With manual reset the other bits are the generation, one more for each Set that
/// changes something: a waiter that has seen an older one is free, whatever came since. With auto reset they are the
/// grants: given to waiters, and not taken yet.</para>
/// <para>Grants are never more than waiters, as long as nobody is killed: who leaves turns what is over into the set
/// bit. A killed waiter leaves its number, and what it was given, which the next waiter takes.</para>
/// </remarks>
internal static unsafe class EventWord
{
    /// <summary>The bytes of the object.</summary>
    internal const int Size = 64;

    private const uint Magic = 0x7645494E; // "NIEv"
    private const ushort Version = 1;
    private const int MagicAt = 8, VersionAt = 12, ModeAt = 14;
    private const ushort Auto = 1, Manual = 2;

    private const ulong SetBit = 1;
    private const ulong One = 2; // a grant, or a generation
    private const ulong OneWaiter = 1UL << 32;
    private const ulong StateMask = uint.MaxValue;

    /// <summary>Both words of an event of auto reset that is set, without waiters and grants.</summary>
    internal const ulong SetAlone = SetBit;

    /// <summary>The same of one that is not.</summary>
    internal const ulong UnsetAlone = 0;

    /// <summary>Whether the words are where this says: the state in the low half.</summary>
    internal static bool IsPossible
        => OperatingSystem.IsLinux() && Environment.Is64BitProcess && BitConverter.IsLittleEndian;

    /// <summary>Writes a new object.</summary>
    internal static void Initialize(Span<byte> image, EventResetMode mode, bool isSet)
    {
        image.Clear();
        image[0] = isSet ? (byte)1 : (byte)0;
        BinaryPrimitives.WriteUInt32LittleEndian(image[MagicAt..], Magic);
        BinaryPrimitives.WriteUInt16LittleEndian(image[VersionAt..], Version);
        BinaryPrimitives.WriteUInt16LittleEndian(image[ModeAt..], mode == EventResetMode.AutoReset ? Auto : Manual);
    }

    /// <summary>What an object is: its mode, or why it is no event that this library knows.</summary>
    internal static EventResetMode? ModeOf(ReadOnlySpan<byte> image, out string fault)
    {
        uint magic = BinaryPrimitives.ReadUInt32LittleEndian(image[MagicAt..]);
        int version = BinaryPrimitives.ReadUInt16LittleEndian(image[VersionAt..]);
        int mode = BinaryPrimitives.ReadUInt16LittleEndian(image[ModeAt..]);
        fault = magic != Magic ? $"it begins with 0x{magic:x8} instead of 0x{Magic:x8} (at offset {MagicAt})"
            : version != Version ? $"it has version {version}, and this library knows version {Version}"
            : $"it has the mode {mode}, and there are {Auto} (auto-reset) and {Manual} (manual-reset)";
        if (magic != Magic || version != Version) return null;
        return mode == Auto ? EventResetMode.AutoReset : mode == Manual ? EventResetMode.ManualReset : null;
    }

    private static ref ulong Word(nint page) => ref *(ulong*)page;

    private static uint Waiters(ulong word) => (uint)(word >> 32);

    private static uint Grants(ulong word) => (uint)word >> 1;

    private static bool Exchange(nint page, ulong seen, ulong next)
        => Interlocked.CompareExchange(ref Word(page), next, seen) == seen;

    /// <summary>The state, in one look.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static uint Look(nint page) => Volatile.Read(ref *(uint*)page);

    /// <summary>Whether a state says that the event is set.</summary>
    internal static bool IsSet(uint state) => (state & (uint)SetBit) != 0;

    /// <summary>How many wait, or were killed while they waited.</summary>
    internal static uint WaitersOf(nint page) => Waiters(Volatile.Read(ref Word(page)));

    /// <summary>Sets an event for which nobody waits. False when somebody may, or the page says
    /// <see cref="GlibcSemaphore.Gone"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool TrySetFast(nint page, EventResetMode mode)
    {
        ulong seen = Volatile.Read(ref Word(page));
        if (seen > StateMask || seen == GlibcSemaphore.Gone) return false;
        if (mode == EventResetMode.AutoReset && seen > SetBit) return false;
        return Exchange(page, seen, AfterSet(seen, mode));
    }

    // What a set event becomes is what it is. It is exchanged all the same: who takes it after that sees what was
    // written before this Set, and not only what was written before the one that changed something.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong AfterSet(ulong seen, EventResetMode mode)
        => (seen & SetBit) != 0 ? seen
            : mode == EventResetMode.AutoReset ? (Waiters(seen) > Grants(seen) ? seen + One : seen | SetBit)
            : (seen & ~StateMask) | ((uint)(seen + One) | SetBit);

    /// <summary>Sets an event, and wakes whom it frees.</summary>
    internal static void Set(nint page, EventResetMode mode)
    {
        ulong seen, next;
        do
        {
            seen = Volatile.Read(ref Word(page));
            next = AfterSet(seen, mode);
        }
        while (!Exchange(page, seen, next));

        // death: sleepers see what was given to them when they look again, after 11 s at most
        StopPoint.At("event.set");
        if (Waiters(next) == 0) return;
        if (mode == EventResetMode.ManualReset)
        {
            _ = Futex.Wake((uint*)page, int.MaxValue);
        }
        else
        {
            // R1 Race: the one that it was given to is not asleep yet, has just left, or was killed. Safe because:
            // nobody sleeps while the word is not 0, so one that comes sees it; and what nobody was woken for becomes
            // the set bit, which stays until somebody takes it or resets it.
            int woken = Futex.Wake((uint*)page, 1);
            StopPoint.At("event.woken"); // death: a grant too many, which the next waiter takes
            if (woken == 0 && next != seen && (next & SetBit) == 0) KeepGrant(page);
        }
    }

    private static void KeepGrant(nint page)
    {
        while (true)
        {
            ulong seen = Volatile.Read(ref Word(page));
            if (Grants(seen) == 0) return; // taken

            // Set by another one meanwhile: two Sets met where nobody slept, and this one changed nothing.
            if (Exchange(page, seen, (seen - One) | SetBit)) return;
        }
    }

    /// <summary>Makes an event with auto reset what a new one is, but for its waiters: what was given and not taken
    /// goes, too.</summary>
    internal static void SetAnew(nint page, bool isSet)
    {
        ulong seen, next;
        do
        {
            seen = Volatile.Read(ref Word(page));
            next = (seen & ~StateMask) | (isSet ? SetBit : 0);
        }
        while (!Exchange(page, seen, next));

        if (isSet && Waiters(next) > 0) _ = Futex.Wake((uint*)page, 1);
    }

    /// <summary>Resets an event. What was given to waiters stays theirs.</summary>
    /// <returns>False when the page says <see cref="GlibcSemaphore.Gone"/>.</returns>
    internal static bool TryReset(nint page)
    {
        while (true)
        {
            ulong seen = Volatile.Read(ref Word(page));
            if ((seen & SetBit) == 0) return (uint)seen != GlibcSemaphore.Gone;
            if (Exchange(page, seen, seen & ~SetBit)) return true;
        }
    }

    /// <summary>Whether a wait with manual reset is free that saw a state when it began.</summary>
    internal static bool IsFreed(uint seen, uint now) => IsSet(now) || IsSet(seen) || now >> 1 != seen >> 1;

    /// <summary>Takes the set bit of an event with auto reset; for a waiter, what was given to one first.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool TryTake(nint page, bool isWaiter)
    {
        while (true)
        {
            ulong seen = Volatile.Read(ref Word(page));
            ulong next;
            if (isWaiter && Grants(seen) > 0) next = seen - One;
            else if ((seen & SetBit) != 0) next = seen - SetBit;
            else return false;
            if (Exchange(page, seen, next)) return true;
        }
    }

    /// <summary>Adds the caller to the waiters. A full barrier: the look comes after it.</summary>
    internal static void AddWaiter(nint page) => Interlocked.Add(ref Word(page), OneWaiter);

    /// <summary>Removes the caller from the waiters.</summary>
    /// <param name="page">The page.</param>
    /// <param name="mode">The mode.</param>
    /// <param name="passesOn">Whether it may have been woken and has not taken: then another one is woken.</param>
    internal static void RemoveWaiter(nint page, EventResetMode mode, bool passesOn)
    {
        if (mode == EventResetMode.ManualReset)
        {
            Interlocked.Add(ref Word(page), unchecked(0 - OneWaiter));
            return;
        }

        ulong seen, next;
        do
        {
            seen = Volatile.Read(ref Word(page));
            next = Waiters(seen) == 0 ? seen : seen - OneWaiter; // 0 only when somebody has written into it
            if (Grants(next) > Waiters(next))
                next = (next & ~StateMask) | ((ulong)Waiters(next) << 1) | SetBit;
        }
        while (!Exchange(page, seen, next));

        if (passesOn && (uint)next != 0 && Waiters(next) > 0)
            _ = Futex.Wake((uint*)page, 1);
    }
}
