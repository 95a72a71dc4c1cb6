using System.Runtime.InteropServices;
using NativeIpc.Interop.Unix;
using NativeIpc.Linux;
using NativeIpc.Posix.Users;
using Xunit;

namespace NativeIpc.Tests.Posix;

/// <summary>The process ends while another thread closes an object that goes with its last user.</summary>
[NeedsLinux("Only Linux says who uses a file.")]
public sealed class PosixLastOutTests : IDisposable
{
    private readonly string _name = $"/nativeipc-last-{Guid.NewGuid():N}";

    private string FilePath => "/dev/shm" + _name;

    public void Dispose() => File.Delete(FilePath);

    [Fact]
    public void The_end_of_the_process_maps_nothing_where_the_object_was_and_the_object_goes()
    {
        int size = Environment.SystemPageSize;
        File.WriteAllBytes(FilePath, new byte[size]);
        int opened = Libc.open(FilePath, Flags.O_RDWR | Flags.O_CLOEXEC, 0);
        using var file = new UnixDescriptor(opened);
        nint address = Libc.mmap(0, (nuint)size, Flags.PROT_READ | Flags.PROT_WRITE, Flags.MAP_SHARED, opened, 0);
        Assert.Equal(0, Libc.Status(file, out FileStatus status));
        var lastOut = new PosixLastOut(new NativeIpcKey(_name, NativeIpcKeyType.PosixRealtime),
            IpcObjectKind.SharedMemory, lockKey: default, status.Identity, Patience.Seconds(10), address, size, file);

        // What another thread would map there by then: in one step, as a thread of the runtime could come in between.
        nint another = 0;
        var end = new Thread(lastOut.Perform);
        lastOut.Close(
            closed =>
            {
                another = Libc.mmap(address, (nuint)size, Flags.PROT_READ | Flags.PROT_WRITE,
                    Flags.MAP_PRIVATE | Flags.MAP_ANONYMOUS | Flags.MAP_FIXED, -1, 0);
                closed.Dispose();
                Marshal.WriteInt32(another, 12345);
                end.Start();
                SpinWait.SpinUntil(() => !end.IsAlive || end.ThreadState.HasFlag(ThreadState.WaitSleepJoin));
                Assert.True(end.IsAlive);
            },
            file);
        end.Join();
        Assert.Equal(address, another);
        Assert.Equal(12345, Marshal.ReadInt32(another));
        _ = Libc.munmap(another, (nuint)size);
        Assert.False(File.Exists(FilePath));
    }
}
