using System.Diagnostics;
using System.Globalization;
using NativeIpc.Interop.Unix;
using NativeIpc.Linux;
using Xunit;

namespace NativeIpc.Tests.Linux;

/// <summary>Waits for a file lock whose holder sleeps end by PeerTimeout, but none before a reading of /proc/locks that
/// is younger than that; one reading serves all. The test says what is read, and when it is too early to.</summary>
[NeedsLinux("/proc/locks is Linux's.")]
public sealed class FileLockTests : IDisposable
{
    private const int Waiters = 4;

    // Each look of a wait asks for a reading, and each counts a tenth of PeerTimeout at least.
    private const int LooksUntilOver = 12;

    private static readonly TimeSpan s_peerTimeout = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan s_watchdog = Patience.Seconds(60);

    private readonly string _path = Path.GetTempFileName();
    private readonly UnixDescriptor _held;
    private readonly Process[] _holders = [Process.Start("sleep", "1000"), Process.Start("sleep", "1000")];
    private readonly LockTable _table;
    private readonly Dictionary<int, int> _asked = [];
    private volatile int _holder; // the number of the process that the table shows
    private volatile int _readings;
    private bool _hasJustRead;

    public FileLockTests()
    {
        _held = Open();
        Assert.Equal(0, FileLock.Take(Number(_held), TimeSpan.Zero, out _));
        _holder = _holders[1].Id;
        _table = new LockTable(Read, Clock);
    }

    public void Dispose()
    {
        foreach (Process holder in _holders)
        {
            holder.Kill();
            holder.Dispose();
        }

        _held.Dispose();
        File.Delete(_path);
    }

    [Fact]
    public void One_last_reading_ends_the_waits_of_all_threads()
    {
        Thread[] waiters = Begin(out int[] answers);
        AwaitLooks(waiters);
        Assert.Equal(2, _readings); // it was too early for another
        Assert.All(waiters, waiter => Assert.True(waiter.IsAlive, "A wait ended without a last reading."));

        _table.Now();

        Assert.All(waiters, waiter => Assert.True(waiter.Join(s_watchdog), "A wait did not end."));
        Assert.Equal(3, _readings);
        Assert.All(answers, answer => Assert.Equal(Errno.EAGAIN, answer));
    }

    [Fact]
    public void A_last_reading_that_shows_another_holder_begins_the_waits_anew()
    {
        Thread[] waiters = Begin(out int[] answers);
        AwaitLooks(waiters);

        _holder = _holders[1].Id;
        _table.Now();
        AwaitLooks(waiters);
        Assert.Equal(3, _readings);
        Assert.All(waiters, waiter => Assert.True(waiter.IsAlive, "A new holder was not waited for."));

        _table.Now();
        Assert.All(waiters, waiter => Assert.True(waiter.Join(s_watchdog), "A wait did not end."));
        Assert.Equal(4, _readings);
        Assert.All(answers, answer => Assert.Equal(Errno.EAGAIN, answer));
    }

    /// <summary>Begins the waits, of which each knows the holder then: the first of them has read the table, and this
    /// reads it again when all have begun. On a busy machine the first one's patience may be over before the last one
    /// begins, so the second reading shows another holder, with which each count begins anew.</summary>
    private Thread[] Begin(out int[] answers)
    {
        int[] told = answers = new int[Waiters];
        var waiters = new Thread[Waiters];
        for (int i = 0; i < Waiters; i++)
        {
            int which = i;
            waiters[i] = new Thread(() =>
            {
                LockTable.t_instead = _table;
                using UnixDescriptor file = Open();
                told[which] = FileLock.Take(Number(file), s_peerTimeout, out _);
            }) { IsBackground = true };
            waiters[i].Start();
        }

        AwaitLooks(waiters, 1);
        _holder = _holders[0].Id;
        _table.Now();
        return waiters;
    }

    /// <summary>Waits until each thread has asked so often from now on, as a rule so that its patience is
    /// over.</summary>
    private void AwaitLooks(Thread[] waiters, int looks = 2 * LooksUntilOver)
    {
        lock (_asked) _asked.Clear();
        Assert.True(SpinWait.SpinUntil(
            () =>
            {
                lock (_asked)
                    return Array.TrueForAll(waiters,
                        waiter => _asked.GetValueOrDefault(waiter.ManagedThreadId) >= looks);
            }, s_watchdog), "The waits do not look.");
    }

    private UnixDescriptor Open()
    {
        var file = new UnixDescriptor(Libc.open(_path, Flags.O_RDWR | Flags.O_CLOEXEC, 0));
        Assert.False(file.IsInvalid);
        return file;
    }

    private static int Number(UnixDescriptor file) => (int)file.DangerousGetHandle();

    private string[] Read()
    {
        _readings++;
        _hasJustRead = true;
        Assert.Equal(0, Libc.Status(Number(_held), out FileStatus status));
        return [string.Create(CultureInfo.InvariantCulture,
            $"1: FLOCK  ADVISORY  WRITE {_holder} 00:01:{status.Identity.Inode} 0 EOF")];
    }

    /// <summary>A reading seems to last an hour, so the next one is due long after the test.</summary>
    private long Clock()
    {
        if (_hasJustRead)
        {
            _hasJustRead = false;
            return Stopwatch.GetTimestamp() + (3600 * Stopwatch.Frequency);
        }

        int thread = Environment.CurrentManagedThreadId;
        lock (_asked) _asked[thread] = _asked.GetValueOrDefault(thread) + 1;
        return Stopwatch.GetTimestamp();
    }
}
