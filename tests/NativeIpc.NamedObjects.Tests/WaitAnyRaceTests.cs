using System.Globalization;
using NativeIpc.Testing;
using Xunit;

namespace NativeIpc.NamedObjects.Tests;

/// <summary>Several named objects in one wait: exactly one is taken, whoever gives, takes and ends.
/// NATIVEIPC_NAMED_ANY_RACES says how often (100,000 for the whole proof).</summary>
public sealed class WaitAnyRaceTests : NamedObjectTests
{
    private const int Semaphore = 0, Event = 1, Mutex = 2, Over = 3;

    private static int Races { get; } =
        Environment.GetEnvironmentVariable("NATIVEIPC_NAMED_ANY_RACES") is { Length: > 0 } given
            ? int.Parse(given, CultureInfo.InvariantCulture) : Sample.Of(100_000, 2_000);

    [Fact]
    [NeedsLinux("Windows has one wait for them, and its own tests.")]
    public void What_threads_and_processes_take_is_what_was_given()
    {
        const int threads = 2, processes = 2;
        string[] names = [NextName(), NextName(), NextName(), NextName(), NextName(), NextName()];
        using var semaphore = new NamedSemaphore(0, int.MaxValue, names[Semaphore]);
        using var signal = new NamedEvent(false, EventResetMode.AutoReset, names[Event]);
        using var mutex = new NamedMutex(true, names[Mutex]);
        using var over = new NamedEvent(false, EventResetMode.ManualReset, names[Over]);
        using var answers = new NamedSemaphore(0, int.MaxValue, names[4]);
        using var map = NamedMemory.CreateOrOpen(names[5], 64);
        using NamedMemoryViewAccessor view = map.CreateViewAccessor();
        PeerProcess[] peers = [.. Enumerable.Range(0, processes).Select(_ => Peer())];
        foreach (PeerProcess peer in peers)
        {
            string[] kinds = ["sem", "event", "mutex", "event", "sem", "map"];
            for (int i = 0; i < kinds.Length; i++) peer.Ask($"open {kinds[i]} {i} {names[i]}");
            peer.Post("anys 0,1,2,3 4 5");
        }

        int[] taken = new int[3];
        WaitHandle[] all = [semaphore, signal, mutex, over];
        Task[] running = [.. Enumerable.Range(0, threads).Select(_ => Start(() =>
        {
            while (NamedWaitHandle.WaitAny(all) is < Over and int which)
            {
                Interlocked.Increment(ref taken[which]);
                if (which == Event) answers.Release();
                if (which != Mutex) continue;
                view.Write(0, view.ReadInt32(0) + 1);
                mutex.ReleaseMutex();
            }
        }))];

        for (int i = 0; i < Races; i++)
        {
            semaphore.Release();
            signal.Set();
            Assert.True(answers.WaitOne(Watchdog), $"Set {i} was lost."); // each lets one in
            if (i % 16 != 0) continue;
            mutex.ReleaseMutex();
            Assert.True(mutex.WaitOne(Watchdog));
        }

        over.Set();
        foreach (Task one in running) Finish(one);
        foreach (PeerProcess peer in peers)
        {
            string[] counts = peer.Answer().Split(' ');
            for (int i = 0; i < Over; i++) taken[i] += int.Parse(counts[i], CultureInfo.InvariantCulture);
        }

        Assert.Equal((Races, Races), (taken[Semaphore], taken[Event]));
        Assert.Equal(view.ReadInt32(0), taken[Mutex]); // one at a time
        Assert.False(semaphore.WaitOne(0) || signal.WaitOne(0) || answers.WaitOne(0));
    }

    [Fact]
    [NeedsLinux("Windows has one wait for them, and its own tests.")]
    public void What_is_passed_over_is_not_taken_for_a_moment_either()
    {
        using var signal = new NamedEvent(false, EventResetMode.AutoReset, NextName());
        using var semaphore = new NamedSemaphore(0, 3, NextName());
        InRounds([signal, semaphore], (round, awaitAnswer) =>
        {
            signal.Set();
            int before = semaphore.Release();
            int then = semaphore.Release();
            Assert.Equal(0, before);
            if (awaitAnswer() == 0)
            {
                Assert.True(then == 1, $"In round {round} the semaphore had {then} permits beside the event.");
                Assert.True(semaphore.WaitOne(0));
            }
            else Assert.True(signal.WaitOne(0));

            Assert.True(semaphore.WaitOne(0));
            Assert.False(semaphore.WaitOne(0) || signal.WaitOne(0));
        });
    }

    [Fact]
    [NeedsLinux("Windows has one wait for them, and its own tests.")]
    public void Beside_a_local_event_that_stays_set_nothing_is_given_back()
    {
        using var semaphore = new NamedSemaphore(0, 3, NextName());
        using var local = new ManualResetEvent(false);
        InRounds([local, semaphore], (round, awaitAnswer) =>
        {
            local.Set();
            int before = semaphore.Release();
            int then = semaphore.Release();
            Assert.Equal(0, before);
            if (awaitAnswer() == 0)
            {
                Assert.True(then == 1, $"In round {round} the semaphore had {then} permits beside the event.");
                Assert.True(semaphore.WaitOne(0));
            }

            Assert.True(semaphore.WaitOne(0));
            Assert.False(semaphore.WaitOne(0));
            local.Reset();
        });
    }

    /// <summary>A thread waits for any of the handles, again and again, while another one gives it.</summary>
    private static void InRounds(WaitHandle[] handles, Action<int, Func<int>> give)
    {
        using var begin = new AutoResetEvent(false);
        using var answered = new AutoResetEvent(false);
        bool isOver = false;
        int answer = -1;
        Task waiter = Start(() =>
        {
            while (begin.WaitOne() && !Volatile.Read(ref isOver))
            {
                Volatile.Write(ref answer, NamedWaitHandle.WaitAny(handles, Watchdog / 2));
                answered.Set();
            }
        });
        try
        {
            for (int round = 0; round < Races; round++)
            {
                begin.Set();
                Thread.SpinWait(round * 37 % 5_000); // before it sleeps, or after
                give(round, () =>
                {
                    Assert.True(answered.WaitOne(Watchdog));
                    return Volatile.Read(ref answer);
                });
            }
        }
        finally
        {
            Volatile.Write(ref isOver, true);
            begin.Set();
            Finish(waiter);
        }
    }
}
