using System.Diagnostics;
using NativeIpc.Channels;

namespace NativeIpc.Yardstick;

/// <summary>The time of a message of 64 KiB or 1 MiB in a topic with 64 or 8 places, while as many readers as the name
/// says, on the other core, copy the latest one as often as they come to it. With <c>@c</c> the readers are of
/// C.</summary>
internal static class Topics
{
    public static void Run(string name)
    {
        string? peer = Harness.PeerOf(name);
        if (peer is null) return; // C was not asked for
        int readers = int.Parse(name.Split('@')[0][(name.LastIndexOf('.') + 1)..]);
        (int size, int history) = name.Contains(".1m.", StringComparison.Ordinal) ? (1 << 20, 7) : (64 << 10, 63);
        NativeIpcKey key = SharedMemory.PlatformSafeKey("yard_r_topic", NativeIpcKeyType.PosixRealtime);
        SharedMemory.Remove(key);
        using SharedTopic topic = SharedTopic.CreateNew(key, size, history);
        using SharedTopicWriter writer = topic.OpenWriter();
        List<Process> children = [.. Enumerable.Range(0, readers).Select(_ => Start(peer, key))];
        Memory<byte> message = Moving.Aligned(size);
        Native.Pin(0);
        Harness.Print(name, Harness.Measure(n =>
        {
            while (n-- > 0) writer.Write(message.Span);
        }));
        Native.Unpin();
        children.ForEach(Harness.End);
    }

    private static Process Start(string peer, NativeIpcKey key)
        => peer.Length == 0 ? Harness.StartChild("follow", $"{key}")
            : Harness.Start(peer, ["--follow", key.NativeKey]);

    public static void Follow(string[] arguments)
    {
        using SharedTopic topic = SharedTopic.OpenExisting(NativeIpcKey.Parse(arguments[0], null));
        using SharedTopicReader reader = topic.OpenReader();
        byte[] own = new byte[reader.LongestMessage];
        Native.Pin(1);
        Harness.Ready();
        while (reader.WaitToRead(Timeout.InfiniteTimeSpan)) reader.TryReadLatest(own, out _);
    }
}
