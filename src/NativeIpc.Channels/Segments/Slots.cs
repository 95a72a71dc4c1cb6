using System.Diagnostics;
using System.Runtime.Versioning;
using NativeIpc.Channels.Interop;

namespace NativeIpc.Channels.Segments;

/// <summary>The slots of the writers, or of the readers, of a many-to-many ring. Each has one, for as long as it is
/// open: a lock of the kernel on a byte of its own, so that all see who lives.</summary>
[SupportedOSPlatform("linux")]
[SupportedOSPlatform("windows")]
internal sealed class Slots(ChannelSegment segment, long firstByte, int noteAt, string name)
{
    private const int MostLooks = 100;
    private static readonly TimeSpan s_slice = TimeSpan.FromMilliseconds(50);

    // The ones that this instance uses. They share its open file description, so the kernel would give each of them
    // what another one has.
    private readonly uint[] _used = new uint[ChannelLayout.SlotsOfSide / 32];

    /// <summary>Where the line of this side is: its turn, and the note of whose it is.</summary>
    public int NoteAt => noteAt;

    /// <summary>Takes a free slot.</summary>
    /// <returns>Its number; -1 when all were taken for as long.</returns>
    public int Take(in Until until, CancellationToken cancellationToken)
    {
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            ObjectDisposedException.ThrowIf(segment.IsDisposed, segment);
            for (int slot = 0; slot < ChannelLayout.SlotsOfSide; slot++)
            {
                if (TryClaim(slot)) return slot;
            }

            if (until.IsOver) return -1;

            // Nobody changes or wakes this word: it only passes the time.
            segment.Sleep(ChannelLayout.VersionAt, segment.Word(ChannelLayout.VersionAt),
                until.Slice(s_slice), cancellationToken);
        }
    }

    /// <summary>Whether one that lives has a slot.</summary>
    public bool IsTaken(int slot)
        => (Volatile.Read(ref _used[slot / 32]) & Bit(slot)) != 0 || segment.IsLockedByOther(firstByte + slot);

    /// <summary>Takes a slot, if nobody who lives has it.</summary>
    public bool TryClaim(int slot)
    {
        if ((Interlocked.Or(ref _used[slot / 32], Bit(slot)) & Bit(slot)) != 0) return false;
        int number = segment.TryLock(firstByte + slot);
        if (number == 0) return true;
        Interlocked.And(ref _used[slot / 32], ~Bit(slot));
        return RoleLocks.IsTaken(number) ? false : throw segment.Refused(number);
    }

    public void GiveUp(int slot)
    {
        // R1 Race: another one of this instance takes it between the two. Safe because: the kernel's lock goes first,
        // and until the bit goes no other one here tries.
        Debug.Assert((_used[slot / 32] & Bit(slot)) != 0);
        segment.Unlock(firstByte + slot);
        Interlocked.And(ref _used[slot / 32], ~Bit(slot));
    }

    /// <summary>Whether anybody has a slot.</summary>
    public bool IsAnyTaken()
    {
        foreach (ref uint word in _used.AsSpan())
        {
            if (Volatile.Read(ref word) != 0) return true;
        }

        return segment.IsLockedByOther(firstByte, ChannelLayout.SlotsOfSide);
    }

    /// <summary>Says whose turn it is.</summary>
    public SharedChannelPeer Look()
    {
        for (int tries = 0; tries < MostLooks; tries++)
        {
            uint holder = Holder();
            if (holder == 0) return new SharedChannelPeer(SharedChannelPeerState.None, 0);
            if (holder > ChannelLayout.SlotsOfSide) throw segment.Damaged($"the turn of the {name}s is {holder}");
            int slot = (int)holder - 1;
            bool isLiving = IsTaken(slot);
            bool isNoted = Volatile.Read(ref segment.Word(noteAt + ChannelLayout.IsHeldAt)) == holder;
            SharedChannelPeer told = isNoted ? Role.LookAtHolder(segment, noteAt)
                : new SharedChannelPeer(SharedChannelPeerState.Living, 0);
            if (!isLiving)
            {
                int processId = isNoted ? Role.NotedProcess(segment, noteAt, out _) : 0;
                told = new SharedChannelPeer(SharedChannelPeerState.Killed, processId);
            }

            // R2 Race: the turn passes to another one during the look. Safe because: both are looked at again.
            if (Holder() == holder
                && isNoted == (Volatile.Read(ref segment.Word(noteAt + ChannelLayout.IsHeldAt)) == holder))
            {
                return told;
            }
        }

        return new SharedChannelPeer(SharedChannelPeerState.Living, 0); // another one's all the time
    }

    /// <summary>Says that there is no slot.</summary>
    public SharedChannelException Taken()
        => new(SharedChannelError.RoleTaken, segment.Key, $"Cannot be a {name} of {segment.Key}: there are "
            + $"{ChannelLayout.SlotsOfSide} already. Close some, or use a second ring.");

    private uint Holder()
        => Volatile.Read(ref segment.Word(noteAt + ChannelLayout.TurnAt)) & ~ChannelLayout.TurnWaiters;

    private static uint Bit(int slot) => 1u << (slot % 32);
}
