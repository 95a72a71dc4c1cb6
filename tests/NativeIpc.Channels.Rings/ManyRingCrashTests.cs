using System.Diagnostics;
using Xunit;

namespace NativeIpc.Channels.Rings;

/// <summary>Several writers and readers in C# and C, in processes of their own, some of which are killed at named steps
/// or stopped. Their storm is ManyStormTests.</summary>
[NeedsLinux("Channels are there on Linux.")]
public class ManyRingCrashTests : LanguageTests
{
    [Fact]
    [Trait("Speed", "slow")]
    public void Processes_in_C_and_CSharp_are_given_each_message_once()
    {
        const ulong Count = 4000;
        NativeIpcKey key = NextKey(), ledgerKey = Names.Next(NativeIpcKeyType.PosixRealtime);
        using SharedRing ring = SharedRing.CreateNew(key, 16384, SharedRingForm.ManyToMany);
        using SharedMemory ledger = SharedMemory.CreateNew(ledgerKey, 131072);
        using SharedRingWriter last = ring.OpenWriter(); // so that none of the others is
        string[] languages = ["dotnet", "c", "cpp", "dotnet", "unfenced c"];
        Process[] readers = [.. languages.Select((one, i) => Take(one, key, ledgerKey, i, "-", 0, "again"))];
        Process[] writers = [.. languages.Select((one, i) => Put(one, key, ledgerKey, i, "-", 0, Count))];
        foreach (Process writer in writers)
        {
            Assert.Equal("writing", Line(writer));
            Assert.Equal("done False", Line(writer));
        }

        last.Complete();
        foreach (Process reader in readers) Assert.Equal("done", Line(reader));
        ulong given = 0;
        for (int i = 0; i < languages.Length; i++)
        {
            Assert.Equal((Count, Count, 0UL), (Last(ledger, i), Shown(ledger, i), Again(ledger, i)));
            given += Given(ledger, i);
        }

        Assert.Equal(Count * (ulong)languages.Length, given);
        using SharedRingReader rest = ring.OpenReader();
        Assert.False(rest.TryRead(out _));
    }

    [Theory]
    [InlineData("dotnet", "write")]
    [InlineData("dotnet", "read")]
    [InlineData("c", "write")]
    [InlineData("c", "read")]
    public void A_stopped_holder_of_a_turn_is_named_and_not_robbed_and_a_killed_one_is_passed(string language,
        string side)
    {
        NativeIpcKey key = NextKey();
        using SharedRing ring = SharedRing.CreateNew(key, 4096, SharedRingForm.ManyToMany);
        using SharedRingWriter writer = ring.OpenWriter();
        using SharedRingReader reader = ring.OpenReader();
        writer.Write([1]);
        Process peer = In(language, "turn", key, side);
        Assert.Equal("held", Line(peer));
        Assert.Equal(new SharedChannelPeer(SharedChannelPeerState.Living, peer.Id), Holder());
        Shell.Run("kill", ["-STOP", $"{peer.Id}"]);
        while (Holder().State == SharedChannelPeerState.Living) Thread.Yield();
        Assert.Equal(new SharedChannelPeer(SharedChannelPeerState.Stopped, peer.Id), Holder());
        Assert.False(Goes(TimeSpan.FromMilliseconds(200)));
        Assert.Equal(new SharedChannelPeer(SharedChannelPeerState.Stopped, peer.Id), Holder());
        Task<bool> waiting = Task.Run(() => Goes(Watchdog));
        peer.Kill();
        Assert.True(waiting.Result);
        Assert.True(side == "write" ? writer.TookOver : reader.TookOver);
        Assert.False(side == "write" ? reader.TookOver : writer.TookOver);

        SharedChannelPeer Holder() => side == "write" ? ring.Writer : ring.Reader;

        bool Goes(TimeSpan time) => side == "write" ? writer.TryWrite([2], time)
            : reader.TryRead(time, out ReadOnlySpan<byte> got) && got[0] == 1;
    }

    [Theory]
    [InlineData("dotnet")]
    [InlineData("c")]
    public void A_killed_holder_is_told_killed_and_passed_by_a_try(string language)
    {
        NativeIpcKey key = NextKey();
        using SharedRing ring = SharedRing.CreateNew(key, 4096, SharedRingForm.ManyToMany);
        using SharedRingWriter writer = ring.OpenWriter();
        Process peer = In(language, "turn", key, "write");
        Assert.Equal("held", Line(peer));
        peer.Kill();
        Ended(peer);
        Assert.Equal(new SharedChannelPeer(SharedChannelPeerState.Killed, peer.Id), ring.Writer);
        Assert.True(writer.TryWrite([1]));
        Assert.True(writer.TookOver);
    }

    [Theory]
    [InlineData("dotnet", "turn.claimed")]
    [InlineData("dotnet", "turn.taken")]
    [InlineData("c", "turn_claimed")]
    [InlineData("c", "turn_taken")]
    public void One_that_is_killed_at_taking_over_is_passed_in_its_turn(string language, string step)
    {
        NativeIpcKey key = NextKey(), ledgerKey = Names.Next(NativeIpcKeyType.PosixRealtime);
        using SharedRing ring = SharedRing.CreateNew(key, 4096, SharedRingForm.ManyToMany);
        using SharedMemory ledger = SharedMemory.CreateNew(ledgerKey, 131072);
        using SharedRingReader reader = ring.OpenReader();
        Process second = Put(language, key, ledgerKey, 1, step, 1, 1, "go");
        Process third = Put(language, key, ledgerKey, 2, "-", 0, 1, "go");
        Assert.Equal("writing", Line(second));
        Assert.Equal("writing", Line(third));
        Process first = Put("c", key, ledgerKey, 0, "filled", 1, 1);
        Ended(first);
        Assert.Equal(SharedChannelPeerState.Killed, ring.Writer.State);
        second.StandardInput.WriteLine();
        Ended(second);
        Assert.Equal(SharedChannelPeerState.Killed, ring.Writer.State);
        third.StandardInput.WriteLine();
        Assert.Equal("done True", Line(third));
        Assert.Equal(SharedChannelPeerState.None, ring.Writer.State);
        Assert.True(reader.TryRead(out ReadOnlySpan<byte> got));
        Assert.Equal((2UL, 1UL), NativeIpc.Channels.Peer.Message.Read(got));
        reader.Release();
        Assert.True(reader.IsCompleted);
    }

    [Theory]
    [InlineData("dotnet", "turn.passed")]
    [InlineData("dotnet", "turn.kept")]
    [InlineData("c", "turn_passed")]
    [InlineData("c", "turn_kept")]
    public void One_that_is_killed_before_it_wakes_a_sleeper_leaves_the_turn_to_it(string language, string step)
    {
        NativeIpcKey key = NextKey(), ledgerKey = Names.Next(NativeIpcKeyType.PosixRealtime);
        using SharedRing ring = SharedRing.CreateNew(key, 4096, SharedRingForm.ManyToMany);
        using SharedMemory ledger = SharedMemory.CreateNew(ledgerKey, 131072);
        using SharedRingReader reader = ring.OpenReader();
        using SharedRingWriter writer = ring.OpenWriter();
        bool isEnough = false;
        int written = 0;
        Task writing = Task.Run(() =>
        {
            while (!Volatile.Read(ref isEnough))
            {
                writer.Write(new byte[24]);
                Interlocked.Increment(ref written);
            }
        });
        Process victim = Put(language, key, ledgerKey, 1, step, 1, 0);

        // The ring is full, so one of the two waits for room, and takes the turn again before the other one is awake.
        ReadSlowly(() => victim.WaitForExit(1));
        Assert.Equal(137, victim.ExitCode);
        int before = Volatile.Read(ref written);
        ReadSlowly(() => writing.Wait(1) || Volatile.Read(ref written) > before + 1);
        Volatile.Write(ref isEnough, true);
        ReadSlowly(() => writing.Wait(1));

        void ReadSlowly(Func<bool> until)
        {
            long start = Stopwatch.GetTimestamp();
            while (!until())
            {
                if (reader.TryRead(out _)) reader.Release();
                Assert.True(Stopwatch.GetElapsedTime(start) < Watchdog, "It goes on for ever.");
            }
        }
    }

    [Theory]
    [InlineData("dotnet")]
    [InlineData("c")]
    public void A_newcomer_that_gets_the_slot_of_a_killed_holder_is_its_heir(string language)
    {
        NativeIpcKey key = NextKey(), ledgerKey = Names.Next(NativeIpcKeyType.PosixRealtime);
        using SharedRing ring = SharedRing.CreateNew(key, 4096, SharedRingForm.ManyToMany);
        using SharedMemory ledger = SharedMemory.CreateNew(ledgerKey, 131072);
        Ended(Put("c", key, ledgerKey, 0, "filled", 1, 1));
        Assert.Equal(SharedChannelPeerState.Killed, ring.Writer.State);
        Process next = Put(language, key, ledgerKey, 1, "-", 0, 1, "go");
        Assert.Equal("writing", Line(next));
        Assert.Equal(SharedChannelPeerState.None, ring.Writer.State);
        using SharedRingWriter other = ring.OpenWriter();
        Assert.True(other.TryWrite([1]));
        Assert.False(other.TookOver);
        next.StandardInput.WriteLine();
        Assert.Equal("done True", Line(next));
    }

    private static ulong Last(SharedMemory ledger, int writer)
        => Volatile.Read(ref ledger.GetReference<ulong>(8 * (4096 + writer)));

    private static ulong Shown(SharedMemory ledger, int writer)
        => Volatile.Read(ref ledger.GetReference<ulong>(8 * (17 + (2 * writer))));

    private static ulong Given(SharedMemory ledger, int reader)
        => Volatile.Read(ref ledger.GetReference<ulong>(8 * (8192 + (4 * reader))));

    private static ulong Again(SharedMemory ledger, int reader)
        => ledger.GetReference<ulong>(8 * (8193 + (4 * reader)));

    private Process Put(string language, NativeIpcKey key, NativeIpcKey ledger, int self, string step, int times,
        ulong count, params string[] more)
        => In(language, "put", key, [Named(language, ledger), $"{self}", step, $"{times}", $"{count}", .. more]);

    private Process Take(string language, NativeIpcKey key, NativeIpcKey ledger, int area, string step, int times,
        string delivery)
    {
        Process reader = In(language, "take", key, Named(language, ledger), $"{area}", step, $"{times}", delivery);
        if (step == "-") Assert.Equal("reading", Line(reader));
        return reader;
    }

    private static string Named(string language, NativeIpcKey key) => language == "dotnet" ? $"{key}" : key.NativeKey;
}
