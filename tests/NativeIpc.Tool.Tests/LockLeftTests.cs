using Xunit;

namespace NativeIpc.Tool.Tests;

/// <summary><c>--lock</c> and <c>--robust</c> at a semaphore of count 0 that nobody has open: a killed Qt or C program
/// leaves its lock so, and a C program that means no lock leaves its semaphore so on purpose.</summary>
[NeedsRoot(Alone.Why)]
public sealed class LockLeftTests
{
    // What sem_open("/same", O_CREAT, 0600, 0) leaves.
    private const string Left = "printf abcdefgh > /dev/shm/same; head -c 32 /dev/zero > /dev/shm/sem.same; "
        + "cp /dev/shm/sem.same before; echo new > in\n";

    // Prints the exit code. On a busy machine the look at all processes is given up after three seconds, and the
    // message says so: then again.
    private const string Refused = """
        refused() { until "$@" 2> said; code=$?; ! grep -q 'says who holds it' said; do :; done; echo $code; }

        """;

    public LockLeftTests() => Alone.Require();

    [Theory]
    [InlineData("read posix:/same")]
    [InlineData("write posix:/same -s new")]
    [InlineData("dump posix:/same out")]
    [InlineData("dump posix:/same -")]
    [InlineData("restore posix:/same in")]
    public void Such_a_lock_is_not_taken_over_but_waited_for_and_the_user_is_told(string line)
    {
        string output = Alone.Run(Alone.SeesAll + Left + Refused + $"""
            echo "code $(refused $N {line} --lock -w 0)"; grep -c "'nipc release posix:/same'" said
            echo "code $(refused $N {line} --lock -w 2)"; grep -c 'no process is seen to have it open' said
            cmp before /dev/shm/sem.same; cat /dev/shm/same; echo; ls out 2> /dev/null
            rm said; $N {line} --lock > /dev/null 2> said &
            until grep -qs 'no process is seen' said; do :; done
            $N release posix:/same; wait $!; echo "code $?"; $N value posix:/same
            """).Output;
        Assert.Equal("code 1\n1\ncode 1\n1\nabcdefgh\ncode 0\n1\n", output);
    }

    /// <summary>A Qt or C program, which makes no record.</summary>
    [Fact]
    public void Nobody_is_told_to_release_what_a_living_process_holds_in_System_V()
        => Assert.Equal("1\n0\n1\n1\n1\n0", Alone.Succeed(Refused + """
            mkfifo go; K=systemv:$PWD/key; $N create shm $K 64 > /dev/null; $N write $K --lock -s x
            perl -e 'semop(0, pack(q(s3), 0, -1, 0)) or die; $|=1; print qq(held\n); <STDIN>' < go > held & holder=$!
            exec 9> go; until grep -q held held; do :; done
            $N write $K --lock -w 300ms -s y 2> said; echo $?; grep -c release said || true
            grep -c "'nipc show $K' says who" said
            kill $holder; wait $holder
            refused $N write $K --lock -w 0 -s y
            grep -c "operated on it last, $holder, has ended.* If no other one holds it, 'nipc release $K'" said
            $N release $K; $N write $K --lock -w 60 -s y; echo $?
            """));

    [Theory]
    [InlineData("unshare --pid --fork --mount-proc $N")]
    [InlineData("setpriv --reuid 65534 --regid 65534 --clear-groups $N")]
    public void Where_not_every_process_is_seen_it_is_unknown_whether_one_holds_the_lock(string nipc)
        => Assert.Equal("1\n1\n0\n1\n1\n0", Alone.Succeed(Left + Refused + $"""
            chmod 666 /dev/shm/*; as_user true; exec 9<> /dev/shm/sem.same; sleep 1000 & holder=$!; exec 9<&-
            for wait in 0 2; do
                refused {nipc} write posix:/same -O -s new --lock -w $wait
                grep -c 'It is unknown whether one that cannot be seen from here holds it' said
                grep -c release said || true
            done
            kill $holder
            """));

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
