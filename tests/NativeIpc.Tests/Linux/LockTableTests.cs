using NativeIpc.Linux;
using Xunit;

namespace NativeIpc.Tests.Linux;

/// <summary>A reading of /proc/locks holds up every file lock of the machine, so there are few.</summary>
public class LockTableTests
{
    private readonly LockTable _table;
    private long _now = 1000;
    private long _cost = 30;
    private int _readings;

    public LockTableTests() => _table = new LockTable(Read, () => _now);

    private string[] Read()
    {
        _now += _cost;
        return [$"{++_readings}"];
    }

    [Fact]
    public void It_is_read_when_somebody_wants_to_know()
    {
        Assert.Equal(["1"], _table.After(_now)!.Lines);
        Assert.Equal(1, _readings);
    }

    [Fact]
    public void Readings_take_one_part_in_twenty_of_the_time()
    {
        long end = _now + 100_000;
        for (; _now < end; _now++) _table.After(_now);
        Assert.InRange(_readings * _cost, 100_000 / (LockTable.Share + 2), 100_000 / LockTable.Share);
    }

    [Fact]
    public void A_slow_reading_is_followed_by_a_longer_rest()
    {
        _cost = 500;
        _table.After(_now);
        _now += 500 * LockTable.Share - 1;
        Assert.Null(_table.After(_now));
        _now++;
        Assert.NotNull(_table.After(_now));
    }

    [Fact]
    public void A_wait_that_began_before_a_reading_shares_it()
    {
        long began = _now;
        LockTable.Reading first = _table.After(_now)!;
        Assert.Equal(began, first.Taken);
        Assert.Same(first, _table.After(began - 1));
        Assert.Null(_table.After(began)); // it may not show what happened at that moment
    }

    [Fact]
    public void Who_is_about_to_fail_gets_a_new_reading()
    {
        _table.After(_now);
        Assert.Equal(["2"], _table.Now().Lines);
        Assert.Equal(["3"], _table.Now().Lines);
    }
}
