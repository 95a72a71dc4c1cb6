using System.Diagnostics.CodeAnalysis;
using System.Numerics;
using System.Runtime.Versioning;
using NativeIpc.Channels.Segments;

namespace NativeIpc.Channels;

/// <summary>The latest messages of one writer, in a segment, for any number of readers that never slow it down, in
/// whatever language: docs/layouts.md has the layout.</summary>
/// <remarks>
/// <para>The writer goes round over a fixed number of slots and waits for nobody. A reader that is too slow is told how
/// many messages it has missed. What the writer overwrites during a read is noticed: a copy is made again, and a read
/// in place says so at its end. No torn message is given as good.</para>
/// <para>Linux, with keys of the types posix and systemv; Windows, with keys of the type windows. A segment that is
/// opened for reading will do for readers; they then look for news every 1 to 20 ms when they wait, instead of being
/// woken.</para>
/// <para>Thread safety: this class from any thread. A writer and a reader: of one thread at a time each.</para>
/// </remarks>
[SupportedOSPlatform("linux")]
[SupportedOSPlatform("windows")]
public sealed class SharedTopic : IDisposable
{
    private const string Name = "topic";
    private readonly ChannelSegment _segment;
    private readonly Role _writer;

    private SharedTopic(ChannelSegment segment)
    {
        _segment = segment;
        _writer = new Role(segment, ChannelLayout.WriterByte, ChannelLayout.WriterNoteAt, "writer");
    }

    /// <summary>The key of its segment.</summary>
    public NativeIpcKey Key => _segment.Key;

    /// <summary>How many messages back a reader may be, at most: the slots, less the one that is written.</summary>
    public int History => (int)_segment.Capacity - 1;

    /// <summary>The longest message, in bytes.</summary>
    public int LongestMessage => (int)(_segment.SlotSize - ChannelLayout.SlotHeader);

    /// <summary>Whether this instance made the topic.</summary>
    public bool CreatedNew => _segment.CreatedNew;

    /// <summary>Who has the role of the writer.</summary>
    /// <exception cref="ObjectDisposedException">This instance was disposed.</exception>
    /// <exception cref="SharedChannelException">The system does not say: Unknown.</exception>
    public SharedChannelPeer Writer
    {
        get
        {
            ObjectDisposedException.ThrowIf(!_segment.TryBeginUse(), this);
            try
            {
                return _writer.Look();
            }
            finally
            {
                _segment.EndUse();
            }
        }
    }

    /// <summary>Makes a topic that must not exist yet.</summary>
    /// <param name="key">The key of the segment, of the type posix, systemv or windows.</param>
    /// <param name="longestMessage">The longest message, in bytes; rounded up to a multiple of 64.</param>
    /// <param name="history">How many messages back a reader may be; one more is rounded up to a power of two.
    /// 1 to 2^20-1. Default: 3.</param>
    /// <param name="options">Those of the segment; null for the defaults: the maker's instance removes the name when it
    /// is disposed.</param>
    /// <returns>The topic.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A number is too small or too large.</exception>
    /// <exception cref="NativeIpcException">As <see cref="SharedMemory.CreateNew"/>.</exception>
    /// <exception cref="PlatformNotSupportedException">Channels are not there for keys of this type on this
    /// system.</exception>
    public static SharedTopic CreateNew(NativeIpcKey key, int longestMessage, int history = 3,
        SharedMemoryOptions? options = null)
        => new(ChannelSegment.Create(key, PlanOf(longestMessage, history), options, mayExist: false));

    /// <summary>Opens a topic, or makes it if there is none. One that a killed maker left half made is
    /// finished.</summary>
    /// <param name="key">The key of the segment, of the type posix, systemv or windows.</param>
    /// <param name="longestMessage">The longest message, in bytes; rounded up to a multiple of 64. A topic that exists
    /// with longer ones is fine.</param>
    /// <param name="history">How many messages back a reader may be; one more is rounded up to a power of two. A topic
    /// that exists with more is fine. 1 to 2^20-1. Default: 3.</param>
    /// <param name="options">Those of the segment; null for the defaults.</param>
    /// <returns>The topic; <see cref="CreatedNew"/> says which of the two happened.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A number is too small or too large.</exception>
    /// <exception cref="SharedChannelException">OtherContent when the segment holds something else, or a smaller topic;
    /// Damaged.</exception>
    /// <exception cref="NativeIpcException">As <see cref="SharedMemory.CreateOrOpen"/>.</exception>
    /// <exception cref="PlatformNotSupportedException">Channels are not there for keys of this type on this
    /// system.</exception>
    public static SharedTopic CreateOrOpen(NativeIpcKey key, int longestMessage, int history = 3,
        SharedMemoryOptions? options = null)
        => new(ChannelSegment.Create(key, PlanOf(longestMessage, history), options, mayExist: true));

    /// <summary>Opens a topic that must exist.</summary>
    /// <param name="key">The key of the segment.</param>
    /// <param name="access">Whether it may be written; for reading will do for readers.</param>
    /// <param name="options">Those of the segment; null for the defaults.</param>
    /// <returns>The topic.</returns>
    /// <exception cref="SharedChannelException">OtherContent; Damaged; HalfMade once
    /// <see cref="SharedMemoryOptions.PeerTimeout"/> has passed.</exception>
    /// <exception cref="NativeIpcException">As <see cref="SharedMemory.OpenExisting"/>.</exception>
    /// <exception cref="PlatformNotSupportedException">Channels are not there for keys of this type on this
    /// system.</exception>
    public static SharedTopic OpenExisting(NativeIpcKey key, SharedMemoryAccess access = SharedMemoryAccess.ReadWrite,
        SharedMemoryOptions? options = null)
        => new(ChannelSegment.Open(key, ChannelLayout.TopicKind, Name, access, options));

    /// <summary>Opens a topic if there is one.</summary>
    /// <param name="key">The key of the segment.</param>
    /// <param name="topic">The topic; null when there is none.</param>
    /// <param name="access">Whether it may be written; for reading will do for readers.</param>
    /// <param name="options">Those of the segment; null for the defaults.</param>
    /// <returns>False when there is none.</returns>
    /// <exception cref="SharedChannelException">As <see cref="OpenExisting"/>.</exception>
    /// <exception cref="NativeIpcException">Every failure other than NotFound.</exception>
    /// <exception cref="PlatformNotSupportedException">Channels are not there for keys of this type on this
    /// system.</exception>
    public static bool TryOpenExisting(NativeIpcKey key, [NotNullWhen(true)] out SharedTopic? topic,
        SharedMemoryAccess access = SharedMemoryAccess.ReadWrite, SharedMemoryOptions? options = null)
    {
        ChannelSegment? segment = ChannelSegment.TryOpen(key, ChannelLayout.TopicKind, Name, access, options);
        topic = segment is null ? null : new SharedTopic(segment);
        return topic is not null;
    }

    /// <summary>Becomes the writer, if nobody is.</summary>
    /// <returns>The writer; dispose it to give the role up.</returns>
    /// <exception cref="InvalidOperationException">The topic was opened for reading.</exception>
    /// <exception cref="SharedChannelException">RoleTaken: a living process is the writer; the message names it, and
    /// says whether it is stopped. Damaged.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed.</exception>
    public SharedTopicWriter OpenWriter()
        => TryOpenWriter(TimeSpan.Zero, out SharedTopicWriter? writer) ? writer : throw _writer.Taken();

    /// <summary>Becomes the writer, waiting for the role at most for a time.</summary>
    /// <param name="timeout">The longest wait; zero tries once, <see cref="Timeout.InfiniteTimeSpan"/> waits for ever.
    /// The role of a killed writer is had within 50 ms, that of a stopped one not at all.</param>
    /// <param name="writer">The writer; dispose it to give the role up.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>False when another one had it for as long.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="timeout"/> is negative and not infinite, or over
    /// 2^31-1 ms.</exception>
    /// <exception cref="InvalidOperationException">The topic was opened for reading.</exception>
    /// <exception cref="SharedChannelException">Damaged.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    /// <exception cref="ObjectDisposedException">This instance was disposed.</exception>
    public bool TryOpenWriter(TimeSpan timeout, [NotNullWhen(true)] out SharedTopicWriter? writer,
        CancellationToken cancellationToken = default)
    {
        var until = new Until(timeout);
        ObjectDisposedException.ThrowIf(!_segment.TryBeginUse(), this);
        writer = null;
        bool isTaken = false;
        try
        {
            if (!_segment.CanWrite) throw new InvalidOperationException("The topic was opened for reading only.");
            isTaken = _writer.TryTake(until, out bool wasKilled, cancellationToken);
            if (isTaken) writer = new SharedTopicWriter(_segment, _writer, wasKilled);
            return isTaken;
        }
        finally
        {
            if (writer is null)
            {
                if (isTaken) _writer.GiveUp();
                _segment.EndUse();
            }
        }
    }

    /// <summary>Makes a reader, of as many as there are. It begins behind the message that is the latest now.</summary>
    /// <returns>The reader.</returns>
    /// <exception cref="ObjectDisposedException">This instance was disposed.</exception>
    public SharedTopicReader OpenReader()
    {
        ObjectDisposedException.ThrowIf(!_segment.TryBeginUse(), this);
        return new SharedTopicReader(_segment);
    }

    /// <summary>Says that the messages of this topic are values of a layout, or begin with one. Where that was said
    /// before, in whatever language, it verifies that it is the same. Nobody who does not ask is held up by it.
    /// Thread-safe; it waits for another process that is at it, for a second at most.</summary>
    /// <typeparam name="T">The layout. Its fingerprint counts, not its version.</typeparam>
    /// <exception cref="SharedChannelException">OtherLayout: it is another one; or this topic was opened for reading,
    /// and none was said yet. HalfMade: another process is at it, and stopped.</exception>
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

    /// <summary>Closes the topic; its name is removed as the options of the segment say. A writer or a reader that is
    /// open keeps the segment until it is disposed, too.</summary>
    public void Dispose() => _segment.Dispose();

    private static ChannelSegment.Plan PlanOf(int longestMessage, int history)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(longestMessage, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(longestMessage,
            (int)(ChannelLayout.LargestSlot - (2 * ChannelLayout.SlotHeader)));
        ArgumentOutOfRangeException.ThrowIfLessThan(history, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(history, ChannelLayout.LargestHistory - 1);
        const ulong Line = ChannelLayout.SlotHeader;
        ulong slot = Line + (((ulong)longestMessage + Line - 1) / Line * Line);
        return new ChannelSegment.Plan(ChannelLayout.TopicKind, BitOperations.RoundUpToPowerOf2((ulong)history + 1),
            slot, Name);
    }
}
