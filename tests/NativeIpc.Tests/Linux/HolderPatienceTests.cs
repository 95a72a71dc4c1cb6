using NativeIpc.Linux;
using Xunit;

namespace NativeIpc.Tests.Linux;

/// <summary>What counts against PeerTimeout while another process holds a file lock: a pure account, on a clock of the
/// test.</summary>
public class HolderPatienceTests
{
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(50);

    private static HolderSight Resting(string holder = "7", int worked = 0)
        => new(holder, IsRunnable: false, TimeSpan.FromMilliseconds(worked));

    private static HolderSight Runnable(string holder = "7", int worked = 0)
        => new(holder, IsRunnable: true, TimeSpan.FromMilliseconds(worked));

    private static HolderPatience Patience(TimeSpan? bound = null) => new(bound ?? s_bound);

    [Fact]
    public void A_holder_that_rests_is_waited_for_as_long_as_the_bound_says()
    {
        HolderPatience patience = Patience();
        for (int i = 0; i < 19; i++)
        {
            patience.Note(Resting(), s_look, isRead: true);
            Assert.False(patience.IsOver);
        }

        patience.Note(Resting(), s_look, isRead: true);
        Assert.True(patience.IsOver);
    }

    [Fact]
    public void A_holder_that_is_not_to_be_seen_is_waited_for_as_one_that_rests()
    {
        HolderPatience patience = Patience();
        for (int i = 0; i < 20; i++) patience.Note(default, s_look, isRead: true);
        Assert.True(patience.IsOver);
    }

    [Fact]
    public void A_holder_that_is_runnable_and_gets_no_processor_is_waited_for_without_an_end()
    {
        HolderPatience patience = Patience();
        for (int i = 0; i < 1_000_000; i++) patience.Note(Runnable(), s_look, isRead: true);
        Assert.False(patience.IsOver);
    }

    [Fact]
    public void A_holder_that_computes_is_waited_for_as_one_that_rests()
    {
        HolderPatience patience = Patience();
        for (int i = 0; i < 21; i++) patience.Note(Runnable(worked: i * 50), s_look, isRead: true);
        Assert.True(patience.IsOver);
    }

    [Fact]
    public void More_processors_than_one_do_not_count_more_than_the_time_that_passed()
    {
        HolderPatience patience = Patience();
        for (int i = 0; i < 20; i++) patience.Note(Runnable(worked: i * 5000), s_look, isRead: true);
        Assert.False(patience.IsOver);
        patience.Note(Runnable(worked: 100_000), s_look, isRead: true);
        Assert.True(patience.IsOver);
    }

    [Fact]
    public void The_time_of_a_holder_that_rests_now_and_then_adds_up()
    {
        HolderPatience patience = Patience();
        for (int i = 0; i < 19; i++)
        {
            patience.Note(Resting(), s_look, isRead: true);
            for (int j = 0; j < 100; j++) patience.Note(Runnable(), s_look, isRead: true);
        }

        Assert.False(patience.IsOver);
        patience.Note(Resting(), s_look, isRead: true);
        Assert.True(patience.IsOver);
    }

    [Fact]
    public void Each_holder_has_the_whole_bound_and_all_of_them_ten_times_that()
    {
        HolderPatience patience = Patience();
        int looks = 0;
        while (!patience.IsOver) patience.Note(Resting($"{looks++ % 2}"), s_look, isRead: true);
        Assert.Equal(200, looks);
    }

    // The first one has released the lock at once, and sleeps; readings come each five seconds.
    [Fact]
    public void What_a_former_holder_rests_between_two_readings_does_not_count_against_the_others()
    {
        HolderPatience patience = Patience();
        for (int reading = 0; reading < 100; reading++)
        {
            HolderSight seen = Resting($"{reading}");
            patience.Note(seen, s_look, isRead: true);
            Assert.False(patience.IsOver);
            for (int i = 0; i < 100; i++) patience.Note(seen, s_look, isRead: false);
            Assert.True(patience.IsOver); // if it still is the holder
        }
    }

    [Fact]
    public void What_a_holder_rests_between_two_readings_counts_when_the_second_one_shows_it()
    {
        HolderPatience patience = Patience();
        patience.Note(Resting(), s_look, isRead: true);
        for (int i = 0; i < 18; i++) patience.Note(Resting(), s_look, isRead: false);
        patience.Note(Resting(), TimeSpan.Zero, isRead: true);
        Assert.False(patience.IsOver);
        patience.Note(Resting(), s_look, isRead: true);
        Assert.True(patience.IsOver);
        patience.Note(Resting("8"), TimeSpan.Zero, isRead: true);
        Assert.False(patience.IsOver);
    }

    [Fact]
    public void A_free_lock_between_two_holders_begins_the_count_anew()
    {
        HolderPatience patience = Patience();
        for (int i = 0; i < 19; i++) patience.Note(Resting(), s_look, isRead: true);
        patience.Note(default, s_look, isRead: true);
        for (int i = 0; i < 19; i++) patience.Note(Resting(), s_look, isRead: true);
        Assert.False(patience.IsOver);
    }

    [Fact]
    public void Who_comes_to_look_late_counts_no_more_than_two_pauses()
    {
        HolderPatience patience = Patience();
        for (int i = 0; i < 9; i++) patience.Note(Resting(), TimeSpan.FromHours(1), isRead: true);
        Assert.False(patience.IsOver);
        patience.Note(Resting(), TimeSpan.FromHours(1), isRead: true);
        Assert.True(patience.IsOver);
    }

    [Fact]
    public void A_process_that_has_got_the_number_of_the_holder_does_not_shorten_the_count()
    {
        HolderPatience patience = Patience();
        for (int i = 0; i < 10; i++) patience.Note(Runnable(worked: i * 50), s_look, isRead: true);
        patience.Note(Runnable(worked: 0), s_look, isRead: true);
        for (int i = 0; i < 10; i++) patience.Note(Runnable(worked: i * 50), s_look, isRead: true);
        Assert.False(patience.IsOver);
    }

    [Theory]
    [InlineData(20, 2)]
    [InlineData(100, 10)]
    [InlineData(1000, 50)]
    [InlineData(60_000, 50)]
    [InlineData(-1, 50)]
    public void The_shorter_the_bound_the_more_often_is_looked(int bound, int pause)
        => Assert.Equal(TimeSpan.FromMilliseconds(pause), Patience(TimeSpan.FromMilliseconds(bound)).NextLook);

    [Fact]
    public void An_infinite_bound_is_never_over()
    {
        HolderPatience patience = Patience(Timeout.InfiniteTimeSpan);
        for (int i = 0; i < 1000; i++) patience.Note(Resting(), TimeSpan.FromHours(1), isRead: true);
        Assert.False(patience.IsOver);
        patience = Patience(TimeSpan.MaxValue);
        for (int i = 0; i < 1000; i++) patience.Note(Resting($"{i % 2}"), TimeSpan.FromHours(1), isRead: true);
        Assert.False(patience.IsOver);
    }

    [Theory]
    [InlineData("12 (a) R) S 1 12 12 0 -1 4194304 5 0 0 0 130 70 0 0 20 0 9 0 5", 'S', 2000)]
    [InlineData("12 (x) R 1 12 12 0 -1 4194304 5 0 0 0 0 1 0 0 20 0 9 0 5", 'R', 10)]
    public void State_and_time_are_read_from_what_the_kernel_writes(string line, char state, int milliseconds)
    {
        Assert.True(FileLockHolder.TryParse(line, out char seen, out TimeSpan processor));
        Assert.Equal((state, TimeSpan.FromMilliseconds(milliseconds)), (seen, processor));
    }

    [Theory]
    [InlineData("")]
    [InlineData("12 (x) R 1")]
    public void A_line_that_is_none_shows_nothing(string line)
        => Assert.False(FileLockHolder.TryParse(line, out _, out _));

    [Fact]
    public void The_holder_is_found_and_not_who_waits()
    {
        string[] lines =
        [
            "1: POSIX  ADVISORY  WRITE 11 00:1b:77 0 EOF",
            "2: FLOCK  ADVISORY  WRITE 12 00:1b:770 0 EOF",
            "3: FLOCK  ADVISORY  WRITE 13 00:1b:77 0 EOF",
            "3: -> FLOCK  ADVISORY  WRITE 14 00:1b:77 0 EOF",
        ];
        Assert.Equal("13", FileLockHolder.Find(lines, 77));
        Assert.Null(FileLockHolder.Find(lines, 7));
    }

    [Theory]
    [InlineData(0, 0x1b, 77, true)]
    [InlineData(0, 0x1b, 770, false)] // exclusive
    [InlineData(0, 0x1b, 78, false)] // waits for it
    [InlineData(0, 0x1b, 79, false)] // no flock(2)
    [InlineData(0, 0x1c, 77, false)] // of another device
    [InlineData(0x103, 2, 5767, true)]
    public void A_shared_lock_is_told_from_others(ulong major, ulong minor, ulong inode, bool isShared)
    {
        string[] lines =
        [
            "1: FLOCK  ADVISORY  WRITE 12 00:1b:770 0 EOF",
            "2: FLOCK  ADVISORY  READ 12 00:1b:77 0 EOF",
            "2: -> FLOCK  ADVISORY  READ 14 00:1b:78 0 EOF",
            "3: POSIX  ADVISORY  READ 11 00:1b:79 0 EOF",
            "4: FLOCK  ADVISORY  READ 15 103:02:5767 0 EOF",
        ];
        Assert.Equal(isShared, FileLockHolder.IsShared(lines, new((major << 32) | minor, inode)));
    }
}
