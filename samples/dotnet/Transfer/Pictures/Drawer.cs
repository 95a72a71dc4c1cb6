using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using NativeIpc;
using NativeIpc.Channels;

namespace Transfer.Pictures;

/// <summary>The process that draws: <c>draw KEY [FILE]</c>. It ends with its standard input.</summary>
[SupportedOSPlatform("linux")]
internal static class Drawer
{
    private const int PicturesPerSecond = 30;

    public static readonly int HeadSize = Unsafe.SizeOf<PictureHead>();

    public static IArtist NewArtist(string? frames) => frames is null ? new Simulation() : new FrameFile(frames);

    public static int MessageLength(IArtist artist) => HeadSize + (artist.Width * artist.Height * sizeof(uint));

    public static async Task<int> RunAsync(NativeIpcKey key, string? frames)
    {
        using CancellationTokenSource parentEnded = Receiver.WatchParent();

        // Ctrl-C comes to all processes of a terminal; the one that started this one ends it in good order.
        using var interrupted = PosixSignalRegistration.Create(PosixSignal.SIGINT, context => context.Cancel = true);
        using IArtist artist = NewArtist(frames);
        using var topic = SharedTopic.CreateOrOpen(key, MessageLength(artist));
        using SharedTopicWriter writer = topic.OpenWriter();
        ulong number = GoOn(topic, artist);
        using var pace = new PeriodicTimer(TimeSpan.FromSeconds(1.0 / PicturesPerSecond));
        try
        {
            do Draw(writer, artist, ++number);
            while (await pace.WaitForNextTickAsync(parentEnded.Token));
        }
        catch (OperationCanceledException)
        {
            // The one that started this process wants no more, or has ended.
        }

        writer.Complete();
        return 0;
    }

    /// <summary>Goes on behind the last picture that is there, which is a whole one however its process has ended; 0
    /// when there is none.</summary>
    private static ulong GoOn(SharedTopic topic, IArtist artist)
    {
        using SharedTopicReader reader = topic.OpenReader();
        reader.Rewind();
        byte[] last = new byte[reader.LongestMessage];
        if (!reader.TryReadLatest(last, out int length) || length != MessageLength(artist)) return 0;
        PictureHead head = MemoryMarshal.Read<PictureHead>(last);
        artist.GoOnFrom(head);
        return head.Number;
    }

    /// <summary>In place: readers see it when it is whole.</summary>
    private static void Draw(SharedTopicWriter writer, IArtist artist, ulong number)
    {
        Span<byte> message = writer.Reserve(MessageLength(artist));
        ref PictureHead head = ref MemoryMarshal.AsRef<PictureHead>(message);
        head = new PictureHead { Width = (uint)artist.Width, Height = (uint)artist.Height, Number = number,
            ProcessId = Environment.ProcessId, TookOver = writer.TookOver ? 1u : 0 };
        artist.Draw(ref head, MemoryMarshal.Cast<byte, uint>(message[HeadSize..]));
        writer.Commit();
    }
}
