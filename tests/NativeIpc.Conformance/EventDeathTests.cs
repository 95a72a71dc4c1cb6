using Xunit;

namespace NativeIpc.Conformance;

/// <summary>A process is killed at each step of setting and of waiting: the event stays valid, and those that it did
/// not wake see it within 11 s.</summary>
public abstract class EventDeathTests<TProvider> : ConformanceTests<TProvider>
    where TProvider : Provider, new()
{
    private PeerProcess Stopping(in NativeIpcKey key, string point, string open = "open")
    {
        PeerProcess victim = Peer();
        victim.Ask($"event {open} e {key}");
        victim.Ask($"stopat {point}");
        return victim;
    }

    private static void KillAt(PeerProcess victim, string point)
    {
        victim.Await($"stopped {point}");
        victim.Kill();
    }

    // An event that works: what is given twice is taken twice, and no more.
    private static void AssertWorks(SystemEvent opened)
    {
        opened.Reset();
        while (opened.Wait(TimeSpan.FromMilliseconds(1))) opened.Reset(); // what was given to the dead
        for (int i = 0; i < 20; i++)
        {
            Task sleeper = Start(opened.Wait);
            EventTests<TProvider>.AwaitSleepers(opened, 1);
            opened.Set();
            Finish(sleeper);
            opened.Reset();
            Assert.False(opened.Wait(TimeSpan.Zero));
        }

        opened.Set();
        opened.Wait();
    }

    [BackendTheory(Needs.Posix | Needs.Linux)]
    [InlineData(EventResetMode.AutoReset, "event.set")]
    [InlineData(EventResetMode.ManualReset, "event.set")]
    [Trait("Speed", "slow")]
    public void A_sleeper_that_a_killed_setter_did_not_wake_is_up_within_11_s(EventResetMode mode, string point)
    {
        using SystemEvent opened = SystemEvent.CreateNew(NextKey(), mode);
        Task sleeper = Start(opened.Wait);
        Task asynchronous = opened.WaitAsync(Cancellation).AsTask();
        EventTests<TProvider>.AwaitSleepers(opened, 2);
        PeerProcess victim = Stopping(opened.Key, point);
        victim.Post("event set e");
        KillAt(victim, point);
        if (mode == EventResetMode.ManualReset) opened.Reset(); // they are free all the same
        Assert.NotEqual(-1, Task.WaitAny([sleeper, asynchronous], s_watchdog));
        if (mode == EventResetMode.ManualReset) Finish(sleeper, asynchronous);
        else Assert.False(sleeper.IsCompleted && asynchronous.IsCompleted);
        opened.Set();
        Finish(sleeper, asynchronous);
        AssertWorks(opened);
    }

    [BackendFact(Needs.Posix | Needs.Linux)]
    public void A_setter_killed_after_it_woke_nobody_leaves_what_it_gave_to_the_next_waiter()
    {
        using SystemEvent opened = SystemEvent.CreateNew(NextKey(), EventResetMode.AutoReset);
        PeerProcess dead = Stopping(opened.Key, "event.joined");
        dead.Post("event wait e");
        dead.Await("waiting");
        KillAt(dead, "event.joined"); // a waiter too many, whom nobody can wake
        PeerProcess victim = Stopping(opened.Key, "event.woken");
        victim.Post("event set e");
        KillAt(victim, "event.woken");
        Finish(Start(opened.Wait));
        AssertWorks(opened);
    }

    [BackendTheory(Needs.Posix | Needs.Linux)]
    [InlineData(EventResetMode.AutoReset, "event.joined", false)]
    [InlineData(EventResetMode.AutoReset, "event.up", true)]
    [InlineData(EventResetMode.AutoReset, "event.taken", true)]
    [InlineData(EventResetMode.AutoReset, "event.left", true)]
    [InlineData(EventResetMode.ManualReset, "event.joined", false)]
    [InlineData(EventResetMode.ManualReset, "event.up", true)]
    [InlineData(EventResetMode.ManualReset, "event.left", true)]
    public void Killed_while_waiting(EventResetMode mode, string point, bool isSet)
    {
        using SystemEvent opened = SystemEvent.CreateNew(NextKey(), mode);
        PeerProcess victim = Stopping(opened.Key, point);
        victim.Post("event wait e");
        victim.Await("waiting");
        if (isSet)
        {
            EventTests<TProvider>.AwaitSleepers(opened, 1);
            Sleeping.Await($"/proc/{victim.Id}", offset: 0);
            opened.Set();
        }

        KillAt(victim, point);
        AssertWorks(opened);
    }

    [BackendFact(Needs.Linux)]
    public void Sleepers_that_are_killed_change_nothing_for_the_others()
    {
        NativeIpcKey key = NextKey();
        using SystemEvent opened = SystemEvent.CreateNew(key, EventResetMode.AutoReset);
        for (int round = 0; round < 5; round++)
        {
            PeerProcess[] victims = [Peer(), Peer()];
            foreach (PeerProcess victim in victims)
            {
                victim.Ask($"event open e {key}");
                victim.Post("event wait e");
                victim.Await("waiting");
            }

            Task survivor = Start(opened.Wait);
            EventTests<TProvider>.AwaitSleepers(opened, Backend.IsSystemV ? 3 : (2 * round) + 3);
            foreach (PeerProcess victim in victims) victim.Kill();
            opened.Set();
            Finish(survivor);
            Assert.False(opened.Wait(TimeSpan.Zero));
        }

        AssertWorks(opened);
    }

    [BackendFact(Needs.Posix | Needs.Linux)]
    public void A_maker_that_is_killed_before_the_name_leaves_nothing()
    {
        NativeIpcKey key = NextKey();
        PeerProcess victim = Peer();
        victim.Ask("stopat event.unnamed");
        victim.Post($"event create e {key} auto 1");
        KillAt(victim, "event.unnamed");
        Assert.False(SystemEvent.TryOpenExisting(key, out _));
        using SystemEvent made = SystemEvent.CreateNew(key, EventResetMode.ManualReset);
        AssertWorks(made);
    }
}
