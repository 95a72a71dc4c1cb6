using NativeIpc.Interop.Unix;
using NativeIpc.Posix.Names;
using NativeIpc.Posix.Semaphores;
using Xunit;

namespace NativeIpc.Tests.Posix;

/// <summary>What sem_open has made gets its mode by its name, which may be another file's by then.</summary>
public sealed class DressByNameTests : IDisposable
{
    private const UnixFileMode OwnersOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode Everybodys = OwnersOnly | UnixFileMode.GroupRead | UnixFileMode.GroupWrite
        | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;

    private readonly NativeIpcKey _key = new($"/nipc-{Guid.NewGuid():N}", NativeIpcKeyType.PosixRealtime);
    private readonly string _path;
    private readonly nint _opened = Libc.SEM_FAILED;

    public DressByNameTests()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && Directory.Exists("/dev/shm"), "Semaphores are files of Linux.");
        _path = PosixNames.SemaphoreFile(PosixNames.Native(_key));
        _opened = Libc.sem_open(PosixNames.Native(_key), Flags.O_CREAT | Flags.O_EXCL, (uint)OwnersOnly, 1);
        Assert.NotEqual(Libc.SEM_FAILED, _opened);
    }

    public void Dispose()
    {
        if (_opened == Libc.SEM_FAILED) return;
        _ = Libc.sem_close(_opened);
        File.Delete(_path);
    }

    private FileStatus Named()
    {
        Assert.Equal(0, PosixNames.StatusOf(_key, IpcObjectKind.SystemSemaphore, out FileStatus named));
        return named;
    }

    [Fact]
    public void Its_own_file_gets_the_mode_and_is_told()
    {
        Assert.Equal(Named().Identity, PosixSemaphores.DressByName(_key, _opened, Everybodys));
        Assert.Equal(Everybodys, (UnixFileMode)Named().Permissions);
    }

    [Fact]
    public void A_file_that_took_the_name_meanwhile_is_neither_changed_nor_taken_for_its_own()
    {
        Assert.Equal(0, Libc.sem_unlink(PosixNames.Native(_key)));
        File.WriteAllBytes(_path, new byte[Layout.SizeOfSemT]);
        File.SetUnixFileMode(_path, OwnersOnly);
        Assert.NotEqual(Named().Identity, PosixSemaphores.DressByName(_key, _opened, Everybodys));
        Assert.Equal((uint)OwnersOnly, Named().Permissions);
        Assert.NotEqual(Named().Identity, PosixSemaphores.DressByName(_key, _opened, OwnersOnly));
    }

    [Fact]
    public void Without_a_file_there_is_nothing_to_change()
    {
        Assert.Equal(0, Libc.sem_unlink(PosixNames.Native(_key)));
        _ = PosixSemaphores.DressByName(_key, _opened, Everybodys);
        Assert.False(File.Exists(_path));
    }
}
