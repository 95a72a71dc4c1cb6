using System.Diagnostics;
using Xunit;

namespace NativeIpc.Channels.Rings;

/// <summary>Writers and readers that are killed between showing something and waking who sleeps for it: the kernel
/// wakes. The sleeper here is a bare one, without an end, so that nothing else can have woken it.</summary>
[NeedsLinux("Channels are there on Linux.")]
public sealed class LastWakeTests : LanguageTests
{
    private const int TailAt = 128, EndedAt = 136, HeadAt = 256, ReaderBellAt = 384, WriterBellAt = 512;
    private const int Last = 100; // more lines than a call of the module in Python has

    public static TheoryData<string, string, string> Steps
    {
        get
        {
            var all = new TheoryData<string, string, string>();
            foreach (string step in new[] { "reserved", "filled", "cleared", "shown", "done" })
            {
                all.Add("dotnet", "show", "ring.write." + step);
                if (step != "done") all.Add("c", "show", step);
            }

            foreach (string step in new[] { "used", "cleared", "released" })
            {
                all.Add("dotnet", "free", "ring.read." + step);
                all.Add("c", "free", step);
            }

            foreach (string step in new[] { "stamped", "whole", "cleared", "shown" })
            {
                all.Add("dotnet", "show-topic", "topic.write." + step);
                all.Add("c", "show-topic", step);
            }

            foreach (string step in new[] { "cleared", "ended" })
            {
                all.Add("dotnet", "end", "ring.write." + step);
                all.Add("c", "end", step);
                all.Add("c", "end-many", step);
            }

            foreach (string step in new[] { "left", "ending", "ended" })
                all.Add("dotnet", "end-many", "ring.write." + step);

            // Threads without a list of robust futexes: those of musl, and others that have lost theirs
            foreach (string step in new[] { "cleared", "shown" })
            {
                all.Add("musl", "show", step);
                all.Add("musl", "show-topic", step);
                all.Add("unlisted dotnet", "show", "ring.write." + step);
                all.Add("unlisted dotnet", "show-topic", "topic.write." + step);
            }

            all.Add("musl", "free", "released");
            all.Add("unlisted dotnet", "free", "ring.read.released");
            return all;
        }
    }

    [Theory]
    [MemberData(nameof(Steps))]
    public void One_that_is_killed_at_any_step_leaves_nobody_asleep_for_what_it_has_shown(string language, string verb,
        string step)
        => Assert.True(IsKilled(language, verb, step), "The step was not reached.");

    [Theory]
    [InlineData("python", "show")]
    [InlineData("python", "free")]
    [InlineData("python", "show-topic")]
    [InlineData("python", "end")]
    [InlineData("unlisted python", "show")]
    [Trait("Speed", "slow")]
    public void One_in_Python_that_is_killed_at_any_line_leaves_nobody_asleep_for_what_it_has_shown(string language,
        string verb)
    {
        int line = 1;
        while (IsKilled(language, verb, $"{line}")) Assert.True(line++ < Last, "It has no end.");
        Assert.True(line > 10, "It has no steps.");
    }

    /// <summary>False when it came to its end.</summary>
    private bool IsKilled(string language, string verb, string step)
    {
        NativeIpcKey key = NextKey();
        bool isTopic = verb == "show-topic";
        using SharedTopic? topic = isTopic ? SharedTopic.CreateNew(key, 100) : null;
        using SharedRing? ring = isTopic ? null : SharedRing.CreateNew(key, 4096,
            verb == "end-many" ? SharedRingForm.ManyToMany : SharedRingForm.OneToOne);
        if (verb == "free")
        {
            using SharedRingWriter writer = ring!.OpenWriter();
            writer.Write("one"u8);
        }

        (int shownAt, int bellAt) = verb == "free" ? (HeadAt, WriterBellAt)
            : (verb is "end" or "end-many" ? EndedAt : TailAt, ReaderBellAt);
        using SharedMemory raw = SharedMemory.OpenExisting(key);
        string[] words = language.Split(' ');
        Process peer = In(words[^1], verb == "end-many" ? "end" : verb, key, [step, .. words[..^1]]);
        Assert.Equal("open", Line(peer));
        uint before = Volatile.Read(ref raw.GetReference<uint>(shownAt));
        Volatile.Write(ref raw.GetReference<uint>(bellAt), 1);
        int sleeper = 0;
        Task<WordWaitResult> sleep = Task.Factory.StartNew(() =>
        {
            Volatile.Write(ref sleeper, Threads.Current);
            return raw.WaitOnWord(bellAt, 1, Watchdog);
        }, TaskCreationOptions.LongRunning);
        while (Volatile.Read(ref sleeper) == 0) Thread.Yield();
        while (!sleep.IsCompleted && !Threads.IsAsleep(sleeper)) Thread.Yield();
        peer.StandardInput.WriteLine();
        string? said = Line(peer);
        Ended(peer);
        bool isShown = Volatile.Read(ref raw.GetReference<uint>(shownAt)) != before;
        if (!isShown) raw.WakeWord(bellAt, int.MaxValue); // it may sleep
        Assert.NotEqual(WordWaitResult.TimedOut, sleep.Result);
        if (said is not null)
        {
            Assert.True(isShown);
            return false;
        }

        Assert.Equal(137, peer.ExitCode);
        return true;
    }
}
