using NativeIpc.Linux;
using NativeIpc.Posix.Names;
using NativeIpc.SystemV;
using Xunit;

namespace NativeIpc.Tests.Linux;

/// <summary>What the numbers of Unix mean, also those that no call can be brought to give here.</summary>
public class UnixErrorTests
{
    private static readonly NativeIpcKey s_posix = new("/x", NativeIpcKeyType.PosixRealtime);
    private static readonly NativeIpcKey s_systemV = new("/tmp/no-such-folder/x", (NativeIpcKeyType)0x51);

    /// <summary>The numbers of Linux that the man pages of the calls name: see
    /// tests/NativeIpc.Faults/Errors.cs.</summary>
    private static readonly int[] s_named =
        [1, 2, 4, 5, 6, 7, 9, 11, 12, 13, 16, 17, 18, 19, 20, 21, 22, 23, 24, 26, 27, 28, 30, 31, 34, 35, 36, 37, 38,
            40, 43, 75, 95, 110, 122];

    public static TheoryData<int> Named { get; } = [.. s_named];

    [Theory]
    [MemberData(nameof(Named))]
    [NeedsLinux("Has the numbers of Linux.")]
    public void No_number_of_a_man_page_is_unknown(int number)
    {
        const string attempt = "use it", call = "call";
        NativeIpcException[] all =
        [
            PosixErrors.Open(attempt, s_posix, call, number), PosixErrors.Create(attempt, s_posix, call, number),
            PosixErrors.Reserve(attempt, s_posix, call, number),
            PosixErrors.Resize(attempt, s_posix, call, number, 1), PosixErrors.Write(attempt, s_posix, number),
            PosixErrors.Group(attempt, s_posix, "g", number),
            PosixErrors.Map(attempt, s_posix, number, 1), PosixErrors.Unlink(attempt, s_posix, call, number),
            PosixErrors.Unknown(attempt, s_posix, call, number),
            SystemVErrors.KeyFile(attempt, s_systemV, call, number), SystemVErrors.MakeKeyFile(attempt, s_systemV,
                call, number),
            SystemVErrors.GiveKeyFile(attempt, s_systemV, number), SystemVErrors.RemoveKeyFile(attempt, s_systemV,
                call, number),
            SystemVErrors.CreateSegment(attempt, s_systemV, number, 1), SystemVErrors.UseSegment(attempt, s_systemV,
                call, number),
            SystemVErrors.Remove(attempt, s_systemV, call, number), SystemVErrors.Give(attempt, s_systemV,
                call, number),
            SystemVErrors.GetSemaphore(attempt, s_systemV, number, 1), SystemVErrors.UseSemaphore(attempt, s_systemV,
                call, number),
        ];
        foreach (NativeIpcException failure in all)
        {
            Assert.NotEqual(NativeIpcError.Unknown, failure.Error);
            Assert.Equal(number, failure.NativeErrorCode);
            Assert.DoesNotContain("in the manual", failure.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    [NeedsLinux("Has the numbers of Linux.")]
    public void A_number_that_no_man_page_names_is_kept_and_not_guessed()
    {
        (NativeIpcError error, string remedy) = UnixErrors.Explain("flock", 133);
        Assert.Equal(NativeIpcError.Unknown, error);
        Assert.Equal("See flock in the manual for error 133.", remedy);
    }

    /// <summary>The command in a message removes what it was said of, whatever the name is made of.</summary>
    [Theory]
    [InlineData("/tmp/a (b)", "'systemv:/tmp/a (b)'")]
    [InlineData("/tmp/a (b) (c)", "'systemv:/tmp/a (b) (c)'")]
    [InlineData("/tmp/plain", "systemv:/tmp/plain")]
    [NeedsLinux("Has the numbers of Linux, where nipc removes.")]
    public void The_command_that_removes_a_leftover_names_it(string path, string typed)
    {
        var key = new NativeIpcKey(path, (NativeIpcKeyType)0x51);
        string said = SystemVErrors.CreateSegment("make it", key, 17, 1).Message;
        Assert.Contains($"with Remove (or 'nipc rm -k shm {typed}').", said, StringComparison.Ordinal);
        said = SystemVErrors.CreateSegment("make it", key, 13, 1).Message;
        Assert.Contains($"remove it ('nipc rm -k shm {typed}'), or use", said, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("futex")]
    [InlineData("sem_trywait")]
    [InlineData("sem_clockwait")]
    [InlineData("sem_timedwait")]
    [InlineData("sem_post")]
    [InlineData("sem_getvalue")]
    [InlineData("sem_init")]
    [InlineData("semget")]
    [InlineData("semop")]
    [InlineData("shmget")]
    [InlineData("shmctl")]
    [NeedsLinux("Has the numbers of Linux.")]
    public void What_fails_without_a_file_does_not_blame_a_file_system(string call)
    {
        string[] words = ["file system", "descriptor does not", "path", "/dev/shm", "tmpfs", "key files", "a file be"];
        foreach (int number in s_named)
        {
            (NativeIpcError error, string remedy) = UnixErrors.Explain(call, number);
            Assert.NotEqual(NativeIpcError.Unknown, error);
            Assert.All(words, word => Assert.DoesNotContain(word, remedy, StringComparison.OrdinalIgnoreCase));
        }

        Assert.Contains("tmpfs", UnixErrors.Explain("flock", 22).Remedy, StringComparison.Ordinal);
        Assert.Contains("written over it", UnixErrors.Explain("futex", 22).Remedy, StringComparison.Ordinal);
    }

    /// <summary>The last one to detach goes on without the lock where there is none to be had, and only
    /// there.</summary>
    [Fact]
    [NeedsLinux("Has the numbers of Linux.")]
    public void A_failure_that_says_nothing_of_the_lock_does_not_let_a_segment_be_removed_without_it()
    {
        const string attempt = "remove it";
        foreach (int number in (int[])[5, 9, 22, 95])
        {
            foreach (string call in (string[])["flock", "statx"])
                Assert.False(SystemVDetach.IsNoLockToBeHad(SystemVErrors.Unknown(attempt, s_systemV, call, number)));
        }

        Assert.False(SystemVDetach.IsNoLockToBeHad(SystemVErrors.KeyFile(attempt, s_systemV, "open", 5)));
        Assert.False(SystemVDetach.IsNoLockToBeHad(SystemVErrors.KeyFile(attempt, s_systemV, "open", 13)));
        foreach (int number in (int[])[2, 12, 20, 23, 24, 28, 122])
            Assert.True(SystemVDetach.IsNoLockToBeHad(SystemVErrors.MakeKeyFile(attempt, s_systemV, "open", number)));
        foreach (int number in (int[])[12, 22, 28])
            Assert.True(SystemVDetach.IsNoLockToBeHad(SystemVErrors.GetSemaphore(attempt, s_systemV, number, 2)));
    }

    /// <summary>musl's sem_open gives EMFILE also when its table of 256 semaphores is full.</summary>
    [Fact]
    public void Too_many_semaphores_of_musl_names_its_limit_and_what_helps()
    {
        string said = PosixErrors.WhyTooMany("sem_open", isMusl: true);
        Assert.Contains("256, SEM_NSEMS_MAX", said, StringComparison.Ordinal);
        Assert.Contains("ulimit -n", said, StringComparison.Ordinal);
        Assert.Contains("dispose what is not used", said, StringComparison.Ordinal);
        Assert.DoesNotContain("SEM_NSEMS_MAX", PosixErrors.WhyTooMany("sem_open", isMusl: false),
            StringComparison.Ordinal);
        Assert.DoesNotContain("SEM_NSEMS_MAX", PosixErrors.WhyTooMany("open", isMusl: true), StringComparison.Ordinal);
    }
}
