using System.Diagnostics;
using System.Globalization;
using Xunit;

namespace NativeIpc.Channels.Rings;

/// <summary>Writers and readers that are killed at named steps. <c>NATIVEIPC_CHANNEL_KILLS=2000</c> for more kills,
/// or <c>NATIVEIPC_LONG</c>.</summary>
[NeedsLinux("Channels are there on Linux.")]
public class RingCrashTests : ChannelTests
{
    internal static int Kills { get; } = int.TryParse(Environment.GetEnvironmentVariable("NATIVEIPC_CHANNEL_KILLS"),
        NumberStyles.None, CultureInfo.InvariantCulture, out int given) ? given : IsLong ? 2000 : 16;

    private static readonly string[] s_writerSteps =
    [
        "role.locked", "role.noted", "ring.write.reserved", "ring.write.filled", "ring.write.appended",
        "ring.write.shown", "ring.write.cleared", "ring.write.done",
    ];

    private static readonly string[] s_readerSteps =
    [
        "role.locked", "role.noted", "ring.read.taken", "ring.read.used", "ring.read.released", "ring.read.cleared",
        "bell.armed",
    ];

    private static readonly string[] s_onceSteps =
        ["role.noted", "ring.read.taken", "ring.read.copied", "ring.read.used", "ring.read.released", "bell.armed"];

    [Fact]
    [Trait("Speed", "slow")]
    public void A_writer_that_is_killed_at_any_step_leaves_no_part_of_a_message_and_the_next_one_goes_on()
    {
        NativeIpcKey key = NextKey(), ledgerKey = NextKey();
        using SharedRing ring = SharedRing.CreateNew(key, 16384);
        using SharedMemory ledger = SharedMemory.CreateNew(ledgerKey, 4096);
        using SharedRingReader reader = ring.OpenReader();
        var random = new Random(1);
        for (int kill = 0; kill < Kills; kill++)
        {
            string step = s_writerSteps[kill % s_writerSteps.Length];
            bool isEarly = step.StartsWith("role", StringComparison.Ordinal);
            ledger.Span.Clear();
            Process peer = Peer("write", $"{key}", $"{ledgerKey}", $"{kill}", step,
                $"{(isEarly ? 1 : random.Next(1, 3000))}", "0");
            var got = (Writer: (ulong)kill, Number: 0UL);
            while (!peer.HasExited)
            {
                while (reader.TryRead(TimeSpan.FromMilliseconds(20), out ReadOnlySpan<byte> message))
                {
                    Assert.Equal((got.Writer, got.Number + 1), got = NativeIpc.Channels.Peer.Message.Read(message));
                    reader.Release();
                }
            }

            // Whatever was shown while this looked last
            while (reader.TryRead(out ReadOnlySpan<byte> message))
            {
                Assert.Equal((got.Writer, got.Number + 1), got = NativeIpc.Channels.Peer.Message.Read(message));
                reader.Release();
            }

            ulong intended = ledger.GetReference<ulong>(0), shown = ledger.GetReference<ulong>(8);
            Assert.InRange(got.Number, shown, intended);
            Ended(peer);
            Assert.Equal(137, peer.ExitCode);
            if (step != "role.locked") Assert.Equal(SharedChannelPeerState.Killed, ring.Writer.State);
            Assert.Contains(Line(peer), new[] { null, "writing", "writing after a killed one" });
        }

        Process last = Peer("write", $"{key}", $"{ledgerKey}", "1000000", "-", "0", "100");
        Assert.Equal("writing after a killed one", Line(last));
        ulong next = 1;
        while (reader.TryRead(Watchdog, out ReadOnlySpan<byte> message))
        {
            Assert.Equal((1000000UL, next++), NativeIpc.Channels.Peer.Message.Read(message));
            reader.Release();
        }

        Assert.Equal(101UL, next);
    }

    [Fact]
    [Trait("Speed", "slow")]
    public void A_reader_that_is_killed_at_any_step_loses_nothing() => KillReaders("again", s_readerSteps);

    [Fact]
    [Trait("Speed", "slow")]
    public void A_reader_that_is_killed_at_any_step_loses_what_it_had_and_nothing_is_given_twice()
        => KillReaders("once", s_onceSteps);

    [Fact]
    public void A_stopped_writer_is_named_and_not_robbed_and_a_killed_one_is_passed()
    {
        NativeIpcKey key = NextKey();
        using SharedRing ring = SharedRing.CreateNew(key, 4096);
        Process peer = Peer("hold", $"{key}");
        Assert.Equal("held", Line(peer));
        Assert.Equal(new SharedChannelPeer(SharedChannelPeerState.Living, peer.Id), ring.Writer);
        Shell.Run("kill", ["-STOP", $"{peer.Id}"]);
        while (ring.Writer.State == SharedChannelPeerState.Living) Thread.Yield();
        Assert.Equal(new SharedChannelPeer(SharedChannelPeerState.Stopped, peer.Id), ring.Writer);
        string told = Assert.Throws<SharedChannelException>(ring.OpenWriter).Message;
        Assert.Contains($"process {peer.Id}, which is stopped", told, StringComparison.Ordinal);
        Assert.False(ring.TryOpenWriter(TimeSpan.FromMilliseconds(200), out _));
        Task<bool> waiting = Task.Run(() => ring.TryOpenWriter(Watchdog, out SharedRingWriter? next) && next.TookOver);
        peer.Kill();
        Assert.True(waiting.Result);
    }

    [Theory]
    [InlineData("make", "channel.make.locked")]
    [InlineData("make", "channel.make.written")]
    [InlineData("make-topic", "channel.make.locked")]
    [InlineData("make-topic", "channel.make.written")]
    public void A_maker_that_is_killed_leaves_what_the_next_one_finishes(string verb, string step)
    {
        NativeIpcKey key = NextKey();
        Process maker = Peer(verb, $"{key}", step);
        Ended(maker);
        Assert.Equal(137, maker.ExitCode);
        var hasty = new SharedMemoryOptions { PeerTimeout = TimeSpan.Zero };
        if (verb == "make")
        {
            Assert.Equal(SharedChannelError.HalfMade,
                Assert.Throws<SharedChannelException>(() => SharedRing.OpenExisting(key, hasty)).Error);
            using SharedRing ring = SharedRing.CreateOrOpen(key, 4096);
            Assert.True(ring.CreatedNew);
            using SharedRingWriter writer = ring.OpenWriter();
            using SharedRingReader reader = ring.OpenReader();
            Assert.True(writer.TryWrite([1]));
            Assert.True(reader.TryRead(out _));
            return;
        }

        Assert.Equal(SharedChannelError.HalfMade, Assert.Throws<SharedChannelException>(
            () => SharedTopic.OpenExisting(key, options: hasty)).Error);
        using SharedTopic topic = SharedTopic.CreateOrOpen(key, 100);
        Assert.True(topic.CreatedNew);
        using SharedTopicWriter first = topic.OpenWriter();
        first.Write([1]);
        Assert.Equal(1, first.Latest);
    }

    [Theory]
    [InlineData("taken", "Living True")]
    [InlineData("lost", "Unknown")]
    public void One_that_takes_the_role_during_a_look_is_no_killed_one_and_no_answer_is_not_nobody(string how,
        string told)
    {
        NativeIpcKey key = NextKey();
        using SharedRing ring = SharedRing.CreateNew(key, 4096);
        Assert.Equal(told, Line(Peer("look", $"{key}", how)));
    }

    private void KillReaders(string delivery, string[] steps)
    {
        NativeIpcKey key = NextKey(), ledgerKey = NextKey();
        using SharedRing ring = SharedRing.CreateNew(key, 16384);
        using SharedMemory ledger = SharedMemory.CreateNew(ledgerKey, 8 << 20);
        using SharedRingWriter writer = ring.OpenWriter();
        var random = new Random(2);
        ulong next = 1;
        byte[] message = new byte[1000];
        ulong last = 0; // the last number that a reader has noted
        for (int kill = 0; kill <= Kills; kill++)
        {
            bool isLast = kill == Kills;
            string step = isLast ? "-" : steps[kill % steps.Length];
            bool isEarly = step.StartsWith("role", StringComparison.Ordinal);
            ledger.GetReference<ulong>(0) = 0;
            Process peer = Peer("read", $"{key}", $"{ledgerKey}", step, $"{(isEarly ? 1 : random.Next(1, 1000))}",
                delivery);
            while (!peer.HasExited && (!isLast || next < 1_000_000))
            {
                Span<byte> one = message.AsSpan(0, 24 + random.Next(random.Next(4) == 0 ? 976 : 100));
                NativeIpc.Channels.Peer.Message.Fill(one, 0, next);
                if (writer.TryWrite(one, TimeSpan.FromMilliseconds(20))) next++;
                if (isLast && Volatile.Read(ref ledger.GetReference<ulong>(0)) > 1000) break;
                // Pauses, so that it sleeps as well
                if (random.Next(50) == 0) SpinWait.SpinUntil(() => peer.HasExited, 1);
            }

            if (isLast) writer.Complete();
            Ended(peer);
            Assert.Equal(isLast ? 0 : 137, peer.ExitCode);
            ulong count = ledger.GetReference<ulong>(0);
            for (ulong i = 1; i <= count; i++)
            {
                ulong number = ledger.GetReference<ulong>(8 * (long)i);
                bool isNext = number == last + 1;
                bool isFirst = i == 1;
                bool isSound = isNext || (isFirst && (delivery == "again" ? number == last : number == last + 2));
                Assert.True(isSound, $"{number} after {last}, {step}, {(isFirst ? "of a new reader" : "")}");
                last = number;
            }
        }

        Assert.Equal(next - 1, last);
    }
}
