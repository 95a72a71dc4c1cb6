using System.Runtime.InteropServices;
using NativeIpc.Interop.Unix;
using Xunit;

namespace NativeIpc.Abi;

/// <summary>On Linux, the variadic functions of the C library get the mode and the value that our fixed declarations
/// pass.</summary>
[NeedsLinux("Calls the C library of Linux.")]
public sealed class VariadicCallTests : IDisposable
{
    private static int s_count;

    private readonly string _name = $"/nipc-abi-{Environment.ProcessId}-{Interlocked.Increment(ref s_count)}";
    private readonly TempFolder _folder = new();

    public void Dispose()
    {
        Libc.sem_unlink(_name);
        Libc.shm_unlink(_name);
        _folder.Dispose();
    }

    [Theory]
    [InlineData(0b110_100_000, 7)] // 0640
    [InlineData(0b110_110_110, 1)] // 0666, of which the umask takes something
    [InlineData(0b110_000_000, 0)] // 0600
    public void Sem_open_gets_mode_and_value(int mode, int value)
    {
        nint semaphore = Libc.sem_open(_name, Flags.O_CREAT | Flags.O_EXCL, (uint)mode,
            (uint)value);
        int error = Marshal.GetLastPInvokeError();
        Assert.True(semaphore != Libc.SEM_FAILED, $"errno {error}");
        try
        {
            Assert.Equal(0, Libc.sem_getvalue(semaphore, out int now));
            Assert.Equal(value, now);

            string file = "/dev/shm/" + (Libraries.IsGlibc ? "sem." : "") + _name[1..];
            Assert.Equal(Permissions.AfterUmask(mode), Permissions.Of(file));
            Assert.Equal(Layout.SizeOfSemT, new FileInfo(file).Length);
        }
        finally
        {
            Libc.sem_close(semaphore);
        }
    }

    [Theory]
    [InlineData(0b110_100_000)]
    [InlineData(0b110_110_110)]
    [InlineData(0b110_000_000)]
    public void Shm_open_gets_the_mode(int mode)
    {
        int descriptor = Libc.shm_open(_name,
            Flags.O_CREAT | Flags.O_EXCL | Flags.O_RDWR, (uint)mode);
        int error = Marshal.GetLastPInvokeError();
        Assert.True(descriptor != -1, $"errno {error}");
        using var segment = new UnixDescriptor(descriptor);

        Assert.Equal(Permissions.AfterUmask(mode), Permissions.Of("/dev/shm" + _name));
    }

    [Theory]
    [InlineData(0b110_100_000)]
    [InlineData(0b110_110_110)]
    [InlineData(0b110_000_000)]
    public void Open_gets_the_mode(int mode)
    {
        string path = _folder.PathOf("opened");
        int descriptor = Libc.open(path,
            Flags.O_CREAT | Flags.O_EXCL | Flags.O_RDWR | Flags.O_CLOEXEC, (uint)mode);
        int error = Marshal.GetLastPInvokeError();
        Assert.True(descriptor != -1, $"errno {error}");
        using var file = new UnixDescriptor(descriptor);

        Assert.Equal(Permissions.AfterUmask(mode), Permissions.Of(path));
    }

    [Theory]
    [InlineData(7)]
    [InlineData(0)]
    [InlineData(Flags.SEMVMX)]
    [InlineData(0x5555_5555_0000_0007)] // SETVAL is an int of union semun: the other half of the word does not count
    public void Semctl_gets_the_value(long argument)
    {
        WithSemaphoreSet(id =>
        {
            Assert.Equal(0, Libc.semctl(id, 0, Flags.SETVAL, (nint)argument));
            Assert.Equal((int)argument, Libc.semctl(id, 0, Flags.GETVAL));
        });
    }

    [Fact]
    public void Semctl_refuses_one_more_than_the_largest_value()
    {
        WithSemaphoreSet(id =>
        {
            Assert.Equal(-1, Libc.semctl(id, 0, Flags.SETVAL, Flags.SEMVMX + 1));
            Assert.Equal(Errno.ERANGE, Marshal.GetLastPInvokeError());
        });
    }

    private static void WithSemaphoreSet(Action<int> test)
    {
        const int IPC_PRIVATE = 0;
        int id = Libc.semget(IPC_PRIVATE, 1, Flags.IPC_CREAT | 0b110_000_000);
        int error = Marshal.GetLastPInvokeError();
        Assert.True(id != -1, $"errno {error}");
        try
        {
            test(id);
        }
        finally
        {
            Libc.semctl(id, 0, Flags.IPC_RMID);
        }
    }
}
