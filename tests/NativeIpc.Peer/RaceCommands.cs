using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using NativeIpc.Interop.Unix;

namespace NativeIpc.Peer;

/// <summary>The bulk commands of the race tests: many rounds in one command, a compact result.</summary>
internal static class RaceCommands
{
    private const int Size = 5000;
    private static readonly TimeSpan s_patience = Patience.Seconds(20);

    public static string Run(Words words)
    {
        string verb = words.Next();
        string kind = words.Next();
        NativeIpcKey key = words.NextKey();
        Func<bool, IRaced> take = Taker(kind, key);
        Func<bool, IRaced> find = Taker(kind + "-find", key);
        return verb switch
        {
            "barrier" => Barrier(take, find, words.NextKey(), words.NextInt(), words.NextInt(), words.NextInt()),
            "keep" => Keep(take, words.NextInt()),
            "default" => Default(take, words.NextInt(), words.NextInt(), words.Next()),
            _ => throw new FormatException($"No such command: race {verb}."),
        };
    }

    /// <summary>All take the object together, compare what they have, and let go together.</summary>
    private static string Barrier(Func<bool, IRaced> take, Func<bool, IRaced> find, NativeIpcKey barrierKey, int index,
        int peers, int rounds)
    {
        using SharedMemory shared = SharedMemory.OpenExisting(barrierKey);
        var barrier = new SpinningBarrier(shared, peers);
        int created = 0;
        int differing = 0;
        int left = 0;
        for (int round = 0; round < rounds; round++)
        {
            barrier.Join();
            IRaced raced = take(false);
            if (raced.CreatedNew) created++;
            SpinningBarrier.Slot(shared, index) = new RoundResult { Identity = Hash(raced.Identity),
                CreatedNew = raced.CreatedNew ? 1 : 0 };
            barrier.Join();
            if (index == 0)
            {
                RoundResult first = SpinningBarrier.Slot(shared, 0);
                int makers = 0;
                bool same = first.Identity != 0;
                for (int i = 0; i < peers; i++)
                {
                    RoundResult other = SpinningBarrier.Slot(shared, i);
                    same &= other.Identity == first.Identity;
                    makers += other.CreatedNew;
                }

                if (!same || makers != 1) differing++;
            }

            raced.Dispose();
            barrier.Join();
            if (index == 0)
            {
                using IRaced found = find(false);
                if (found.Identity.Length > 0) left++;
            }
        }

        return string.Create(CultureInfo.InvariantCulture, $"ok created={created} differing={differing} left={left}");
    }

    /// <summary>Takes the object and lets go of it, with the policy Keep: it must always be the same one.</summary>
    private static string Keep(Func<bool, IRaced> take, int rounds)
    {
        var identities = new HashSet<string>();
        int created = 0;
        for (int round = 0; round < rounds; round++)
        {
            using IRaced raced = take(true);
            identities.Add(raced.Identity);
            if (raced.CreatedNew) created++;
        }

        return string.Create(CultureInfo.InvariantCulture,
            $"ok created={created} identities={string.Join(',', identities)}");
    }

    /// <summary>The same with the default policy. A maker marks its segment with a token; the file lists every object
    /// met, with its token.</summary>
    private static string Default(Func<bool, IRaced> take, int rounds, int index, string file)
    {
        var met = new HashSet<string>();
        int created = 0;
        for (int round = 0; round < rounds; round++)
        {
            using IRaced raced = take(false);
            long token = raced.Token(((index + 1L) << 32) | (uint)(round + 1));
            met.Add($"{raced.Identity} {token}");
            if (raced.CreatedNew) created++;
        }

        File.WriteAllLines(file, met);
        return string.Create(CultureInfo.InvariantCulture, $"ok created={created} met={met.Count}");
    }

    private static Func<bool, IRaced> Taker(string kind, NativeIpcKey key)
    {
        var keep = new SharedMemoryOptions { Removal = RemovalPolicy.Keep };
        var atOnce = new SharedMemoryOptions { PeerTimeout = TimeSpan.Zero };
        var keepCount = new SystemSemaphoreOptions { Removal = RemovalPolicy.Keep };
        var countAtOnce = new SystemSemaphoreOptions { PeerTimeout = TimeSpan.Zero };
        return kind switch
        {
            "shm" => keeps => new RacedSegment(SharedMemory.CreateOrOpen(key, Size, keeps ? keep : null)),
            "sem" => keeps => new RacedSemaphore(SystemSemaphore.CreateOrOpen(key, 1, keeps ? keepCount : null)),
            "shm-find" => _ => SharedMemory.TryOpenExisting(key, out SharedMemory? segment, options: atOnce)
                ? new RacedSegment(segment) : new Nothing(),
            "sem-find" => _ => SystemSemaphore.TryOpenExisting(key, out SystemSemaphore? semaphore, countAtOnce)
                ? new RacedSemaphore(semaphore) : new Nothing(),
            _ => throw new FormatException($"Neither shm nor sem: {kind}."),
        };
    }

    // FNV-1a; never 0 for a text that is not empty.
    private static ulong Hash(string text)
    {
        if (text.Length == 0) return 0;
        ulong hash = 14695981039346656037;
        foreach (char c in text) hash = (hash ^ c) * 1099511628211;
        return hash | 1;
    }

    private interface IRaced : IDisposable
    {
        string Identity { get; }

        bool CreatedNew { get; }

        /// <summary>The mark of the object: the maker sets it, others wait for it. 0 where the object holds no
        /// bytes.</summary>
        long Token(long own);
    }

    private sealed class Nothing : IRaced
    {
        public string Identity => "";

        public bool CreatedNew => false;

        public long Token(long own) => 0;

        public void Dispose()
        {
        }
    }

    private sealed class RacedSegment : IRaced
    {
        private readonly SharedMemory _segment;

        public RacedSegment(SharedMemory segment)
        {
            _segment = segment;
            if (segment.Size is < Size or > Size + 65536)
                throw new InvalidOperationException($"The segment has {segment.Size} bytes instead of {Size}.");
        }

        public string Identity => Internals.ObjectIdentity(_segment);

        public bool CreatedNew => _segment.CreatedNew;

        public long Token(long own)
        {
            ref long place = ref _segment.GetReference<long>(0);
            if (CreatedNew)
            {
                if (_segment.ReadOnlySpan.ContainsAnyExcept((byte)0))
                    throw new InvalidOperationException("A segment that this process made is not empty.");
                Volatile.Write(ref place, own);
                return own;
            }

            long start = Stopwatch.GetTimestamp();
            while (true)
            {
                long token = Volatile.Read(ref place);
                if (token != 0) return token;
                if (Stopwatch.GetElapsedTime(start) > s_patience)
                    throw new InvalidOperationException("Nobody made the segment that was opened.");
                Thread.Yield();
            }
        }

        public void Dispose()
        {
            _segment.Dispose();
        }
    }

    private sealed class RacedSemaphore(SystemSemaphore semaphore) : IRaced
    {
        public string Identity
            => Internals.ObjectIdentity(semaphore) is { Length: > 0 } identity ? identity : NamedFile();

        public bool CreatedNew => semaphore.CreatedNew;

        public long Token(long own) => 0;

        public void Dispose() => semaphore.Dispose();

        // With the plain calls nothing but the name tells which file it is; that is right as long as nobody removes it
        // meanwhile.
        private string NamedFile()
            => OperatingSystem.IsLinux() && Libc.Status(
                $"/dev/shm/sem.{semaphore.Key.NativeKey.TrimStart('/')}", followLink: false,
                out FileStatus status) == 0
                ? status.Identity.ToString()
                : "";
    }

    [StructLayout(LayoutKind.Sequential, Size = 64)]
    private struct RoundResult
    {
        public ulong Identity;
        public int CreatedNew;
    }

    /// <summary>A barrier in a segment of its own: a counter that only grows, which everyone watches until all have
    /// added themselves.</summary>
    private sealed class SpinningBarrier(SharedMemory shared, int peers)
    {
        private int _joined;

        public static ref RoundResult Slot(SharedMemory shared, int index)
            => ref shared.GetReference<RoundResult>(64 + (index * 64));

        public void Join()
        {
            ref int arrived = ref shared.GetReference<int>(0);
            Interlocked.Increment(ref arrived);
            _joined += peers;
            long start = Stopwatch.GetTimestamp();
            while (Volatile.Read(ref arrived) < _joined)
            {
                if (Stopwatch.GetElapsedTime(start) > s_patience)
                    throw new InvalidOperationException("Not all peers came to the barrier; one of them has failed.");
                Thread.Yield();
            }
        }
    }
}
