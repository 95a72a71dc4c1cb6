using Xunit;

namespace NativeIpc.Tool.Tests;

/// <summary><c>--lock</c> and <c>--robust</c> at a semaphore of count 0 that nobody has open: a killed Qt or C program
/// leaves its lock so, and a C program that means no lock leaves its semaphore so on purpose.</summary>
public sealed class LockLeftTests
{
    // What sem_open("/same", O_CREAT, 0600, 0) leaves.
    private const string Left = "printf abcdefgh > /dev/shm/same; head -c 32 /dev/zero > /dev/shm/sem.same; "
        + "cp /dev/shm/sem.same before; echo new > in\n";

    public LockLeftTests() => Alone.Require();

    [Theory]
    [InlineData("read posix:/same")]
    [InlineData("write posix:/same -s new")]
    [InlineData("dump posix:/same out")]
    [InlineData("dump posix:/same -")]
    [InlineData("restore posix:/same in")]
    public void Such_a_lock_is_not_taken_over_but_waited_for_and_the_user_is_told(string line)
    {
        string output = Alone.Run(Left + $"""
            $N {line} --lock -w 0 2> said; echo "code $?"; grep -c "'nipc release posix:/same'" said
            $N {line} --lock -w 400ms 2> said; echo "code $?"; grep -c 'no process is seen to have it open' said
            cmp before /dev/shm/sem.same; cat /dev/shm/same; echo; ls out 2> /dev/null
            $N {line} --lock > /dev/null 2> said &
            until grep -q 'nipc release' said; do :; done
            $N release posix:/same; wait $!; echo "code $?"; $N value posix:/same
            """).Output;
        Assert.Equal("code 1\n1\ncode 1\n2\nabcdefgh\ncode 0\n1\n", output);
    }

    [Fact]
    public void A_robust_run_waits_at_such_a_semaphore()
        => Assert.Equal("1\n2", Alone.Succeed(Left + """
            $N run --sem posix:/same --robust -w 400ms echo ran; echo $?
            $N release posix:/same && $N run --sem posix:/same --robust -w 60 echo 2
            """));

    [Theory]
    [InlineData("write --lock posix:/same -s new -w 60", "1")]
    [InlineData("run --sem posix:/same --robust -w 60 true", "1")]
    public void A_recorded_holder_that_was_killed_is_taken_over_from(string line, string left)
    {
        string output = Alone.Succeed($$"""
            truncate -s 1M /dev/shm/same; mkfifo out
            $N read --lock --raw posix:/same > out & reader=$!
            exec 9< out; head -c 1 <&9 > /dev/null; kill -9 $reader; wait $reader 2> /dev/null
            $N {{line}} || echo "code $?"; $N value posix:/same
            """);
        Assert.Equal(left, output);
    }

    [Fact]
    public void One_that_another_process_has_open_is_waited_for_as_any()
        => Assert.Equal("1\n1", Alone.Succeed(Left + """
            exec 9<>/dev/shm/sem.same
            $N write posix:/same -s new --lock -w 300ms 2> said; echo $?
            grep -c "'nipc show posix:/same' says who" said
            """));
}
