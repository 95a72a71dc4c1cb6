using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using NativeIpc.Testing;
using Xunit;

namespace NativeIpc.Foreign;

/// <summary>Events between processes of C on glibc and musl, of C++, of Python and of this library
/// (docs/layouts.md).</summary>
[NeedsLinux("The peers are built for Linux.")]
public sealed class EventTests
{
    private const string Folder = "/dev/shm/";
    private const string Prefix = "nativeipc-event.";
    private const int StateAt = 0;
    private const int WaitersAt = 4;
    private const int MagicAt = 8;
    private const int VersionAt = 12;
    private const int ModeAt = 14;

    private const string Ours = "ours";

    private static readonly string[] s_foreign = ["event-c", "event-c-musl", "event-cpp", "event-python"];

    private static readonly string[] s_kinds = [.. s_foreign, Ours];

    /// <summary>Each two of them, in both orders, and each with itself.</summary>
    public static TheoryData<string, string> Pairs()
    {
        var pairs = new TheoryData<string, string>();
        foreach (string one in s_kinds)
        {
            foreach (string other in s_kinds)
            {
                if (one != Ours || other != Ours) pairs.Add(one, other);
            }
        }

        return pairs;
    }

    public static TheoryData<string> Kinds() => [.. s_foreign];

    [Theory]
    [MemberData(nameof(Pairs))]
    public void What_one_makes_another_uses(string maker, string user)
    {
        using var meeting = new Meeting();
        ForeignPeer one = meeting.Start(maker);
        ForeignPeer other = meeting.Start(user);
        Assert.Equal("created", one.Ask($"event create e {meeting.Key} auto 1"));
        Assert.Equal("opened", other.Ask($"event open e {meeting.Key}"));
        Assert.Equal("auto", other.Ask("event mode e"));
        Assert.Equal("true", other.Ask("event trywait e"));
        Assert.Equal("false", one.Ask("event isset e"));
        Assert.Equal("false", other.Ask("event trywait e 1"));
        Assert.Equal(maker == Ours ? "" : "1", one.Ask("event set e 2"));
        Assert.Equal("true", other.Ask("event trywait e 60000"));
        Assert.Equal("AlreadyExists", other.AskFailing($"event create f {meeting.Key} auto 0"));
        Assert.Equal("KeyError", other.AskFailing($"event createoropen f {meeting.Key} manual 0"));
        Assert.Equal("true", other.Ask($"event remove {meeting.Key}"));
        Assert.Equal("false", one.Ask($"event remove {meeting.Key}"));
        Assert.Equal("NotFound", other.AskFailing($"event open f {meeting.Key}"));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void An_event_has_the_bytes_that_the_document_says(string kind)
    {
        using var meeting = new Meeting();
        ForeignPeer peer = meeting.Start(kind);
        peer.Ask($"event create e {meeting.Key} manual 1");
        byte[] expected = new byte[64];
        expected[StateAt] = 1;
        BitConverter.TryWriteBytes(expected.AsSpan(MagicAt), 0x7645494E);
        BitConverter.TryWriteBytes(expected.AsSpan(VersionAt), (short)1);
        BitConverter.TryWriteBytes(expected.AsSpan(ModeAt), (short)2);
        Assert.Equal(expected, File.ReadAllBytes(meeting.Path));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(meeting.Path));
        Assert.Empty(Directory.EnumerateFiles(Folder, $".{Prefix}{peer.Id}.*"));
    }

    [Fact]
    public void All_that_wait_are_freed_by_a_set_that_a_reset_follows_at_once()
    {
        foreach (string setter in s_kinds)
        {
            using var meeting = new Meeting();
            ForeignPeer[] sleepers = meeting.Sleep("manual", s_kinds);
            Assert.Equal(setter == Ours ? "" : "true", meeting.Open(setter).Ask("event pulse e"));
            foreach (ForeignPeer sleeper in sleepers) Assert.Equal("", sleeper.Answer());
            Assert.Equal(0u, meeting.Waiters);
        }
    }

    [Fact]
    public void Each_set_frees_one_that_sleeps()
    {
        foreach (string setter in s_kinds)
        {
            using var meeting = new Meeting();
            ForeignPeer[] sleepers = meeting.Sleep("auto", s_kinds);
            // No sleeper need run between two of them
            Assert.Equal(setter == Ours ? "" : "5", meeting.Open(setter).Ask("event set e 5"));
            foreach (ForeignPeer sleeper in sleepers) Assert.Equal("", sleeper.Answer());
            Assert.Equal((0u, 0u), (meeting.State, meeting.Waiters));
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    [Slow]
    public void What_all_have_set_is_what_all_have_taken(bool isSetAtFirst)
    {
        using var meeting = new Meeting();
        meeting.Start(s_foreign[0]).Ask($"event create e {meeting.Key} auto {(isSetAtFirst ? 1 : 0)}");
        ForeignPeer[] peers = [.. s_foreign.Select(meeting.Open)];
        using SystemEvent ours = SystemEvent.OpenExisting(NativeIpcKey.Parse(meeting.Key));
        for (int i = 0; i < peers.Length; i++)
        {
            int rounds = s_foreign[i] == "event-python" ? 10_000 : 100_000;
            int seed = Environment.TickCount + i;
            peers[i].Post(string.Create(CultureInfo.InvariantCulture, $"event storm e {rounds} {seed}"));
        }

        // Ours only waits, since its Set does not say whether it changed something.
        using var ending = new CancellationTokenSource();
        long byUs = 0;
        var waiting = new Thread(() => byUs = Taken(ours, ending.Token));
        waiting.Start();
        long[][] counts = [.. peers.Select(peer => peer.Answer().Split(' ').Select(
            word => long.Parse(word, CultureInfo.InvariantCulture)).ToArray())];
        ending.Cancel();
        Assert.True(waiting.Join(Patience.Seconds(60)), "The watchdog: our waits do not end.");
        long set = counts.Sum(count => count[0]) + (isSetAtFirst ? 1 : 0);
        long taken = counts.Sum(count => count[1]) + byUs;
        long reset = counts.Sum(count => count[2]);
        Assert.True(set - taken - reset == meeting.State && meeting.State <= 1,
            $"{set} set, {taken} taken ({byUs} by us), {reset} reset, and the state is {meeting.State}");
        Assert.Equal(0u, meeting.Waiters);
    }

    private static long Taken(SystemEvent ours, CancellationToken ending)
    {
        long taken = 0;
        try
        {
            for (int i = 0; !ending.IsCancellationRequested; i++)
                taken += ours.Wait(TimeSpan.FromMicroseconds(i % 200), ending) ? 1 : 0;
        }
        catch (OperationCanceledException)
        {
            // It took nothing.
        }

        return taken;
    }

    [Theory]
    [MemberData(nameof(Pairs))]
    public void Two_that_wake_each_other_lose_no_turn(string one, string other)
    {
        const int Turns = 500;
        using var meeting = new Meeting();
        using var back = new Meeting();
        ForeignPeer there = meeting.Start(one);
        there.Ask($"event create e {meeting.Key} auto 0");
        there.Ask($"event create f {back.Key} auto 0");
        ForeignPeer here = meeting.Open(other);
        here.Ask($"event open f {back.Key}");
        there.Post($"event relay e f {Turns}");
        here.Post($"event relay f e {Turns}");
        ForeignPeer starter = meeting.Open("event-c");
        starter.Ask("event set e");
        Assert.Equal("", there.Answer());
        Assert.Equal("", here.Answer());
        Assert.Equal("true", starter.Ask("event trywait e"));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void A_killed_sleeper_takes_no_set_with_it(string kind)
    {
        using var meeting = new Meeting();
        meeting.Sleep("auto", kind)[0].Kill();
        ForeignPeer other = meeting.Open("event-c-musl");
        // It stays counted, so each Set asks the kernel; nobody sleeps, so it is set.
        Assert.Equal(1u, meeting.Waiters);
        Assert.Equal("1", other.Ask("event set e 3"));
        Assert.Equal("true", other.Ask("event isset e"));
        Assert.Equal("true", other.Ask("event trywait e"));
        Assert.Equal("false", other.Ask("event trywait e"));
        other.Post("event wait e");
        meeting.AwaitSleep(other, 2);
        Assert.Equal("1", meeting.Open("event-c").Ask("event set e"));
        Assert.Equal("", other.Answer());
        Assert.Equal((0u, 1u), (meeting.State, meeting.Waiters));
    }

    [Theory]
    [InlineData("event-c", "event-c-musl")]
    [InlineData("event-c-musl", "event-c")]
    public void A_setter_that_is_killed_at_any_step_leaves_it_valid(string victim, string other)
    {
        foreach ((string mode, string point, bool afterAKill) in new[]
        {
            ("auto", "set", false), ("auto", "look", false), ("auto", "grant", false), ("auto", "wake", false),
            ("auto", "give-back", true),
            ("manual", "set", false), ("manual", "exchange", false), ("manual", "look", false),
            ("manual", "wake", false),
        })
        {
            using var meeting = new Meeting();
            ForeignPeer[] sleepers = meeting.Sleep(mode, other);
            if (afterAKill) sleepers[0].Kill();
            meeting.StopAt(victim, point, "event set e").Kill();
            ForeignPeer last = meeting.Open(other);
            last.Ask("event set e");
            if (!afterAKill) Assert.Equal("", sleepers[0].Answer());
            // The killed Set counts or does not, as far as it came.
            int left = 0;
            for (int i = 0; i < 3; i++) left += last.Ask("event trywait e") == "true" ? 1 : 0;
            if (mode == "auto") Assert.InRange(left, 0, afterAKill ? 2 : 1);
            last.Ask("event reset e");
            last.Ask("event set e");
            Assert.Equal("true", last.Ask("event trywait e 60000"));
        }
    }

    [Fact]
    public void A_setter_that_is_killed_before_it_looks_leaves_the_event_set()
    {
        foreach (string mode in new[] { "auto", "manual" })
        {
            using var meeting = new Meeting();
            meeting.Start("event-c").Ask($"event create e {meeting.Key} {mode} 0");
            ForeignPeer victim = meeting.Open("event-c");
            // Auto-reset it looks before the exchange and after it; manual-reset after it.
            victim.Ask($"stopat look {(mode == "auto" ? 2 : 1)}");
            victim.Post("event set e");
            victim.Await("stopped look");
            victim.Kill();
            Assert.Equal("true", meeting.Open("event-c-musl").Ask("event trywait e 60000"));
        }
    }

    [Theory]
    [InlineData("event-c", "event-c-musl")]
    [InlineData("event-c-musl", "event-python")]
    public void A_waiter_that_is_killed_at_any_step_leaves_it_valid(string victim, string other)
    {
        foreach ((string mode, string point) in new[]
        {
            ("auto", "count"), ("auto", "take"), ("auto", "sleep"), ("auto", "awake"), ("auto", "leave"),
            ("manual", "count"), ("manual", "sleep"), ("manual", "awake"), ("manual", "leave"),
        })
        {
            using var meeting = new Meeting();
            ForeignPeer last = meeting.Start(other);
            last.Ask($"event create e {meeting.Key} {mode} {(point == "take" ? 1 : 0)}");
            if (point is "awake" or "leave")
            {
                ForeignPeer sleeper = meeting.Open(victim);
                sleeper.Ask($"stopat {point}");
                sleeper.Post("event wait e");
                meeting.AwaitSleep(sleeper, 1);
                last.Ask("event set e");
                sleeper.Await("waiting");
                sleeper.Await($"stopped {point}");
                sleeper.Kill();
            }
            else
            {
                meeting.StopAt(victim, point, "event wait e", "waiting").Kill();
            }

            last.Ask("event set e");
            Assert.Equal("true", last.Ask("event trywait e 60000"));
            if (mode == "manual") continue;
            // What it was given and did not take, one that is counted in may have.
            string left = last.Ask("event trywait e 1");
            Assert.Equal(point == "awake" ? "true" : "false", left);
            Assert.Equal(0u, meeting.State);
        }
    }

    [Fact]
    [Slow]
    public void Sleepers_that_a_killed_setter_did_not_wake_look_by_themselves()
    {
        using var auto = new Meeting();
        using var toOurs = new Meeting();
        using var fromOurs = new Meeting();
        using var manual = new Meeting();
        ForeignPeer[] freed =
        [
            .. auto.Sleep("auto", "event-c"), .. toOurs.Sleep("auto", Ours), .. fromOurs.Sleep("auto", "event-c-musl"),
            .. manual.Sleep("manual", s_kinds),
        ];
        auto.StopAt("event-c-musl", "wake", "event set e").Kill();
        toOurs.StopAt("event-c", "wake", "event set e").Kill();
        fromOurs.StopAt(Ours, "event.set", "event set e").Kill();
        manual.StopAt("event-c", "wake", "event pulse e").Kill();
        Assert.Equal("true", manual.Open("event-c").Ask("event reset e"));
        foreach (ForeignPeer sleeper in freed) Assert.Equal("", sleeper.Answer());
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void What_is_no_event_is_refused(string kind)
    {
        using var meeting = new Meeting();
        ForeignPeer peer = meeting.Start(kind);
        peer.Ask($"event create e {meeting.Key} auto 0");
        byte[] good = File.ReadAllBytes(meeting.Path);
        foreach (int at in new[] { MagicAt, VersionAt, ModeAt })
        {
            byte[] bad = [.. good];
            bad[at] ^= 0x40;
            File.WriteAllBytes(meeting.Path, bad);
            Assert.Equal("KeyError", peer.AskFailing($"event open f {meeting.Key}"));
        }

        foreach (byte[] bad in new byte[][] { [], good[..63], [.. good, 0] })
        {
            File.WriteAllBytes(meeting.Path, bad);
            Assert.Equal("KeyError", peer.AskFailing($"event createoropen f {meeting.Key} auto 0"));
        }

        File.Delete(meeting.Path);
        Directory.CreateDirectory(meeting.Path);
        Assert.Equal("Unknown", peer.AskFailing($"event open f {meeting.Key}")); // EISDIR
        Directory.Delete(meeting.Path);
        foreach (string name in new[] { "/", "/a/b", "/..", "/" + new string('x', 240) })
            Assert.Equal("KeyError", peer.AskFailing($"event create f posix:{name} auto 0"));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    [NeedsRoot("It gives the file to another user.")]
    public void An_event_of_another_user_is_refused_unless_asked_for(string kind)
    {
        using var meeting = new Meeting();
        ForeignPeer peer = meeting.Start(kind);
        peer.Ask($"event create e {meeting.Key} auto 0");
        Assert.Equal("", Shell.Run("chown", ["12345", meeting.Path]).Succeeded);
        Assert.Equal("PermissionDenied", peer.AskFailing($"event open f {meeting.Key}"));
        Assert.Equal("PermissionDenied", peer.AskFailing($"event createoropen f {meeting.Key} auto 0"));
        Assert.Equal("opened", peer.Ask($"event open f {meeting.Key} others"));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    [NeedsRoot("It makes a user namespace, and sees an event of a user that is not mapped there.")]
    public void An_event_of_nobody_is_refused_in_a_user_namespace(string kind)
    {
        using var meeting = new Meeting();
        meeting.Start("event-c").Ask($"event create e {meeting.Key} auto 0");
        Assert.Equal("", Shell.Run("chown", ["12345", meeting.Path]).Succeeded);
        File.SetUnixFileMode(meeting.Path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherRead
            | UnixFileMode.OtherWrite);
        string[] words = PeerIndex.Require(kind);
        // Nobody is mapped, so the process itself is the overflow user, too.
        ShellResult seen = Shell.Run("unshare",
            ["--user", "sh", "-c", $"echo 'event open f {meeting.Key}' | \"$@\"", "sh", .. words]);
        Assert.StartsWith("error PermissionDenied", seen.Succeeded, StringComparison.Ordinal);
    }

    [Fact]
    public void Python_without_libatomic_is_told_what_it_needs()
    {
        string[] words = PeerIndex.Require("event-python");
        const string Without = "import ctypes, sys; real = ctypes.CDLL\n"
            + "def load(name, *more, **named):\n"
            + "    if name == 'libatomic.so.1': raise OSError('no such file')\n"
            + "    return real(name, *more, **named)\n"
            + "ctypes.CDLL = load; sys.path.insert(0, sys.argv[1])\n"
            + "import nativeipc_event";
        ShellResult told = Shell.Run(words[0], ["-c", Without, Path.GetDirectoryName(words[1])!]);
        Assert.NotEqual(0, told.ExitCode);
        Assert.Contains("ImportError", told.Error, StringComparison.Ordinal);
        Assert.Contains("libatomic1", told.Error, StringComparison.Ordinal);
    }

    /// <summary>One event and the processes at it.</summary>
    private sealed class Meeting : IDisposable
    {
        private readonly List<ForeignPeer> _peers = [];
        private readonly string _name = InteropKeys.NextName();

        internal string Key => $"posix:/{_name}";

        internal string Path => Folder + Prefix + _name;

        internal uint State => Word(StateAt);

        internal uint Waiters => Word(WaitersAt);

        internal ForeignPeer Start(string kind)
        {
            ForeignPeer peer = kind == Ours ? ForeignPeer.StartOurs() : ForeignPeer.Start(kind);
            _peers.Add(peer);
            return peer;
        }

        internal ForeignPeer Open(string kind)
        {
            ForeignPeer peer = Start(kind);
            peer.Ask($"event open e {Key}");
            return peer;
        }

        /// <summary>A new event, and peers that sleep on it.</summary>
        internal ForeignPeer[] Sleep(string mode, params string[] kinds)
        {
            List<ForeignPeer> sleepers = [];
            foreach (string kind in kinds)
            {
                ForeignPeer peer = Start(kind);
                peer.Ask($"event createoropen e {Key} {mode} 0");
                peer.Post("event wait e");
                sleepers.Add(peer);
                AwaitSleep(peer, (uint)sleepers.Count);
            }

            return [.. sleepers];
        }

        /// <summary>Waits until so many are counted, and this one sleeps.</summary>
        internal void AwaitSleep(ForeignPeer peer, uint waiters)
        {
            if (!SpinWait.SpinUntil(() => Waiters == waiters && IsInFutex(peer), Patience.Seconds(60)))
                Assert.Fail($"The watchdog: {peer.Id} does not sleep, {Waiters} are counted.");
        }

        /// <summary>A peer that has come to a point of a command.</summary>
        internal ForeignPeer StopAt(string kind, string point, string command, string? says = null)
        {
            ForeignPeer peer = Open(kind);
            peer.Ask($"stopat {point}");
            peer.Post(command);
            if (says is not null) peer.Await(says);
            peer.Await($"stopped {point}");
            return peer;
        }

        public void Dispose()
        {
            foreach (ForeignPeer peer in _peers) peer.Dispose();
            File.Delete(Path);
        }

        private static bool IsInFutex(ForeignPeer peer)
        {
            string futex = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? "98 " : "202 ";
            return File.ReadAllText($"/proc/{peer.Id}/syscall").StartsWith(futex, StringComparison.Ordinal);
        }

        private uint Word(int at)
        {
            byte[] all = File.ReadAllBytes(Path);
            return BitConverter.IsLittleEndian ? BinaryPrimitives.ReadUInt32LittleEndian(all.AsSpan(at))
                : BinaryPrimitives.ReadUInt32BigEndian(all.AsSpan(at));
        }
    }
}
