using System.Diagnostics;
using NativeIpc.Platform;

namespace NativeIpc.Linux;

/// <summary>Readings of /proc/locks, the table of proc_locks(5), for which every process of the machine pays.</summary>
/// <remarks>While one process reads it, the kernel lets no process take or give back a flock(2) or an fcntl(2) lock,
/// also while the reader waits for a processor: 0.3 to 0.5 s for each reading at a load of 90 (Linux 6.18). So the
/// threads of this process together spend at most one part in <see cref="Share"/> of the time in it, and share what
/// they read. Thread-safe.</remarks>
/// <param name="read">Reads the lines.</param>
/// <param name="clock">The moment, in any unit.</param>
internal sealed class LockTable(Func<string[]> read, Func<long> clock)
{
    internal const int Share = 20;
    private readonly Lock _gate = new();
    private Reading _last = new(long.MinValue, []);
    private long _next = long.MinValue;

    /// <param name="Taken">When it began.</param>
    /// <param name="Lines">The lines of the table.</param>
    internal sealed record Reading(long Taken, string[] Lines);

    private static readonly LockTable s_ofProcess = new(static () => SystemText.Lines("/proc/locks"),
        Stopwatch.GetTimestamp);

    /// <summary>What a test has this thread read instead.</summary>
    [ThreadStatic]
    internal static LockTable? t_instead;

    /// <summary>That of this process, by the clock of <see cref="Stopwatch"/>.</summary>
    public static LockTable OfProcess => t_instead ?? s_ofProcess;

    /// <summary>A reading that began later than a moment; null when there is none, and it is too early for
    /// another.</summary>
    public Reading? After(long moment)
    {
        if (!_gate.TryEnter()) return null; // another thread reads: the next look finds what it read
        try
        {
            if (_last.Taken > moment) return _last;
            return clock() < _next ? null : ReadNow();
        }
        finally
        {
            _gate.Exit();
        }
    }

    /// <summary>A reading that begins later than this call, whatever it costs: for a caller that is about to
    /// fail.</summary>
    public Reading Now()
    {
        long asked = clock();
        lock (_gate) return _last.Taken > asked ? _last : ReadNow();
    }

    private Reading ReadNow()
    {
        Debug.Assert(_gate.IsHeldByCurrentThread);
        long began = clock();
        string[] lines = read();
        long ended = clock();
        _next = ended + ((ended - began) * Share);
        return _last = new Reading(began, lines);
    }
}
