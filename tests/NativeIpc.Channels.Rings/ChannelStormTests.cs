using System.Diagnostics;
using NativeIpc.Channels.Peer;
using Xunit;

namespace NativeIpc.Channels.Rings;

/// <summary>The storm: four writers and four readers of a ring, in C#, C and Python. One of each has the role, the
/// others wait for it; whoever has it is killed at a step, and another one comes. Every message is accounted for, and
/// every takeover is told. <c>NATIVEIPC_LONG</c> for the full number.</summary>
[NeedsLinux("Channels are there on Linux.")]
public sealed class ChannelStormTests : StormTests
{
    private static readonly Dictionary<string, string[]> s_steps = new()
    {
        ["dotnet write"] =
        [
            "role.locked", "role.noted", "ring.write.reserved", "ring.write.filled", "ring.write.appended",
            "ring.write.shown", "ring.write.cleared", "ring.write.done", "bell.armed",
        ],
        ["dotnet read"] =
        [
            "role.locked", "role.noted", "ring.read.taken", "ring.read.used", "ring.read.released", "ring.read.cleared",
            "bell.armed",
        ],
        ["dotnet read once"] =
        [
            "role.noted", "ring.read.taken", "ring.read.copied", "ring.read.used", "ring.read.released",
            "ring.read.cleared", "bell.armed",
        ],
        ["c write"] = ["locked", "noted", "reserved", "filled", "shown", "cleared", "armed"],
        ["c read"] = ["locked", "noted", "taken", "had", "used", "released", "cleared", "armed"],
        ["c read once"] = ["locked", "noted", "taken", "had", "used", "released", "cleared", "armed"],
        ["python write"] = ["line"],
        ["python read"] = ["line"],
        ["python read once"] = ["line"],
    };

    private const int Each = 4; // writers, and as many readers
    private static readonly string[] s_languages = ["dotnet", "c", "python"];

    private readonly Random _random = NewRandom();
    private int _begun;

    [Theory]
    [InlineData("again")]
    [InlineData("once")]
    [Trait("Speed", "slow")]
    public void Writers_and_readers_are_killed_one_after_the_other_and_nothing_is_lost_torn_or_untold(string delivery)
    {
        NativeIpcKey key = NextKey(), ledgerKey = NextKey();
        using SharedRing ring = SharedRing.CreateNew(key, 16384);
        using SharedMemory ledger = SharedMemory.CreateNew(ledgerKey, Storm.Size);
        List<Victim> all = [];
        for (int i = 0; i < Each; i++)
        {
            all.Add(Begin("write", key, ledgerKey, delivery));
            all.Add(Begin("read", key, ledgerKey, delivery));
        }

        int kills = 0, ends = 0;
        long begin = Stopwatch.GetTimestamp();
        while (kills < RingCrashTests.Kills)
        {
            int ended = WaitForAny(all);
            Victim victim = all[ended];
            if (Judge(victim)) kills++;
            else ends++;
            all[ended] = Begin(victim.Verb, key, ledgerKey, delivery);
        }

        // Now everyone comes to its end: the writers say that nothing more comes, the readers read all.
        Set(Storm.Stop, 1);
        foreach (Victim victim in all)
        {
            Ended(victim.Process);
            Judge(victim);
        }

        ulong last = Get(Storm.Last), writers = Get(Storm.Writers), sum = 0, shownLast = 0, lastWriter = 0;
        for (ulong i = 1; i <= writers; i++)
        {
            ulong shown = Get(Storm.WriterRows + ((long)i * 4) + 2);
            sum += shown;
            if (shown == 0) continue;
            (lastWriter, shownLast) = (i, shown);
        }

        // With "once" the last reader that was killed may have had the last one.
        Assert.True(last >> 32 == lastWriter ? (last & uint.MaxValue) >= shownLast - (delivery == "once" ? 1UL : 0)
            : last >> 32 > lastWriter, $"{last & uint.MaxValue} of {last >> 32}, not {shownLast} of {lastWriter}.");
        if (RingCrashTests.Kills >= 1000) Assert.Empty(Steps(delivery).Except(Killed.Keys));
        Assert.True(Get(Storm.Again) == 0 || delivery == "again");
        Assert.True(Get(Storm.Lost) <= (delivery == "again" ? 0 : Get(Storm.ToldReaders)));
        Assert.True(Get(Storm.ToldOfNobody) <= (ulong)kills);
        Assert.True(Get(Storm.ToldWriters) + Get(Storm.ToldReaders) >= (ulong)kills / 2);
        TestContext.Current.TestOutputHelper?.WriteLine($"""
            {delivery}: {kills} kills, {ends} ended by themselves, {Stopwatch.GetElapsedTime(begin).TotalSeconds:F0} s;
            {sum} messages, {Get(Storm.Again)} given again, {Get(Storm.Lost)} had by killed readers;
            {writers} writers ({Get(Storm.ToldWriters)} were told), {Get(Storm.Readers)} readers
            ({Get(Storm.ToldReaders)} were told)
            {KilledLines}
            """);

        ulong Get(long at) => Volatile.Read(ref ledger.GetReference<ulong>(8 * at));
        void Set(long at, ulong value) => Volatile.Write(ref ledger.GetReference<ulong>(8 * at), value);
    }

    /// <summary>All of them, as <see cref="Victim.ToString"/> has them.</summary>
    private static IEnumerable<string> Steps(string delivery)
        => from kind in s_steps
           let words = kind.Key.Split(' ')
           where words[1] == "write" || (words.Length > 2) == (delivery == "once")
           from step in kind.Value
           select $"{words[0]} {words[1]} {step}";

    private Victim Begin(string verb, NativeIpcKey key, NativeIpcKey ledger, string delivery)
    {
        // One after the other: those that start quickly would have the role all the time.
        string language = s_languages[_begun++ % s_languages.Length];
        string[] steps = s_steps[$"{language} {verb}{(verb == "read" && delivery == "once" ? " once" : "")}"];
        string step = _random.Next(10) == 0 ? "-" : steps[_random.Next(steps.Length)];

        // Those that are rare in a life come early. A line of Python: the role takes some 50.
        int nth = step switch
        {
            "-" => _random.Next(1, 500),
            "line" => _random.Next(1, 3000),
            _ when step.EndsWith("locked", StringComparison.Ordinal) => 1,
            _ when step.EndsWith("noted", StringComparison.Ordinal) => 1,
            _ when step.EndsWith("armed", StringComparison.Ordinal) => 1,
            _ when step.EndsWith("cleared", StringComparison.Ordinal) => _random.Next(1, 3),
            _ => _random.Next(1, 400),
        };
        string[] more = verb == "read" ? [step, $"{nth}", delivery] : [step, $"{nth}"];
        Process process = language == "dotnet" ? In(language, "storm-" + verb, key, [$"{ledger}", .. more])
            : In(language, "storm-" + verb, key, [ledger.NativeKey, .. more]);
        return new Victim(process, language, verb, step);
    }
}
