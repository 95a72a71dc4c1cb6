using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using Xunit;

namespace NativeIpc.NamedObjects.Tests;

public sealed class MemoryTests : NamedObjectTests
{
    [StructLayout(LayoutKind.Sequential)]
    private struct Point
    {
        public int X;
        public long Y;
    }

    [Fact]
    public void Processes_share_the_bytes()
    {
        string name = NextName();
        PeerProcess peer = Peer();
        using NamedMemory map = NamedMemory.CreateNew(name, 100);
        using NamedMemoryViewAccessor view = map.CreateViewAccessor();
        peer.Ask($"open map n {name}");
        view.Write(40, 17);
        Assert.Equal("17", peer.Ask("read n 40"));
        peer.Ask("write n 44 18");
        Assert.Equal(18, view.ReadInt32(44));
        Assert.ThrowsAny<IOException>(() => NamedMemory.CreateNew(name, 100));
        using NamedMemory again = NamedMemory.CreateOrOpen(name, 100_000); // the capacity has no effect
        using NamedMemoryViewAccessor all = again.CreateViewAccessor();
        Assert.Equal(18, all.ReadInt32(44));
        if (OperatingSystem.IsLinux()) Assert.Equal(100, all.Capacity); // Windows rounds up to pages
    }

    [Fact]
    public void An_accessor_reads_and_writes_values_and_arrays()
    {
        using NamedMemory map = NamedMemory.CreateNew(NextName(), 4096);
        using NamedMemoryViewAccessor view = map.CreateViewAccessor(8, 1000);
        Assert.True(view.CanRead && view.CanWrite);
        var point = new Point { X = 3, Y = 4 };
        view.Write(16, ref point);
        view.Read(16, out Point read);
        Assert.Equal(point, read);
        view.WriteArray(100, [1.5, 2.5, 3.5], 1, 2);
        double[] numbers = new double[2];
        Assert.Equal(2, view.ReadArray(100, numbers, 0, 2));
        Assert.Equal([2.5, 3.5], numbers);
        view.Flush();
        using NamedMemoryViewAccessor whole = map.CreateViewAccessor();
        Assert.Equal(3, whole.ReadInt32(24)); // the view begins at 8
        Assert.Throws<ArgumentException>(() => view.Write(view.Capacity - 3, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => view.ReadByte(view.Capacity));
    }

    [Fact]
    public unsafe void A_pointer_leads_to_the_view()
    {
        using NamedMemory map = NamedMemory.CreateNew(NextName(), 4096);
        using NamedMemoryViewAccessor view = map.CreateViewAccessor(100, 50);
        byte* pointer = null;
        view.SafeMemoryMappedViewHandle.AcquirePointer(ref pointer);
        try
        {
            *(int*)(pointer + view.PointerOffset) = 99;
        }
        finally
        {
            view.SafeMemoryMappedViewHandle.ReleasePointer();
        }

        Assert.Equal(99, view.ReadInt32(0));
        using NamedMemoryViewStream stream = map.CreateViewStream(96, 20);
        stream.SafeMemoryMappedViewHandle.AcquirePointer(ref pointer);
        Assert.Equal(99, *(int*)(pointer + stream.PointerOffset + 4));
        stream.SafeMemoryMappedViewHandle.ReleasePointer();
    }

    [Fact]
    public void A_stream_reads_and_writes()
    {
        using NamedMemory map = NamedMemory.CreateNew(NextName(), 1000);
        using (NamedMemoryViewStream stream = map.CreateViewStream())
        {
            using var writer = new BinaryWriter(stream);
            writer.Write("text");
            writer.Write(7);
            writer.Flush();
            Assert.Throws<NotSupportedException>(() => stream.SetLength(5));
        }

        using NamedMemoryViewStream again = map.CreateViewStream(0, 0, MemoryMappedFileAccess.Read);
        using var reader = new BinaryReader(again);
        Assert.Equal("text", reader.ReadString());
        Assert.Equal(7, reader.ReadInt32());
        Assert.False(again.CanWrite);
        Assert.Throws<NotSupportedException>(() => again.WriteByte(1));
    }

    [Fact]
    public void Views_do_what_the_map_was_opened_for_and_no_more()
    {
        string name = NextName();
        using NamedMemory map = NamedMemory.CreateNew(name, 4096);
        using NamedMemory reads = NamedMemory.OpenExisting(name, MemoryMappedFileRights.Read);
        Assert.Throws<UnauthorizedAccessException>(() => reads.CreateViewAccessor());
        Assert.Throws<UnauthorizedAccessException>(() => reads.CreateViewStream());
        using NamedMemoryViewAccessor view = reads.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
        Assert.Throws<NotSupportedException>(() => view.Write(0, 1));
        Assert.Throws<UnauthorizedAccessException>(() => map.CreateViewAccessor(0, 1_000_000));

        // Wine 8 says "Invalid parameter" there, an IOException; of Windows it is not known.
        if (!OperatingSystem.IsWindows())
            Assert.Throws<UnauthorizedAccessException>(() => map.CreateViewAccessor(1_000_000, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => map.CreateViewAccessor(-1, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => map.CreateViewAccessor(0, -1));
        using NamedMemory writes = NamedMemory.CreateOrOpen(name, 1, MemoryMappedFileAccess.Write);
        using NamedMemoryViewAccessor written = writes.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Write);
        written.Write(0, 5);
        Assert.Equal(5, view.ReadInt32(0));
    }

    [Fact]
    public void Views_outlive_the_map()
    {
        string name = NextName();
        NamedMemory map = NamedMemory.CreateNew(name, 100);
        using NamedMemoryViewAccessor view = map.CreateViewAccessor();
        map.Dispose();
        map.Dispose();
        view.Write(0, 5);
        Assert.Equal(5, view.ReadInt32(0));
        Assert.Throws<ObjectDisposedException>(() => map.CreateViewAccessor());
        view.Dispose();
        Assert.Throws<ObjectDisposedException>(() => view.ReadInt32(0));
        Assert.Throws<FileNotFoundException>(() => NamedMemory.OpenExisting(name));
        Assert.Empty(FilesOf(name));
    }

    [Fact]
    public void It_goes_with_the_last_process_also_with_killed_ones()
    {
        string name = NextName();
        PeerProcess first = Peer(), second = Peer();
        first.Ask($"map n {name} 64");
        first.Ask("write n 0 5");
        second.Ask($"open map n {name}");
        first.Kill();
        Assert.Equal("5", second.Ask("read n 0"));
        using (NamedMemory found = NamedMemory.OpenExisting(name))
        {
            second.Kill();
            using NamedMemory opened = NamedMemory.CreateOrOpen(name, 64);
            using NamedMemoryViewAccessor view = opened.CreateViewAccessor();
            Assert.Equal(5, view.ReadInt32(0)); // this process has it open
        }

        Assert.Throws<FileNotFoundException>(() => NamedMemory.OpenExisting(name));
        PeerProcess third = Peer();
        third.Ask($"map n {name} 64");
        third.Ask("write n 0 6");
        third.Kill();
        using NamedMemory anew = NamedMemory.CreateNew(name, 64);
        using NamedMemoryViewAccessor fresh = anew.CreateViewAccessor();
        Assert.Equal(0, fresh.ReadInt32(0));
    }

    [Fact]
    public void Arguments_are_those_of_NET()
    {
        string name = NextName();
        Assert.Throws<ArgumentException>(() => NamedMemory.CreateNew("", 10));
        Assert.Throws<ArgumentOutOfRangeException>(() => NamedMemory.CreateNew(name, 0));
        Assert.Throws<ArgumentException>(() => NamedMemory.CreateNew(name, 1, MemoryMappedFileAccess.Write));
        Assert.Throws<ArgumentNullException>(() => NamedMemory.CreateOrOpen(null!, 10));
        Assert.Throws<ArgumentException>(() => NamedMemory.CreateOrOpen("", 10));
        Assert.Throws<ArgumentNullException>(() => NamedMemory.OpenExisting(null!));
        Assert.Throws<ArgumentOutOfRangeException>(
            () => NamedMemory.OpenExisting(name, (MemoryMappedFileRights)0x4000_0000));
        Assert.Throws<ArgumentException>(() => NamedMemory.CreateOrOpen(name, 1, MemoryMappedFileAccess.Write));
        Assert.Empty(FilesOf(name));
    }

    [Fact]
    [NeedsLinux("Windows offers it.")]
    public void What_is_not_offered_says_so()
    {
        string name = NextName();
        using NamedMemory map = NamedMemory.CreateNew(name, 100, MemoryMappedFileAccess.ReadWrite,
            MemoryMappedFileOptions.DelayAllocatePages, HandleInheritability.None);
        Assert.Throws<PlatformNotSupportedException>(() => map.SafeMemoryMappedFileHandle);
        Assert.Throws<PlatformNotSupportedException>(
            () => map.CreateViewAccessor(0, 0, MemoryMappedFileAccess.CopyOnWrite));
        Assert.Throws<PlatformNotSupportedException>(
            () => NamedMemory.OpenExisting(name, MemoryMappedFileRights.Read, HandleInheritability.Inheritable));
        Assert.Throws<PlatformNotSupportedException>(
            () => NamedMemory.CreateFromFile(typeof(MemoryTests).Assembly.Location, FileMode.Open, "named"));
    }

    [Fact]
    public void A_file_and_a_map_without_a_name_are_NETs_own()
    {
        string file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, "some text");
            using (NamedMemory map = NamedMemory.CreateFromFile(file))
            {
                using NamedMemoryViewAccessor view = map.CreateViewAccessor(5, 0);
                view.Write(0, (byte)'T');
                view.Flush();
                Assert.False(map.SafeMemoryMappedFileHandle.IsInvalid);
                using NamedMemoryViewStream stream = map.CreateViewStream(5, 4);
                Assert.Equal('T', stream.ReadByte());
            }

            Assert.Equal("some Text", File.ReadAllText(file));
        }
        finally
        {
            File.Delete(file);
        }

        using NamedMemory local = NamedMemory.CreateNew(null, 100);
        using NamedMemoryViewAccessor bytes = local.CreateViewAccessor();
        bytes.Write(8, 3);
        Assert.Equal(3, bytes.ReadInt32(8));
    }
}
