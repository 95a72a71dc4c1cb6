using Xunit;

namespace NativeIpc.Tool.Tests;

/// <summary>What <c>nipc doctor</c> calls normal, what it cannot see, and what it says of that: in namespaces of its
/// own.</summary>
public class DoctorSightTests
{
    private const string Open = "$N create shm posix:/x 100 -m 666 > /dev/null\n";
    private const string AsUser = "setpriv --reuid 65534 --regid 65534 --clear-groups";

    public DoctorSightTests() => Alone.Require();

    [Theory]
    [InlineData("$i = shmget(0, 4096, 01600); syscall(30, $i, 0, 0); shmctl($i, 0, 0)")] // marked in use: X11, fio
    // IPC_PRIVATE: its users have the id from its maker
    [InlineData("$i = shmget(0, 4096, 01600); syscall(30, $i, 0, 0)")]
    [InlineData("open(F, '+>', '/dev/shm/gone'); print F 'x' x 4096; unlink '/dev/shm/gone'")]
    [InlineData("open(F, '+>', '/dev/shm/app.lck'); flock(F, 2)")]
    [InlineData("open(F, '+>', '/dev/shm/sem.u32'); syswrite(F, 'x' x 16)")]
    [InlineData("$s = semget(0, 3, 01600)")]
    public void A_normal_state_is_neither_a_warning_nor_advised_to_be_removed(string state)
    {
        ShellResult result = Run(While(state, "$N doctor --all --fix; echo ended with $?"));
        Assert.Contains("0 errors, 0 warnings", result.Succeeded, StringComparison.Ordinal);
        Assert.Contains("ended with 0", result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("estart its users", result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("$ nipc rm", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    [NeedsRoot(Alone.Why)]
    public void Files_without_a_name_are_told_while_they_fill_the_folder()
    {
        ShellResult result = Run("mount -o remount,size=1m /dev/shm || exit 99\n"
            + While("open(F, '+>', '/dev/shm/gone'); syswrite(F, 'x' x 1048576); unlink '/dev/shm/gone'",
                "$N doctor --all"));
        Assert.Contains(
            "info     1 objects of /dev/shm have no name any more and are in use, with 1048576 bytes together.",
            result.Output, StringComparison.Ordinal);
    }

    [Fact]
    [NeedsRoot(Alone.Why)]
    public void A_folder_that_is_read_only_is_an_error_and_nothing_in_it_is_advised_to_be_removed()
    {
        ShellResult result = Run(
            "echo abc > /dev/shm/sem.x; echo abc > /dev/shm/unused; mount -o remount,ro /dev/shm || exit 99\n$N "
                + "doctor --all; echo \"ended with $?\"");
        Assert.Contains("error    /dev/shm is read-only", result.Output, StringComparison.Ordinal);
        Assert.Contains("$ mount -o remount,rw /dev/shm", result.Output, StringComparison.Ordinal);
        Assert.Contains("ended with 1", result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("nipc rm", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    [NeedsRoot(Alone.Why)]
    public void Root_that_may_not_look_at_every_process_is_not_told_to_be_root()
    {
        const string less = "setpriv --bounding-set -sys_ptrace --inh-caps -sys_ptrace";
        ShellResult result = Run(Open + While("open(F, '+<', '/dev/shm/x')", $"{less} $N doctor --all"));
        Assert.Contains("may not be looked at", result.Output, StringComparison.Ordinal);
        Assert.Contains("CAP_SYS_PTRACE", result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("Run as root", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    [NeedsRoot(Alone.Why)]
    public void Root_in_a_namespace_of_its_own_is_told_so_once_and_is_not_to_get_what_it_has()
    {
        string output = Run(Open + "mkdir /dev/shm/d && mount -t tmpfs tmpfs /dev/shm/d || exit 99\n"
            + "unshare --pid --fork --mount-proc $N doctor --all").Output;
        Assert.Equal(1, Count(output, "PID namespace"));
        Assert.Contains("One folder in /dev/shm could not be looked into", output, StringComparison.Ordinal);
        Assert.Equal(0, Count(output, "CAP_SYS_PTRACE"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("mount -t proc -o hidepid=2 proc /proc || exit 99")]
    [NeedsRoot(Alone.Why)]
    public void Processes_that_are_not_seen_are_told_once_where_they_may_matter(string setUp)
    {
        ShellResult result = Run($"{setUp}\n{Open}"
            + While("open(F, '+<', '/dev/shm/x')", $"{AsUser} $N list; {AsUser} $N doctor"));
        string note = setUp.Length > 0 ? "Processes are hidden from this user" : "may not be looked at by this user";
        Assert.Equal(1, Count(result.Error, note));
        Assert.Equal(1, Count(result.Output, note));
        Assert.Contains("Run as root", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    [NeedsRoot(Alone.Why)]
    public void Processes_that_are_not_seen_are_not_told_where_nobody_can_be_missed()
    {
        Assert.DoesNotContain("this user", Run("as_user $N list").Error, StringComparison.Ordinal);

        // Of this user's own object, too, only a lease would tell, which a look does not take.
        Assert.Contains("this user", Run("as_user $N create shm posix:/mine 10; as_user $N list").Error,
            StringComparison.Ordinal);
    }

    [Fact]
    [NeedsRoot(Alone.Why)]
    public void Key_files_are_looked_for_in_the_folders_that_are_given()
    {
        ShellResult result = Run(Alone.KeysOfOwnDevice
            + "$N create shm \"systemv:$PWD/keys/x\" 100 > /dev/null; $N doctor --all; echo ==; $N doctor --all "
            + "--folder \"$PWD/keys\"; $N rm \"systemv:$PWD/keys/x\"");
        string[] said = result.Succeeded.Split("==\n");
        Assert.Contains("The segment 0x51", said[0], StringComparison.Ordinal);
        Assert.Contains("The segment systemv:/", said[1], StringComparison.Ordinal);
    }

    /// <summary>Commands that run while a perl has made something and has it still.</summary>
    private static string While(string state, string commands)
        => $"STATE={Quote(state)} exec perl -e 'eval $ENV{{STATE}}; $@ and die; exit(system(@ARGV) >> 8)' sh "
            + $"-c {Quote(commands)}\n";

    private static string Quote(string text) => $"'{text.Replace("'", "'\\''", StringComparison.Ordinal)}'";

    private static int Count(string text, string part) => text.Split(part).Length - 1;

    private static ShellResult Run(string script)
    {
        ShellResult result = Alone.Run(script);
        Assert.SkipWhen(result.ExitCode == 99, $"This container does not let the machine be made so: {result.Error}");
        return result;
    }
}
