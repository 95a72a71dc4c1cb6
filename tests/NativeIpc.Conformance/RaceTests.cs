using System.Globalization;
using Xunit;

namespace NativeIpc.Conformance;

/// <summary>Eight processes create, open and let go of one object as fast as they can (mission C3, C5).</summary>
/// <remarks>The rounds are run inside the peers, by their bulk commands; with NATIVEIPC_LONG=1 three times as many.
/// NATIVEIPC_RACE_ROUNDS sets another number of them.</remarks>
[Slow]
public abstract class RaceTests<TProvider> : ConformanceTests<TProvider>
    where TProvider : Provider, new()
{
    private const int Peers = 8;

    // Eight processes on two processors; the rounds are bounded, the time is not.
    private static readonly TimeSpan s_long = Patience.Minutes(5);

    private static int Rounds(int usual)
        => Environment.GetEnvironmentVariable("NATIVEIPC_RACE_ROUNDS") is { Length: > 0 } set
            ? int.Parse(set, CultureInfo.InvariantCulture) : usual;

    [BackendTheory(Needs.Leftovers)]
    [InlineData("shm")]
    [InlineData("sem")]
    public void Of_eight_processes_that_start_together_one_makes_the_object_and_all_have_it(string kind)
    {
        int rounds = Rounds(Sample.Of(1000, 300));
        NativeIpcKey key = NextKey();
        NativeIpcKey barrierKey = Names.Next(NativeIpcKey.DefaultType);
        using SharedMemory barrier = SharedMemory.CreateNew(barrierKey, 4096);
        Dictionary<string, string>[] results =
            Run(
                index => string.Create(CultureInfo.InvariantCulture,
                    $"race barrier {kind} {key} {barrierKey} {index} {Peers} {rounds}"));
        Assert.Equal(0, Number(results[0], "differing"));
        Assert.Equal(0, Number(results[0], "left"));
        Assert.Equal(rounds, results.Sum(result => Number(result, "created")));
        Assert.False(Backend.AnythingExists(key));
    }

    [BackendTheory(Needs.Leftovers)]
    [InlineData("shm")]
    [InlineData("sem")]
    public void With_Keep_it_is_always_the_same_object(string kind)
    {
        int rounds = Rounds(Sample.Of(10_000, 3000));
        NativeIpcKey key = NextKey();
        Dictionary<string, string>[] results =
            Run(_ => string.Create(CultureInfo.InvariantCulture, $"race keep {kind} {key} {rounds}"));
        Assert.Equal(1, results.Sum(result => Number(result, "created")));
        string identity = Assert.Single(results.Select(result => result["identities"]).Distinct());
        Assert.NotEmpty(identity);
        Assert.DoesNotContain(',', identity);
        Assert.True(kind == "shm" ? Backend.SegmentExists(key) : Backend.SemaphoreExists(key));
    }

    [BackendTheory(Needs.Leftovers)]
    [InlineData("shm")]
    [InlineData("sem")]
    public void With_the_default_policy_there_are_as_many_objects_as_makers_and_no_error(string kind)
    {
        // System V ids come again after 65,536 objects: in parts that cannot make so many, each id must still be
        // another object.
        int part = Backend.IsSystemV ? 40_000 / Peers : int.MaxValue;
        for (int left = Rounds(Sample.Of(10_000, 3000)); left > 0; left -= part)
            RaceWithTheDefaultPolicy(kind, Math.Min(left, part));
    }

    private void RaceWithTheDefaultPolicy(string kind, int rounds)
    {
        NativeIpcKey key = NextKey();
        string[] files = [.. Enumerable.Range(0,
            Peers).Select(_ => Names.TrackPath(Path.Combine(Path.GetTempPath(), TestNames.NextName())))];
        Dictionary<string, string>[] results =
            Run(
                index => string.Create(CultureInfo.InvariantCulture,
                    $"race default {kind} {key} {rounds} {index} {files[index]}"));
        int made = results.Sum(result => Number(result, "created"));
        TestContext.Current.TestOutputHelper?.WriteLine($"{made} objects in {rounds} rounds of {Peers} processes");
        string[][] met = [.. files.SelectMany(File.ReadLines).Distinct().Select(line => line.Split(' '))];
        Assert.False(Backend.SegmentExists(key) || Backend.SemaphoreExists(key), "The object is left.");
        Assert.False(Backend.AnythingExists(key), "The key file is left.");

        // Every object was met by its maker. Two tokens in one object, or one token in two, would be a lost or a
        // doubled one.
        if (kind == "shm")
        {
            Assert.Equal(made, met.Length);
            Assert.Equal(made, met.Select(line => line[1]).Distinct().Count());
        }

        // Nothing but the name tells the identity of a semaphore that was opened by the plain calls.
        if (kind == "sem" && Backend.IsPosix && !Backend.ComparesNames) return;
        Assert.Equal(made, met.Select(line => line[0]).Distinct().Count());
    }

    private Dictionary<string, string>[] Run(Func<int, string> command)
    {
        PeerProcess[] peers = [.. Enumerable.Range(0, Peers).Select(_ => Peer())];
        for (int i = 0; i < Peers; i++) peers[i].Post(command(i));
        return [
            .. peers.Select(
                peer => peer.Answer(s_long).Split(' ').Select(word => word.Split('=')).ToDictionary(pair => pair[0],
                    pair => pair[1]))];
    }

    private static int Number(Dictionary<string, string> result, string name)
        => int.Parse(result[name], CultureInfo.InvariantCulture);
}
