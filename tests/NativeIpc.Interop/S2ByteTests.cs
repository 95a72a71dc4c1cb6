using Xunit;

namespace NativeIpc.Foreign;

/// <summary>Scenario 2: what one writes the other reads, and both see the same size.</summary>
public sealed class S2ByteTests : Scenario
{
    protected override int Number => 2;

    public static TheoryData<string, string, string> Segments()
        => PeerKind.EachWay((_, _, has) => has.HasFlag(Has.Segment));

    public static TheoryData<string, string, string> PosixC()
        => PeerKind.EachWay((kind, backEnd, _) => kind.Name is "c" or "c-musl" && backEnd == BackEnd.Posix);

    [Theory]
    [MemberData(nameof(Segments))]
    public void bytes_and_sizes_are_the_same_for_both(string peer, string backEnd, string direction)
        => Run(peer, backEnd, direction, stage =>
    {
        foreach (int size in new[] { 1, 152, 4096, 5000, 1 << 20 })
        {
            NativeIpcKey key = stage.Keys.Segment(backEnd);
            using SharedMemory segment = stage.Share(key, size);
            Assert.Equal(size, segment.Size);
            Assert.Equal($"{size}", stage.Peer.Ask("shm size a"));
            Assert.Equal("00", stage.Peer.Ask($"shm read a {size - 1} 1"));

            byte[] ours = [0x00, 0x7f, 0x80, 0xff];
            if (size >= ours.Length)
            {
                segment.Write(size - ours.Length, ours);
                Assert.Equal("007f80ff", stage.Peer.Ask($"shm read a {size - ours.Length} {ours.Length}"));
            }

            stage.Peer.Ask($"shm write a {size / 2} c3");
            byte[] theirs = new byte[1];
            segment.Read(size / 2, theirs);
            Assert.Equal(0xc3, theirs[0]);
            stage.Peer.Ask("shm close a");
        }
    });

    [Theory]
    [MemberData(nameof(Segments))]
    public void a_read_only_attach_reads_and_cannot_write(string peer, string backEnd, string direction)
        => Run(peer, backEnd, direction, stage =>
    {
        NativeIpcKey key = stage.Keys.Segment(backEnd);
        using SharedMemory segment = stage.Share(key);
        segment.Write(8, [1, 2, 3]);
        if (stage.IsOurs)
        {
            if (!stage.Kind.On(backEnd).HasFlag(Has.ReadOnly))
            {
                Assert.Equal("Unsupported", stage.Peer.AskFailing($"shm open r {ForeignPeer.Word(key)} ro"));
                stage.Limit($"{stage.Kind.Title}: {backEnd} segments cannot be attached for reading only.", only: true);
                return;
            }

            using ForeignPeer reader = stage.StartAnother();
            reader.Ask($"shm open r {ForeignPeer.Word(key)} ro");
            Assert.Equal("010203", reader.Ask("shm read r 8 3"));
            Assert.Equal("PermissionDenied", reader.AskFailing("shm write r 8 00"));
        }
        else
        {
            using SharedMemory reader = SharedMemory.OpenExisting(key, SharedMemoryAccess.Read);
            stage.Peer.Ask("shm write a 8 0405");
            byte[] read = new byte[3];
            reader.Read(8, read);
            Assert.Equal([4, 5, 3], read);
            Assert.Throws<InvalidOperationException>(() => reader.Write(8, [0]));
            Assert.Throws<InvalidOperationException>(() => reader.Span.Clear());
        }
    });

    [Theory]
    [MemberData(nameof(PosixC))]
    public void a_peer_may_map_only_a_part_of_three_gibibytes(string peer, string backEnd, string direction)
        => Run(peer, backEnd, direction, stage =>
    {
        const long size = 3L << 30;
        const long from = (2L << 30) + (64 << 10);
        NativeIpcKey key = stage.Keys.Segment(backEnd);
        using SharedMemory segment = stage.Share(key, size,
            new SharedMemoryOptions { Allocation = SharedMemoryAllocation.Sparse });
        Assert.Equal(size, segment.Size);
        using ForeignPeer partial = stage.StartAnother();
        Assert.Equal($"{size} opened", partial.Ask($"shm open p {ForeignPeer.Word(key)} rw part={from},65536"));
        segment.Write(from + 65000, [0xab, 0xcd]);
        Assert.Equal("abcd", partial.Ask($"shm read p {from + 65000} 2"));
        partial.Ask($"shm write p {from} 2a");
        byte[] read = new byte[1];
        segment.Read(from, read);
        Assert.Equal(0x2a, read[0]);
        Assert.Equal("Usage", partial.AskFailing($"shm read p {from - 1} 1"));
        stage.Peer.Ask($"shm write a {size - 1} 2b");
        segment.Read(size - 1, read);
        Assert.Equal(0x2b, read[0]);
    });
}
