using System.Diagnostics.CodeAnalysis;
using System.Numerics;
using System.Runtime.Versioning;
using NativeIpc.Channels.Segments;

namespace NativeIpc.Channels;

/// <summary>A ring of messages in a segment, from one writer to one reader, or from many to many
/// (<see cref="SharedRingForm"/>), in several processes or one, in whatever language: docs/layouts.md has the
/// layout.</summary>
/// <remarks>
/// <para>Messages have any length up to <see cref="LongestMessage"/>, and arrive whole, once and in order. Writing and
/// reading make no system call while the other side is awake, and never wait for a lock. A writer that is killed leaves
/// no part of a message; the next one goes on where it was. A reader that is killed loses nothing, or exactly what it
/// had: <see cref="SharedRingDelivery"/>.</para>
/// <para>In the many-to-many form writers take turns, and readers do. A writer has its turn from
/// <see cref="SharedRingWriter.TryReserve"/> or <see cref="SharedRingWriter.TryAppend"/> to the commit or flush, and a
/// reader from its first message to <see cref="SharedRingReader.Release"/>, or while it copies with
/// <see cref="SharedRingDelivery.AtMostOnce"/>: so that readers work side by side. Without others that is one exchange
/// each way. The turn of a killed one passes on within 50 ms of another one's wait; a stopped one keeps it and is named
/// (<see cref="Writer"/>, <see cref="Reader"/>). Linux.</para>
/// <para>Linux, with keys of the types posix and systemv (there a process that takes a role must be able to read the
/// key file, as whoever may write the segment can by default); Windows, with keys of the type windows. The first 4 KiB
/// of the segment are the ring's own; a peer that writes garbage there is answered by
/// <see cref="SharedChannelError.Damaged"/>, and nothing outside the segment is touched.</para>
/// <para>Thread safety: this class from any thread. A writer and a reader: of one thread at a time each.</para>
/// </remarks>
[SupportedOSPlatform("linux")]
[SupportedOSPlatform("windows")]
public sealed class SharedRing : IDisposable
{
    private const string Name = "ring";
    private readonly ChannelSegment _segment;
    private readonly Role _writer;
    private readonly Role _reader;
    private readonly Slots? _writers; // of a many-to-many ring
    private readonly Slots? _readers;

    private SharedRing(ChannelSegment segment)
    {
        _segment = segment;
        _writer = new Role(segment, ChannelLayout.WriterByte, ChannelLayout.WriterNoteAt, "writer");
        _reader = new Role(segment, ChannelLayout.ReaderByte, ChannelLayout.ReaderNoteAt, "reader");
        if (segment.Kind != ChannelLayout.ManyRingKind) return;
        _writers = new Slots(segment, ChannelLayout.FirstWriterSlotByte, ChannelLayout.WriterNoteAt, "writer");
        _readers = new Slots(segment, ChannelLayout.FirstReaderSlotByte, ChannelLayout.ReaderNoteAt, "reader");
    }

    /// <summary>The key of its segment.</summary>
    public NativeIpcKey Key => _segment.Key;

    /// <summary>The bytes that wait in it at most. A message takes its length and 8 to 15 more.</summary>
    public long Capacity => (long)_segment.Capacity;

    /// <summary>The longest message, in bytes: half the capacity, less 8.</summary>
    public int LongestMessage => LongestOf(_segment.Capacity);

    /// <summary>How many may write to it and read from it.</summary>
    public SharedRingForm Form => _writers is null ? SharedRingForm.OneToOne : SharedRingForm.ManyToMany;

    /// <summary>Whether this instance made the ring.</summary>
    public bool CreatedNew => _segment.CreatedNew;

    /// <summary>Who has the role of the writer; many-to-many: the turn to write.</summary>
    /// <exception cref="ObjectDisposedException">This instance was disposed.</exception>
    /// <exception cref="SharedChannelException">The system does not say: Unknown. Damaged.</exception>
    public SharedChannelPeer Writer => Look(_writer, _writers);

    /// <summary>Who has the role of the reader; many-to-many: the turn to read.</summary>
    /// <exception cref="ObjectDisposedException">This instance was disposed.</exception>
    /// <exception cref="SharedChannelException">The system does not say: Unknown. Damaged.</exception>
    public SharedChannelPeer Reader => Look(_reader, _readers);

    /// <summary>Makes a one-to-one ring that must not exist yet.</summary>
    /// <param name="key">The key of the segment, of the type posix, systemv or windows.</param>
    /// <param name="capacity">The bytes that wait in it at most; rounded up to a power of two, 4,096 at
    /// least.</param>
    /// <param name="options">Those of the segment; null for the defaults: the maker's instance removes the name when it
    /// is disposed.</param>
    /// <returns>The ring.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The capacity is less than 1, or over 2^40.</exception>
    /// <exception cref="NativeIpcException">As <see cref="SharedMemory.CreateNew"/>.</exception>
    /// <exception cref="PlatformNotSupportedException">Channels are not there for keys of this type on this
    /// system.</exception>
#pragma warning disable RS0026 // the other ones take a form in third place, which is no options
    public static SharedRing CreateNew(NativeIpcKey key, long capacity, SharedMemoryOptions? options = null)
        => CreateNew(key, capacity, SharedRingForm.OneToOne, options);

    /// <summary>Makes a ring of a form that must not exist yet.</summary>
    /// <param name="key">The key of the segment, of the type posix, systemv or windows; many to many: not
    /// windows.</param>
    /// <param name="capacity">The bytes that wait in it at most; rounded up to a power of two, 4,096 at
    /// least.</param>
    /// <param name="form">How many may write to it and read from it.</param>
    /// <param name="options">Those of the segment; null for the defaults: the maker's instance removes the name when it
    /// is disposed.</param>
    /// <returns>The ring.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The capacity is less than 1, or over 2^40; the form is no value of
    /// the enumeration.</exception>
    /// <exception cref="NativeIpcException">As <see cref="SharedMemory.CreateNew"/>.</exception>
    /// <exception cref="PlatformNotSupportedException">Channels, or rings of that form, are not there for keys of this
    /// type on this system.</exception>
    public static SharedRing CreateNew(NativeIpcKey key, long capacity, SharedRingForm form,
        SharedMemoryOptions? options = null)
        => new(ChannelSegment.Create(key, PlanOf(capacity, form), options, mayExist: false));

    /// <summary>Opens a one-to-one ring, or makes it if there is none. One that a killed maker left half made is
    /// finished.</summary>
    /// <param name="key">The key of the segment, of the type posix, systemv or windows.</param>
    /// <param name="capacity">The bytes that wait in it at most; rounded up to a power of two, 4,096 at least. A larger
    /// ring that exists is fine.</param>
    /// <param name="options">Those of the segment; null for the defaults.</param>
    /// <returns>The ring; <see cref="CreatedNew"/> says which of the two happened.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The capacity is less than 1, or over 2^40.</exception>
    /// <exception cref="SharedChannelException">OtherContent when the segment holds something else, a ring of another
    /// form, or a smaller one; Damaged.</exception>
    /// <exception cref="NativeIpcException">As <see cref="SharedMemory.CreateOrOpen"/>.</exception>
    /// <exception cref="PlatformNotSupportedException">Channels are not there for keys of this type on this
    /// system.</exception>
    public static SharedRing CreateOrOpen(NativeIpcKey key, long capacity, SharedMemoryOptions? options = null)
        => CreateOrOpen(key, capacity, SharedRingForm.OneToOne, options);

    /// <summary>Opens a ring of a form, or makes it if there is none. One that a killed maker left half made is
    /// finished.</summary>
    /// <param name="key">The key of the segment, of the type posix, systemv or windows; many to many: not
    /// windows.</param>
    /// <param name="capacity">The bytes that wait in it at most; rounded up to a power of two, 4,096 at least. A larger
    /// ring that exists is fine.</param>
    /// <param name="form">How many may write to it and read from it.</param>
    /// <param name="options">Those of the segment; null for the defaults.</param>
    /// <returns>The ring; <see cref="CreatedNew"/> says which of the two happened.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The capacity is less than 1, or over 2^40; the form is no value of
    /// the enumeration.</exception>
    /// <exception cref="SharedChannelException">OtherContent when the segment holds something else, a ring of another
    /// form, or a smaller one; Damaged.</exception>
    /// <exception cref="NativeIpcException">As <see cref="SharedMemory.CreateOrOpen"/>.</exception>
    /// <exception cref="PlatformNotSupportedException">Channels, or rings of that form, are not there for keys of this
    /// type on this system.</exception>
    public static SharedRing CreateOrOpen(NativeIpcKey key, long capacity, SharedRingForm form,
        SharedMemoryOptions? options = null)
        => new(ChannelSegment.Create(key, PlanOf(capacity, form), options, mayExist: true));
#pragma warning restore RS0026

    /// <summary>Opens a ring of either form that must exist.</summary>
    /// <param name="key">The key of the segment.</param>
    /// <param name="options">Those of the segment; null for the defaults.</param>
    /// <returns>The ring.</returns>
    /// <exception cref="SharedChannelException">OtherContent; Damaged; HalfMade once
    /// <see cref="SharedMemoryOptions.PeerTimeout"/> has passed.</exception>
    /// <exception cref="NativeIpcException">As <see cref="SharedMemory.OpenExisting"/>.</exception>
    /// <exception cref="PlatformNotSupportedException">Channels are not there for keys of this type on this
    /// system.</exception>
    public static SharedRing OpenExisting(NativeIpcKey key, SharedMemoryOptions? options = null)
        => new(ChannelSegment.Open(key, ChannelLayout.RingKind, Name, SharedMemoryAccess.ReadWrite, options));

    /// <summary>Opens a ring of either form if there is one.</summary>
    /// <param name="key">The key of the segment.</param>
    /// <param name="ring">The ring; null when there is none.</param>
    /// <param name="options">Those of the segment; null for the defaults.</param>
    /// <returns>False when there is none.</returns>
    /// <exception cref="SharedChannelException">As <see cref="OpenExisting"/>.</exception>
    /// <exception cref="NativeIpcException">Every failure other than NotFound.</exception>
    /// <exception cref="PlatformNotSupportedException">Channels are not there for keys of this type on this
    /// system.</exception>
    public static bool TryOpenExisting(NativeIpcKey key, [NotNullWhen(true)] out SharedRing? ring,
        SharedMemoryOptions? options = null)
    {
        ChannelSegment? segment = ChannelSegment.TryOpen(key, ChannelLayout.RingKind, Name,
            SharedMemoryAccess.ReadWrite, options);
        ring = segment is null ? null : new SharedRing(segment);
        return ring is not null;
    }

    /// <summary>Becomes the writer, if nobody is; many-to-many: one of them.</summary>
    /// <returns>The writer; dispose it to give the role up.</returns>
    /// <exception cref="SharedChannelException">RoleTaken: a living process is the writer; the message names it, and
    /// says whether it is stopped. Many-to-many: there are 1,024 writers. Damaged.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed.</exception>
    public SharedRingWriter OpenWriter()
        => TryOpenWriter(TimeSpan.Zero, out SharedRingWriter? writer) ? writer
            : throw _writers?.Taken() ?? _writer.Taken();

    /// <summary>Becomes the writer, waiting for the role at most for a time; many-to-many: one of them, which waits
    /// only while there are 1,024.</summary>
    /// <param name="timeout">The longest wait; zero tries once, <see cref="Timeout.InfiniteTimeSpan"/> waits for ever.
    /// The role of a killed writer is had within 50 ms, that of a stopped one not at all.</param>
    /// <param name="writer">The writer; dispose it to give the role up.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>False when another one had it for as long.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="timeout"/> is negative and not infinite, or over
    /// 2^31-1 ms.</exception>
    /// <exception cref="SharedChannelException">Damaged.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed.</exception>
    public bool TryOpenWriter(TimeSpan timeout, [NotNullWhen(true)] out SharedRingWriter? writer,
        CancellationToken cancellationToken = default)
    {
        writer = _writers is not null
            ? Join(_writers, timeout, turn => new SharedRingWriter(_segment, turn), cancellationToken)
            : Take(_writer, timeout, cancellationToken, out bool wasKilled)
                ? Use(_writer, () => new SharedRingWriter(_segment, _writer, wasKilled)) : null;
        return writer is not null;
    }

    /// <summary>Becomes the reader, if nobody is; many-to-many: one of them.</summary>
    /// <param name="delivery">What a killed reader's successor finds. Default: at least once. Many-to-many: each reader
    /// chooses for itself.</param>
    /// <returns>The reader; dispose it to give the role up.</returns>
    /// <exception cref="SharedChannelException">RoleTaken: a living process is the reader; the message names it, and
    /// says whether it is stopped. Many-to-many: there are 1,024 readers. Damaged.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed.</exception>
    public SharedRingReader OpenReader(SharedRingDelivery delivery = SharedRingDelivery.AtLeastOnce)
        => TryOpenReader(TimeSpan.Zero, out SharedRingReader? reader, delivery) ? reader
            : throw _readers?.Taken() ?? _reader.Taken();

    /// <summary>Becomes the reader, waiting for the role at most for a time; many-to-many: one of them, which waits
    /// only while there are 1,024.</summary>
    /// <param name="timeout">The longest wait; zero tries once, <see cref="Timeout.InfiniteTimeSpan"/> waits for ever.
    /// The role of a killed reader is had within 50 ms, that of a stopped one not at all.</param>
    /// <param name="reader">The reader; dispose it to give the role up.</param>
    /// <param name="delivery">What a killed reader's successor finds. Default: at least once.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>False when another one had it for as long.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="timeout"/> is negative and not infinite, or over
    /// 2^31-1 ms; <paramref name="delivery"/> is no value of the enumeration.</exception>
    /// <exception cref="SharedChannelException">Damaged.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed.</exception>
    public bool TryOpenReader(TimeSpan timeout, [NotNullWhen(true)] out SharedRingReader? reader,
        SharedRingDelivery delivery = SharedRingDelivery.AtLeastOnce, CancellationToken cancellationToken = default)
    {
        if (delivery is not (SharedRingDelivery.AtLeastOnce or SharedRingDelivery.AtMostOnce))
            throw new ArgumentOutOfRangeException(nameof(delivery), delivery, "It is no value of the enumeration.");
        reader = _readers is not null
            ? Join(_readers, timeout, turn => new SharedRingReader(_segment, turn, delivery), cancellationToken)
            : Take(_reader, timeout, cancellationToken, out bool wasKilled)
                ? Use(_reader, () => new SharedRingReader(_segment, _reader, delivery, wasKilled)) : null;
        return reader is not null;
    }

    /// <summary>Says that the messages of this ring are values of a layout, or begin with one. Where that was said
    /// before, in whatever language, it verifies that it is the same. Nobody who does not ask is held up by it.
    /// Thread-safe; it waits for another process that is at it, for a second at most.</summary>
    /// <typeparam name="T">The layout. Its fingerprint counts, not its version.</typeparam>
    /// <exception cref="SharedChannelException">OtherLayout: it is another one. HalfMade: another process is at it, and
    /// stopped.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed.</exception>
    public void UseLayout<T>() where T : unmanaged, ISharedLayout<T>
    {
        ObjectDisposedException.ThrowIf(!_segment.TryBeginUse(), this);
        try
        {
            _segment.UseLayout(SharedLayouts.InfoOf<T>());
        }
        finally
        {
            _segment.EndUse();
        }
    }

    /// <summary>Closes the ring; its name is removed as the options of the segment say. A writer or a reader that is
    /// open keeps the segment until it is disposed, too.</summary>
    public void Dispose() => _segment.Dispose();

    internal static int LongestOf(ulong capacity)
        => (int)Math.Min((capacity / 2) - ChannelLayout.RecordHeader, int.MaxValue - 15);

    private static ChannelSegment.Plan PlanOf(long capacity, SharedRingForm form)
    {
        if (form is not (SharedRingForm.OneToOne or SharedRingForm.ManyToMany))
            throw new ArgumentOutOfRangeException(nameof(form), form, "It is no value of the enumeration.");
        ArgumentOutOfRangeException.ThrowIfLessThan(capacity, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(capacity, ChannelLayout.LargestCapacity);
        if (form == SharedRingForm.ManyToMany && !OperatingSystem.IsLinux())
            throw new PlatformNotSupportedException("Cannot make a ring of many writers and readers: it needs Linux.");
        ulong rounded = ulong.Max(ChannelLayout.SmallestCapacity, BitOperations.RoundUpToPowerOf2((ulong)capacity));
        ushort kind = form == SharedRingForm.ManyToMany ? ChannelLayout.ManyRingKind : ChannelLayout.RingKind;
        return new ChannelSegment.Plan(kind, rounded, 0, Name);
    }

    private SharedChannelPeer Look(Role role, Slots? slots)
    {
        ObjectDisposedException.ThrowIf(!_segment.TryBeginUse(), this);
        try
        {
            return slots?.Look() ?? role.Look();
        }
        finally
        {
            _segment.EndUse();
        }
    }

    private bool Take(Role role, TimeSpan timeout, CancellationToken cancellationToken, out bool wasKilled)
    {
        var until = new Until(timeout);
        ObjectDisposedException.ThrowIf(!_segment.TryBeginUse(), this);
        bool isTaken = false;
        try
        {
            return isTaken = role.TryTake(until, out wasKilled, cancellationToken);
        }
        finally
        {
            if (!isTaken) _segment.EndUse();
        }
    }

    /// <summary>Takes a slot, and makes what has it.</summary>
    private T? Join<T>(Slots slots, TimeSpan timeout, Func<Turn, T> make, CancellationToken cancellationToken)
        where T : class
    {
        var until = new Until(timeout);
        ObjectDisposedException.ThrowIf(!_segment.TryBeginUse(), this);
        Turn? turn = null;
        T? made = null;
        try
        {
            int slot = slots.Take(until, cancellationToken);
            if (slot < 0) return null;
            turn = new Turn(_segment, slots, slot);
            ChannelStop.At("turn.joined");
            return made = make(turn);
        }
        finally
        {
            if (made is null)
            {
                turn?.End();
                _segment.EndUse();
            }
        }
    }

    // The use of the segment becomes that of what is made.
    private T Use<T>(Role role, Func<T> make)
    {
        try
        {
            return make();
        }
        catch
        {
            role.GiveUp();
            _segment.EndUse();
            throw;
        }
    }
}
