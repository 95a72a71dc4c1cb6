using System.Diagnostics;
using Xunit;

namespace NativeIpc.Channels.Rings;

/// <summary>Sleepers that a killed or stopped peer may have left: when they look by themselves, and who is
/// woken.</summary>
[NeedsLinux("Channels are there on Linux.")]
public sealed class BellTests : LanguageTests
{
    private const int TailAt = 128, HeadAt = 256, ReaderBellAt = 384, WakingAt = 388, WriterBellAt = 512;
    private const int Record = 112; // of a message of 104 bytes
    private const int Most = 100; // looks, until a sleep is a long one

    /// <summary>Room that is too little is shown twice, the second time by one that looked at the bell before it was
    /// set again, and was killed before it looked once more: nobody wakes.</summary>
    [Theory]
    [InlineData("dotnet", SharedRingForm.OneToOne)]
    [InlineData("dotnet", SharedRingForm.ManyToMany)]
    [InlineData("c", SharedRingForm.OneToOne)]
    [InlineData("c", SharedRingForm.ManyToMany)]
    [InlineData("python", SharedRingForm.OneToOne)]
    public void One_that_was_woken_for_too_little_looks_once_more_before_a_long_sleep(string language,
        SharedRingForm form)
    {
        NativeIpcKey key = NextKey();
        using SharedRing ring = SharedRing.CreateNew(key, 4096, form);
        Fill(ring);
        using SharedMemory raw = SharedMemory.OpenExisting(key);
        Process peer = In(language, "await", key, "write");
        AwaitLongSleep(peer);
        Release(raw, Volatile.Read(ref raw.GetReference<ulong>(HeadAt)) + Record);
        Assert.Equal("armed", Line(peer));
        Assert.Equal("armed", Line(peer)); // by itself
        AwaitLongSleep(peer);
        Release(raw, Volatile.Read(ref raw.GetReference<ulong>(TailAt)));
        Assert.Equal("done", Line(peer));
    }

    /// <summary>Who has the turn may have looked at the bell long ago, before it was set, and be killed when it has
    /// shown something.</summary>
    [Theory]
    [InlineData("dotnet", "write")]
    [InlineData("dotnet", "read")]
    [InlineData("c", "write")]
    [InlineData("c", "read")]
    public void Nobody_sleeps_long_while_one_of_the_other_side_who_lives_has_the_turn(string language, string side)
    {
        NativeIpcKey key = NextKey();
        using SharedRing ring = SharedRing.CreateNew(key, 4096, SharedRingForm.ManyToMany);
        if (side == "write") Fill(ring);
        Process holder = In("c", "turn", key, side == "write" ? "read" : "write");
        Assert.Equal("held", Line(holder));
        Process peer = In(language, "await", key, side);
        for (int looks = 0; looks < 4; looks++) Assert.Equal("armed", Line(peer));
        holder.Kill();
        Ended(holder);
        AwaitLongSleep(peer);
    }

    /// <summary>The first one stands for a wait without a thread that has ended, of a process that was stopped before
    /// the kernel was told: it takes a wake-up and does nothing.</summary>
    [Theory]
    [InlineData("dotnet", "show")]
    [InlineData("dotnet", "free")]
    [InlineData("c", "show")]
    [InlineData("c", "free")]
    [InlineData("python", "show")]
    [InlineData("python", "free")]
    public void Who_rings_wakes_all_that_sleep_there(string language, string verb)
    {
        NativeIpcKey key = NextKey();
        using SharedRing ring = SharedRing.CreateNew(key, 4096);
        if (verb == "free")
        {
            using SharedRingWriter writer = ring.OpenWriter();
            writer.Write("one"u8);
        }

        int bellAt = verb == "free" ? WriterBellAt : ReaderBellAt;
        using SharedMemory raw = SharedMemory.OpenExisting(key);
        Process peer = In(language, verb, key, "1000000");
        Assert.Equal("open", Line(peer));
        Volatile.Write(ref raw.GetReference<uint>(bellAt), 1);
        Task<WordWaitResult>[] sleeps = [Sleep(raw, bellAt), Sleep(raw, bellAt)];
        peer.StandardInput.WriteLine();
        Assert.Equal(verb == "free" ? "freed" : "shown", Line(peer));
        foreach (Task<WordWaitResult> sleep in sleeps) Assert.Equal(WordWaitResult.Woken, sleep.Result);
    }

    /// <summary>A number that is there again would let one sleep that saw nothing before the bell was cleared, and does
    /// not sleep yet: beside a message.</summary>
    [Theory]
    [InlineData("dotnet")]
    [InlineData("c")]
    [InlineData("python")]
    public void Those_that_share_a_bell_set_another_number_each_time(string language)
    {
        NativeIpcKey key = NextKey();
        using SharedTopic topic = SharedTopic.CreateNew(key, 100);
        using SharedTopicWriter writer = topic.OpenWriter();
        using SharedMemory raw = SharedMemory.OpenExisting(key);
        HashSet<uint> seen = [0];
        for (int i = 0; i < 3; i++)
        {
            Process peer = In(language, "await", key, "follow");
            AwaitLongSleep(peer);
            Assert.True(seen.Add(Volatile.Read(ref raw.GetReference<uint>(ReaderBellAt))));
            writer.Write([1]);
            Assert.Equal("done", Line(peer));
        }
    }

    /// <summary>The kernel wakes one reader for a killed writer, and that one the others, if a word says so.</summary>
    [Theory]
    [InlineData("dotnet", "ring.write.cleared")]
    [InlineData("c", "cleared")]
    public void One_that_is_killed_while_it_rings_for_a_killed_one_leaves_word_that_all_are_to_be_woken(string language,
        string step)
    {
        NativeIpcKey key = NextKey(), ledgerKey = Names.Next(NativeIpcKeyType.PosixRealtime);
        using SharedRing ring = SharedRing.CreateNew(key, 4096, SharedRingForm.ManyToMany);
        using SharedMemory raw = SharedMemory.OpenExisting(key),
            ledger = SharedMemory.CreateNew(ledgerKey, 131072);
        Ended(In("c", "put", key, ledgerKey.NativeKey, "0", "filled", "1", "1"));
        Assert.Equal(SharedChannelPeerState.Killed, ring.Writer.State);
        string named = language == "dotnet" ? $"{ledgerKey}" : ledgerKey.NativeKey;
        Process second = In(language, "put", key, named, "1", step, "1", "1");
        Ended(second);
        Assert.Equal(137, second.ExitCode);
        Assert.Equal(1u, Volatile.Read(ref raw.GetReference<uint>(WakingAt)));
    }

    private static void Fill(SharedRing ring)
    {
        using SharedRingWriter writer = ring.OpenWriter();
        while (writer.TryWrite(new byte[104]))
        {
        }
    }

    private static void Release(SharedMemory raw, ulong head)
    {
        Volatile.Write(ref raw.GetReference<ulong>(HeadAt), head);
        Volatile.Write(ref raw.GetReference<uint>(WriterBellAt), 0);
        raw.WakeWord(WriterBellAt, int.MaxValue); // one that does not sleep yet finds the 0
    }

    private static void AwaitLongSleep(Process peer)
    {
        string? said = null;
        for (int looks = 0; looks < Most && (said = Line(peer)) == "armed"; looks++)
        {
        }

        Assert.Equal("long", said);
    }

    private static Task<WordWaitResult> Sleep(SharedMemory raw, int at)
    {
        int sleeper = 0;
        Task<WordWaitResult> sleep = Task.Factory.StartNew(() =>
        {
            Volatile.Write(ref sleeper, Threads.Current);
            return raw.WaitOnWord(at, 1, Watchdog);
        }, TaskCreationOptions.LongRunning);
        while (Volatile.Read(ref sleeper) == 0) Thread.Yield();
        while (!sleep.IsCompleted && !Threads.IsAsleep(sleeper)) Thread.Yield();
        return sleep;
    }
}
