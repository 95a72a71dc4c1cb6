using System.Diagnostics;
using NativeIpc.Testing;
using Xunit;

namespace NativeIpc.Foreign;

/// <summary>Processes of this library on the SDK's .NET, on a newer one and as native code, of C and of Qt, all in one
/// lock and at one semaphore.</summary>
/// <remarks>The tests run with those that are there. One that is missing makes the test a skip, which names it; with
/// CI=true on Linux a failure.</remarks>
[NeedsLinux("The peers are built for Linux.")]
public sealed class TogetherTests
{
    private const int Times = 5_000;
    private const int Permits = 500;

    private static readonly TimeSpan s_patience = Patience.Seconds(60);

    public static TheoryData<string> BackEnds() => [BackEnd.Posix, BackEnd.SystemV];

    [Theory]
    [MemberData(nameof(BackEnds))]
    public void what_all_add_under_one_lock_is_all_there(string backEnd)
    {
        using var meeting = new Meeting(backEnd);
        ForeignPeer[] peers = [.. meeting.Kinds.Select(meeting.Attach)];
        SharedMemoryLock start = meeting.Segment.Lock(TestContext.Current.CancellationToken);
        foreach (ForeignPeer peer in peers)
        {
            peer.Post($"shm add a 0 {Times}");
            peer.Await("locking");
        }

        start.Dispose();
        foreach (ForeignPeer peer in peers) peer.Answer();
        Assert.Equal((uint)(Times * peers.Length), meeting.Counter);
        meeting.AssertTheLockIsWhole();
        meeting.TellMissing();
    }

    [Theory]
    [MemberData(nameof(BackEnds))]
    public void what_all_add_with_one_permit_is_all_there_and_no_permit_is_lost_or_won(string backEnd)
    {
        using var meeting = new Meeting(backEnd);
        NativeIpcKey key = meeting.Keys.Semaphore(backEnd);
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 0,
            new SystemSemaphoreOptions { Undo = SystemVUndoPolicy.None });
        var peers = new List<ForeignPeer>();
        foreach (Kind kind in meeting.Kinds)
        {
            ForeignPeer peer = meeting.Attach(kind);
            peer.Ask($"sem open s {ForeignPeer.Word(key)}{(kind.IsDotnet ? " undo=both" : "")}");
            peers.Add(peer);
        }

        meeting.Keys.Note();
        foreach (ForeignPeer peer in peers)
        {
            peer.Post($"sem add s a 0 {Times}");
            peer.Await("acquiring");
        }

        semaphore.Release();
        foreach (ForeignPeer peer in peers) peer.Answer();
        Assert.Equal((uint)(Times * peers.Count), meeting.Counter);
        Assert.True(semaphore.TryAcquire());
        Assert.False(semaphore.TryAcquire());

        // All give and we take; then the other way round.
        foreach (ForeignPeer peer in peers) peer.Post($"sem produce s {Permits}");
        for (int i = 0; i < Permits * peers.Count; i++)
        {
            Assert.True(semaphore.TryAcquire(s_patience, TestContext.Current.CancellationToken),
                $"{i} permits came");
        }

        foreach (ForeignPeer peer in peers) peer.Answer();
        Assert.False(semaphore.TryAcquire());
        foreach (ForeignPeer peer in peers)
        {
            peer.Post($"sem acquire s {Permits}");
            peer.Await("acquiring");
        }

        for (int i = 0; i < Permits * peers.Count; i++) semaphore.Release();
        foreach (ForeignPeer peer in peers) peer.Answer();
        Assert.False(semaphore.TryAcquire());
        meeting.TellMissing();
    }

    /// <summary>Each kind in turn is killed with the lock while all others wait for it. One of ours is always told; of
    /// the others' death one of ours is on POSIX, where it takes over, and nobody on System V, where the kernel gives
    /// back what they had.</summary>
    [Theory]
    [MemberData(nameof(BackEnds))]
    public void a_holder_of_any_kind_that_is_killed_with_the_lock_is_told_once(string backEnd)
    {
        using var meeting = new Meeting(backEnd);
        (Kind Kind, ForeignPeer Peer)[] waiters = [.. meeting.Kinds.Select(kind => (kind, meeting.Attach(kind)))];
        foreach (Kind kind in meeting.Kinds.Where(kind => kind.IsDotnet))
            Assert.Equal(1, meeting.KillWithTheLock(kind, waiters));

        // On POSIX a lock that a C or Qt program has open is not taken from a holder that nobody knows.
        foreach ((Kind kind, ForeignPeer peer) in waiters)
        {
            if (!kind.IsDotnet) peer.Quit();
        }

        waiters = [.. waiters.Where(waiter => waiter.Kind.IsDotnet)];
        foreach (Kind kind in meeting.Kinds.Where(kind => !kind.IsDotnet))
            Assert.Equal(backEnd == BackEnd.Posix ? 1 : 0, meeting.KillWithTheLock(kind, waiters));
        meeting.AssertTheLockIsWhole();
        meeting.TellMissing();
    }

    /// <summary>The same at a semaphore whose users on .NET have said that it is one that survives its
    /// holder.</summary>
    [Theory]
    [MemberData(nameof(BackEnds))]
    public void a_holder_of_any_kind_that_is_killed_with_the_permit_is_told_once(string backEnd)
    {
        using var meeting = new Meeting(backEnd);
        NativeIpcKey key = meeting.Keys.Semaphore(backEnd);
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 1,
            new SystemSemaphoreOptions { Robust = true, Removal = RemovalPolicy.Keep });
        meeting.Keys.Note();
        ForeignPeer Open(Kind kind)
        {
            ForeignPeer peer = meeting.Start(kind);
            peer.Ask($"sem open s {ForeignPeer.Word(key)}{(kind.IsDotnet ? " robust keep" : "")}");
            return peer;
        }

        ForeignPeer[] waiters = [.. meeting.Kinds.Where(kind => kind.IsDotnet).Select(Open)];
        foreach (Kind kind in meeting.Kinds)
        {
            ForeignPeer holder = Open(kind);
            holder.Ask("sem acquire s");
            foreach (ForeignPeer waiter in waiters)
            {
                waiter.Post("sem acquire s");
                waiter.Await("acquiring");
            }

            holder.Kill();
            bool[] told = meeting.Each(waiters, waiter =>
            {
                waiter.Answer();
                bool isTold = waiter.Ask("sem abandoned s") == "true";
                waiter.Ask("sem release s");
                return isTold;
            });
            int expected = kind.IsDotnet || backEnd == BackEnd.Posix ? 1 : 0;
            Assert.True(expected == told.Count(isTold => isTold), $"{kind.Name}: {string.Join(", ", told)}");
        }

        Assert.True(semaphore.TryAcquire());
        Assert.False(semaphore.WasAbandoned);
        Assert.False(semaphore.TryAcquire());
        semaphore.Release();
        meeting.TellMissing();
    }

    /// <summary>A kind of process: how it is started, and what its runtime says of itself.</summary>
    private sealed record Kind(string Name, bool IsDotnet, string[] Words, string Runtime = "");

    /// <summary>A segment, and processes of all kinds that are there.</summary>
    private sealed class Meeting : IDisposable
    {
        private readonly List<ForeignPeer> _started = [];
        private readonly List<string> _missing = [];
        private readonly string _backEnd;

        public Meeting(string backEnd)
        {
            _backEnd = backEnd;
            Kinds = [.. FindKinds()];
            if (PeerIndex.MustBeHere) Assert.True(_missing.Count == 0, string.Join(" ", _missing));
            NativeIpcKey key = Keys.Segment(backEnd);
            Segment = SharedMemory.CreateNew(key, 4096);
            using (Segment.Lock())
            {
                // Made by us, so that no Qt program removes it when it leaves
            }

            Keys.Note();
        }

        public InteropKeys Keys { get; } = new();

        public IReadOnlyList<Kind> Kinds { get; }

        public SharedMemory Segment { get; }

        public uint Counter => Segment.GetReference<uint>(0);

        /// <summary>Skips the test, which has passed with the others.</summary>
        public void TellMissing()
        {
            if (_missing.Count != 0)
                Assert.Skip($"It passed with {string.Join(", ", Kinds.Select(kind => kind.Name))}. "
                    + string.Join(" ", _missing));
        }

        public ForeignPeer Start(Kind kind)
        {
            ForeignPeer peer = kind.Words is [] ? ForeignPeer.StartOurs() : ForeignPeer.Start(kind.Words);
            _started.Add(peer);
            if (kind.Runtime != "") Assert.Contains(kind.Runtime, peer.Ask("platform"), StringComparison.Ordinal);
            return peer;
        }

        public ForeignPeer Attach(Kind kind)
        {
            ForeignPeer peer = Start(kind);
            peer.Ask($"shm open a {ForeignPeer.Word(Segment.Key)} rw{(kind.IsDotnet ? " keep" : "")}");
            return peer;
        }

        /// <summary>Kills a process of this kind while it has the lock and the others wait for it.</summary>
        /// <returns>How many of the others were told.</returns>
        public int KillWithTheLock(Kind kind, (Kind Kind, ForeignPeer Peer)[] waiters)
        {
            ForeignPeer holder = Attach(kind);
            holder.Ask("shm lock a");
            foreach ((_, ForeignPeer waiter) in waiters)
            {
                waiter.Post("shm lock a");
                waiter.Await("locking");
            }

            holder.Kill();
            return Each(waiters, waiter =>
            {
                string answer = waiter.Peer.Answer();
                Assert.True(answer is "" or "abandoned", $"{waiter.Kind.Name} after {kind.Name}: {answer}");
                waiter.Peer.Ask("shm unlock a");
                return answer != "";
            }).Count(isTold => isTold);
        }

        /// <summary>Asks all of them at once, since none knows whose turn is first.</summary>
        public TOut[] Each<TIn, TOut>(TIn[] of, Func<TIn, TOut> ask)
        {
            Task<TOut>[] asking = [.. of.Select(one => Task.Factory.StartNew(() => ask(one), CancellationToken.None,
                TaskCreationOptions.LongRunning, TaskScheduler.Default))];
            Assert.True(Task.WhenAll(asking).Wait(Patience.Seconds(150)), "The watchdog: not all had their turn.");
            return [.. asking.Select(one => one.Result)];
        }

        public void AssertTheLockIsWhole()
        {
            Assert.True(Segment.TryLock(out SharedMemoryLock scope));
            Assert.False(Segment.TryLock(out _));
            Assert.False(scope.WasAbandoned || scope.WasReplaced);
            scope.Dispose();
        }

        public void Dispose()
        {
            Keys.Note();
            foreach (ForeignPeer peer in _started) peer.Dispose();
            Segment.Dispose();
            Keys.Dispose();
        }

        private IEnumerable<Kind> FindKinds()
        {
            yield return new Kind("our .NET", IsDotnet: true, []);
            if (IsThere("dotnet-11", PeerIndex.WhyMissing("dotnet-11")))
            {
                yield return new Kind("dotnet-11", IsDotnet: true,
                    [.. PeerIndex.WordsOf("dotnet-11"), ForeignPeer.OurProgram + ".dll"], ".NET 11.");
            }

            if (IsThere("native AOT", WhyNoNative()))
            {
                yield return new Kind("native AOT", IsDotnet: true, [ForeignPeer.OurNativeProgram], "native AOT");
            }

            foreach (string name in (string[])["c", "qt6.8"])
            {
                if (IsThere(name, PeerIndex.WhyMissing(name)))
                    yield return new Kind(name, IsDotnet: false, PeerIndex.WordsOf(name));
            }
        }

        private bool IsThere(string name, string? whyMissing)
        {
            if (whyMissing is not null) _missing.Add($"{name} is missing: {whyMissing}");
            return whyMissing is null;
        }

        // It is linked with this machine's C library; an older one, of ./platforms.sh, does not start it.
        private static string? WhyNoNative()
        {
            if (!File.Exists(ForeignPeer.OurNativeProgram))
                return $"{ForeignPeer.OurNativeProgram} is not there: run ./test.sh aot.";
            using Process tried = Process.Start(new ProcessStartInfo(ForeignPeer.OurNativeProgram, ["--platform"])
                { RedirectStandardOutput = true })!;
            tried.StandardOutput.ReadToEnd();
            tried.WaitForExit();
            return tried.ExitCode == 0 ? null : $"{ForeignPeer.OurNativeProgram} does not start here.";
        }
    }
}
