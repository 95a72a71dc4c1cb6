using System.Diagnostics;
using System.Runtime.InteropServices;
using NativeIpc.Channels.Peer;
using Xunit;

namespace NativeIpc.Channels.Rings;

/// <summary>The storm of many to many: four writers and four readers of one ring at work at once, in C# and C, each of
/// which is killed at a step, and another one comes. Every message is accounted for by its number and its sum, every
/// step is come to, and every takeover is told. <c>NATIVEIPC_LONG</c> for the full number.</summary>
[NeedsLinux("Channels are there on Linux.")]
public class ManyStormTests : StormTests
{
    private const int Each = 4; // writers, and as many readers
    private static readonly TimeSpan s_long = TimeSpan.FromSeconds(1);

    // "unfenced c": in a process whose kernel refuses membarrier(2).
    private static readonly string[] s_languages = ["dotnet", "c", "dotnet", "unfenced c"];

    // Steps in the turn: who is killed there leaves it to be taken over.
    private static readonly Dictionary<string, string[]> s_inTurn = new()
    {
        ["dotnet storm-put"] =
        [
            "turn.taken", "turn.noted", "bell.armed", "ring.write.reserved", "ring.write.filled", "ring.write.appended",
            "ring.write.shown", "ring.write.cleared", "ring.write.done",
        ],
        ["dotnet storm-take again"] =
        [
            "turn.taken", "turn.noted", "ring.read.taken", "ring.read.used", "ring.read.released", "ring.read.cleared",
        ],
        ["dotnet storm-take once"] =
        [
            "turn.taken", "turn.noted", "ring.read.taken", "ring.read.copied", "ring.read.used", "ring.read.released",
            "ring.read.cleared",
        ],
        ["c storm-put"] = ["turn_taken", "turn_noted", "armed", "reserved", "filled", "shown", "cleared"],
        ["c storm-take again"] = ["turn_taken", "turn_noted", "taken", "had", "used", "released", "cleared"],
        ["c storm-take once"] = ["turn_taken", "turn_noted", "taken", "used", "released", "cleared"],
    };

    private static readonly Dictionary<string, string[]> s_outsideTurn = new()
    {
        ["dotnet storm-put"] =
            ["turn.joined", "turn.marked", "turn.passed", "turn.kept", "turn.claimed", "ring.write.left"],
        ["dotnet storm-take again"] =
            ["turn.joined", "turn.marked", "turn.passed", "turn.kept", "turn.claimed", "bell.armed"],
        ["dotnet storm-take once"] =
            ["turn.joined", "turn.marked", "turn.passed", "turn.kept", "turn.claimed", "bell.armed"],
        ["c storm-put"] = ["turn_joined", "turn_marked", "turn_passed", "turn_kept", "turn_claimed", "left"],
        ["c storm-take again"] = ["turn_joined", "turn_marked", "turn_passed", "turn_kept", "turn_claimed", "armed"],
        ["c storm-take once"] =
            ["turn_joined", "turn_marked", "turn_passed", "turn_kept", "turn_claimed", "had", "armed"],
    };

    private readonly Random _random = NewRandom();
    private readonly Dictionary<string, int> _armed = []; // how often each step was chosen
    private readonly int[] _begun = new int[2]; // writers, readers

    private protected virtual bool ComesToEveryStep => true;

    [Theory]
    [InlineData("again")]
    [InlineData("once")]
    [Trait("Speed", "slow")]
    public void Writers_and_readers_are_killed_at_every_step_and_nothing_is_lost_torn_or_untold(string delivery)
    {
        NativeIpcKey key = NextKey(), ledgerKey = Names.Next(NativeIpcKeyType.PosixRealtime);
        using SharedRing ring = SharedRing.CreateNew(key, 16384, SharedRingForm.ManyToMany);
        using SharedMemory ledger = SharedMemory.CreateNew(ledgerKey, ManyStorm.Size);
        using SharedRingWriter last = ring.OpenWriter(); // so that no other one is
        List<Victim> all = [];
        for (int i = 0; i < Each; i++)
        {
            all.Add(Begin("storm-put", key, ledgerKey, delivery));
            all.Add(Begin("storm-take", key, ledgerKey, delivery));
        }

        int[] kills = new int[2], inTurn = new int[2];
        int ends = 0;
        string[] missing = ComesToEveryStep ? [.. Wanted(delivery)] : [];
        long begin = Stopwatch.GetTimestamp(), pauseBegin = begin;
        TimeSpan longestPause = default;
        ulong lastGiven = 0;
        while (kills.Sum() < RingCrashTests.Kills || missing.Length > 0)
        {
            int ended = WaitForAny(all, Look);
            Victim victim = all[ended];
            bool isReader = victim.Verb == "storm-take";
            if (Judge(victim))
            {
                int side = isReader ? 1 : 0;
                kills[side]++;
                if (s_inTurn[Kind(victim.Language, victim.Verb, delivery)].Contains(victim.Step)) inTurn[side]++;
                missing = [.. missing.Where(one => one != Named(victim.Language, victim.Verb, victim.Step))];
                if (kills.Sum() % 100 == 0) Say($"{kills.Sum()} killed, not come to yet: {string.Join(", ", missing)}");
            }
            else
            {
                ends++;
            }

            Assert.True(_begun.Max() < ManyStorm.Most, $"Not come to: {string.Join(", ", missing)}");
            all[ended] = Begin(victim.Verb, key, ledgerKey, delivery);
        }

        // Now everyone comes to its end: the writers say that nothing more comes, the readers read all.
        Volatile.Write(ref ledger.GetReference<ulong>(ManyStorm.Stop), 1);
        foreach (Victim victim in all.Where(one => one.Verb == "storm-put")) End(victim);
        last.Complete();
        foreach (Victim victim in all.Where(one => one.Verb == "storm-take")) End(victim);

        ulong messages = 0, again = 0, gone = 0;
        for (int writer = 0; writer < _begun[0]; writer++) Account(writer);
        Assert.InRange(gone, 0UL, delivery == "once" ? (ulong)kills[1] : 0UL);
        Assert.InRange(again, 0UL, delivery == "again" ? (ulong)kills[1] * ManyStorm.MostInHand : 0UL);
        ulong entered = 0;
        for (int reader = 0; reader < _begun[1]; reader++)
            entered += Get(ManyStorm.ReaderRows + (4 * reader) + 1);
        Assert.Equal(entered, again);
        for (int side = 0; side < 2; side++)
        {
            // Whoever is killed in its turn is told to one, which may be killed before it has noted that. That of the
            // last one of all may be wanted by nobody any more.
            ulong told = Get(ManyStorm.ToldWriters + side) + Get(ManyStorm.AtDeathWriters + side);
            Assert.InRange((ulong)inTurn[side], told, told + Get(ManyStorm.EarlyWriters + side) + 1);
        }

        Say($"""
            {delivery}: {kills[0]} writers and {kills[1]} readers killed, {ends} ended by themselves,
            {Stopwatch.GetElapsedTime(begin).TotalSeconds:F0} s; {messages} messages, {again} given again, {gone} gone;
            in the turn {inTurn[0]} writers ({Get(ManyStorm.ToldWriters)} told, {Get(ManyStorm.AtDeathWriters)} to one
            that was killed, {Get(ManyStorm.EarlyWriters)} not to be seen), {inTurn[1]} readers
            ({Get(ManyStorm.ToldReaders)}, {Get(ManyStorm.AtDeathReaders)}, {Get(ManyStorm.EarlyReaders)});
            no message came for {longestPause.TotalMilliseconds:F0} ms at most
            {KilledLines}
            """);

        ulong Get(long at) => Volatile.Read(ref ledger.GetReference<ulong>(8 * at));

        void Look()
        {
            if (Get(ManyStorm.Given) == lastGiven) return;
            TimeSpan pause = Stopwatch.GetElapsedTime(pauseBegin);
            if (lastGiven != 0 && pause > longestPause) longestPause = pause;
            if (lastGiven != 0 && pause > s_long)
                Say($"No message for {pause.TotalMilliseconds:F0} ms, of {string.Join(", ", all.Select(Aged))}");
            pauseBegin = Stopwatch.GetTimestamp();
            lastGiven = Get(ManyStorm.Given);
        }

        void End(Victim victim)
        {
            Ended(victim.Process);
            bool isReader = victim.Verb == "storm-take";
            if (!Judge(victim)) return;

            // Right before the end
            kills[isReader ? 1 : 0]++;
            if (s_inTurn[Kind(victim.Language, victim.Verb, delivery)].Contains(victim.Step))
                inTurn[isReader ? 1 : 0]++;
        }

        void Account(int writer)
        {
            // What it had shown was given, and perhaps what it was about to show: a kill is in between.
            ulong intended = Get(ManyStorm.WriterRows + (4 * writer));
            ulong shown = Get(ManyStorm.WriterRows + (4 * writer) + 1), lastOne = 0, given = 0;
            ReadOnlySpan<uint> times = MemoryMarshal.Cast<byte, uint>(ledger.GetReadOnlySpan(ManyStorm.MessagesAt
                + (4 * writer * (ManyStorm.MostMessages + 1)), 4 * (ManyStorm.MostMessages + 1)));
            for (int number = 1; number <= ManyStorm.MostMessages; number++)
            {
                if (times[number] == 0) continue;
                lastOne = (ulong)number;
                given++;
                again += times[number] - 1;
            }

            Assert.True(lastOne <= intended, $"{lastOne} of writer {writer}, which came to {intended}.");
            gone += Math.Max(lastOne, shown) - given;
            messages += given;
        }
    }

    // A start takes long beside other work: who is young may not have come to the ring.
    private static string Aged(Victim victim)
        => $"{victim} {Stopwatch.GetElapsedTime(victim.Start).TotalMilliseconds:F0}";

    private static void Say(string what) => TestContext.Current.TestOutputHelper?.WriteLine(what);

    private static string Kind(string language, string verb, string delivery)
        => $"{language.Split(' ')[^1]} {verb}{(verb == "storm-take" ? " " + delivery : "")}";

    private static string Named(string language, string verb, string step)
        => $"{language.Split(' ')[^1]} {verb} {step}";

    /// <summary>The steps that have to be come to. Writers do the same for both deliveries, and a reader that copies
    /// has no turn for long enough that it has to be kept for others.</summary>
    private static IEnumerable<string> Wanted(string delivery)
        => from language in new[] { "dotnet", "c" }
           from verb in delivery == "again" ? new[] { "storm-put", "storm-take" } : ["storm-take"]
           from step in Steps(Kind(language, verb, delivery))
           where delivery == "again" || !step.EndsWith("kept", StringComparison.Ordinal)
           select Named(language, verb, step);

    private static string[] Steps(string kind) => [.. s_inTurn[kind], .. s_outsideTurn[kind]];

    private Victim Begin(string verb, NativeIpcKey key, NativeIpcKey ledger, string delivery)
    {
        int side = verb == "storm-take" ? 1 : 0, self = _begun[side]++;
        string language = s_languages[self % s_languages.Length];
        string[] steps = Steps(Kind(language, verb, delivery));

        // Any, or the one that was chosen the fewest times. Not always that one: some are come to only while others are
        // killed elsewhere.
        string step = _random.Next(2) == 0 ? steps[_random.Next(steps.Length)]
            : steps.MinBy(one => _armed.GetValueOrDefault(Named(language, verb, one)))!;
        _armed[Named(language, verb, step)] = _armed.GetValueOrDefault(Named(language, verb, step)) + 1;
        int nth = step.EndsWith("joined", StringComparison.Ordinal) || step.EndsWith("left", StringComparison.Ordinal)
            || step.EndsWith("kept", StringComparison.Ordinal) || step.EndsWith("claimed", StringComparison.Ordinal) ? 1
            : step.EndsWith("cleared", StringComparison.Ordinal) || step.EndsWith("armed", StringComparison.Ordinal)
                || step.EndsWith("noted", StringComparison.Ordinal) || step.EndsWith("marked", StringComparison.Ordinal)
                || step.EndsWith("passed", StringComparison.Ordinal) ? _random.Next(1, 4)
            : _random.Next(1, 150);
        int end = step.EndsWith("left", StringComparison.Ordinal) ? _random.Next(1, 100) : ManyStorm.MostMessages;
        string named = language == "dotnet" ? $"{ledger}" : ledger.NativeKey;
        string[] more = [named, $"{self}", step, $"{nth}", $"{end}"];
        return new Victim(In(language, verb, key, side == 1 ? [.. more, delivery] : more), language, verb, step);
    }
}
