using System.Runtime.InteropServices;
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
        Interop.Libc.sem_unlink(_name);
        Interop.Libc.shm_unlink(_name);
        _folder.Dispose();
    }

    [Theory]
    [InlineData(0b110_100_000, 7)] // 0640
    [InlineData(0b110_110_110, 1)] // 0666, of which the umask takes something
    [InlineData(0b110_000_000, 0)] // 0600
    public void Sem_open_gets_mode_and_value(int mode, int value)
    {
        nint semaphore = Interop.Libc.sem_open(_name, Interop.Flags.O_CREAT | Interop.Flags.O_EXCL, (uint)mode,
            (uint)value);
        int error = Marshal.GetLastPInvokeError();
        Assert.True(semaphore != Interop.Libc.SEM_FAILED, $"errno {error}");
        try
        {
            Assert.Equal(0, Interop.Libc.sem_getvalue(semaphore, out int now));
            Assert.Equal(value, now);

            string file = "/dev/shm/" + (Interop.Libraries.IsGlibc ? "sem." : "") + _name[1..];
            Assert.Equal(Permissions.AfterUmask(mode), Permissions.Of(file));
            Assert.Equal(Interop.Layout.SizeOfSemT, new FileInfo(file).Length);
        }
        finally
        {
            Interop.Libc.sem_close(semaphore);
        }
    }

    [Theory]
    [InlineData(0b110_100_000)]
    [InlineData(0b110_110_110)]
    [InlineData(0b110_000_000)]
    public void Shm_open_gets_the_mode(int mode)
    {
        int descriptor = Interop.Libc.shm_open(_name,
            Interop.Flags.O_CREAT | Interop.Flags.O_EXCL | Interop.Flags.O_RDWR, (uint)mode);
        int error = Marshal.GetLastPInvokeError();
        Assert.True(descriptor != -1, $"errno {error}");
        using var segment = new Interop.UnixDescriptor(descriptor);

        Assert.Equal(Permissions.AfterUmask(mode), Permissions.Of("/dev/shm" + _name));
    }

    [Theory]
    [InlineData(0b110_100_000)]
    [InlineData(0b110_110_110)]
    [InlineData(0b110_000_000)]
    public void Open_gets_the_mode(int mode)
    {
        string path = _folder.PathOf("opened");
        int descriptor = Interop.Libc.open(path,
            Interop.Flags.O_CREAT | Interop.Flags.O_EXCL | Interop.Flags.O_RDWR | Interop.Flags.O_CLOEXEC, (uint)mode);
        int error = Marshal.GetLastPInvokeError();
        Assert.True(descriptor != -1, $"errno {error}");
        using var file = new Interop.UnixDescriptor(descriptor);

        Assert.Equal(Permissions.AfterUmask(mode), Permissions.Of(path));
    }

    [Theory]
    [InlineData(7)]
    [InlineData(0)]
    [InlineData(Interop.Flags.SEMVMX)]
    [InlineData(0x5555_5555_0000_0007)] // SETVAL is an int of union semun: the other half of the word does not count
    public void Semctl_gets_the_value(long argument)
    {
        WithSemaphoreSet(id =>
        {
            Assert.Equal(0, Interop.Libc.semctl(id, 0, Interop.Flags.SETVAL, (nint)argument));
            Assert.Equal((int)argument, Interop.Libc.semctl(id, 0, Interop.Flags.GETVAL));
        });
    }

    [Fact]
    public void Semctl_refuses_one_more_than_the_largest_value()
    {
        WithSemaphoreSet(id =>
        {
            Assert.Equal(-1, Interop.Libc.semctl(id, 0, Interop.Flags.SETVAL, Interop.Flags.SEMVMX + 1));
            Assert.Equal(Interop.Errno.ERANGE, Marshal.GetLastPInvokeError());
        });
    }

    private static void WithSemaphoreSet(Action<int> test)
    {
        const int IPC_PRIVATE = 0;
        int id = Interop.Libc.semget(IPC_PRIVATE, 1, Interop.Flags.IPC_CREAT | 0b110_000_000);
        int error = Marshal.GetLastPInvokeError();
        Assert.True(id != -1, $"errno {error}");
        try
        {
            test(id);
        }
        finally
        {
            Interop.Libc.semctl(id, 0, Interop.Flags.IPC_RMID);
        }
    }
}
