using System.IO.Pipelines;
using System.Runtime.Versioning;
using System.Threading.Channels;

namespace NativeIpc.Channels;

/// <summary>A ring as what .NET has for bytes and values in one process: streams, pipes and channels.</summary>
/// <remarks>Each takes the place of the writer or the reader that it is of, which must not be used beside it, and is of
/// one thread at a time as that is. The end, of a channel, a pipe or a stream that is written, is
/// <see cref="SharedRingWriter.Complete"/>; an error that is given with it is not carried to the other process. Writer
/// and reader are still to be disposed.</remarks>
[SupportedOSPlatform("linux")]
[SupportedOSPlatform("windows")]
public static class SharedRingAdapters
{
    /// <summary>A stream that writes to the ring. What is written at once is one message, or several when it is long;
    /// each is shown at once, so Flush does nothing. Dispose says that nothing more comes.</summary>
    /// <param name="writer">The writer.</param>
    /// <returns>The stream.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="writer"/> is null.</exception>
    public static Stream AsStream(this SharedRingWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        return new RingWriteStream(writer);
    }

    /// <summary>A stream that reads the ring's messages one behind the other, without their bounds. It ends when
    /// nothing more comes.</summary>
    /// <param name="reader">The reader. After a kill its successor is given the message again of which a part was
    /// read.</param>
    /// <returns>The stream.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="reader"/> is null.</exception>
    public static Stream AsStream(this SharedRingReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        return new RingReadStream(reader);
    }

    /// <summary>A pipe's end that writes to the ring, by <see cref="AsStream(SharedRingWriter)"/>: what is flushed is
    /// copied into the ring, waiting for room.</summary>
    /// <param name="writer">The writer.</param>
    /// <returns>The end; Complete says that nothing more comes.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="writer"/> is null.</exception>
    public static PipeWriter AsPipeWriter(this SharedRingWriter writer) => PipeWriter.Create(writer.AsStream());

    /// <summary>A pipe's end that reads from the ring, by <see cref="AsStream(SharedRingReader)"/>: bytes are copied
    /// out of the ring, so a parser may leave as many as it likes.</summary>
    /// <param name="reader">The reader.</param>
    /// <returns>The end; it is completed when nothing more comes.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="reader"/> is null.</exception>
    public static PipeReader AsPipeReader(this SharedRingReader reader) => PipeReader.Create(reader.AsStream());

    /// <summary>A channel's end that writes values to the ring, each a message of its bytes.</summary>
    /// <typeparam name="T">A type without references, laid out as the peer lays it out. Of one with
    /// <see cref="SharedLayoutAttribute"/> the ring is told the layout, or verified to have it, as
    /// <see cref="SharedRing.UseLayout{T}"/> does.</typeparam>
    /// <param name="writer">The writer.</param>
    /// <returns>The end. TryWrite says false when there is no room, and once it is completed.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="writer"/> is null.</exception>
    /// <exception cref="SharedChannelException">OtherLayout: the messages have another layout. HalfMade: another
    /// process is about to say which one, and stopped.</exception>
    /// <exception cref="NotSupportedException">This runtime gives the struct another size than its layout
    /// says.</exception>
    /// <exception cref="ObjectDisposedException">The type has a layout, and the writer is disposed.</exception>
    /// <exception cref="ArgumentException">A value is longer than the ring's longest message.</exception>
    public static ChannelWriter<T> AsChannelWriter<T>(this SharedRingWriter writer)
        where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(writer);
        if (default(T) is ISharedLayout layout) writer.UseLayout(layout.Info);
        return new RingChannelWriter<T>(writer);
    }

    /// <summary>A channel's end that reads values from the ring, each a message of its bytes.</summary>
    /// <typeparam name="T">A type without references, laid out as the peer lays it out. Of one with
    /// <see cref="SharedLayoutAttribute"/> the ring is told the layout, or verified to have it, as
    /// <see cref="SharedRing.UseLayout{T}"/> does.</typeparam>
    /// <param name="reader">The reader. A value is copied and released when it is given.</param>
    /// <returns>The end. A message of another length is a <see cref="SharedChannelException"/>, OtherContent, and is
    /// passed over.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="reader"/> is null.</exception>
    /// <exception cref="SharedChannelException">OtherLayout: the messages have another layout. HalfMade: another
    /// process is about to say which one, and stopped.</exception>
    /// <exception cref="NotSupportedException">This runtime gives the struct another size than its layout
    /// says.</exception>
    /// <exception cref="ObjectDisposedException">The type has a layout, and the reader is disposed.</exception>
    public static ChannelReader<T> AsChannelReader<T>(this SharedRingReader reader)
        where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(reader);
        if (default(T) is ISharedLayout layout) reader.UseLayout(layout.Info);
        return new RingChannelReader<T>(reader);
    }
}
