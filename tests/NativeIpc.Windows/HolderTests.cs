using System.Globalization;
using System.Runtime.InteropServices;
using Xunit;

namespace NativeIpc.WindowsTests;

/// <summary>The record of who holds a lock, beside a C program that knows nothing of it: as holder, as waiter and as
/// victim.</summary>
public partial class HolderTests : WindowsTest
{
    private static readonly TimeSpan s_manyProofs = TimeSpan.FromMilliseconds(400);
    private static readonly TimeSpan s_watchdog = Patience.Seconds(30);
    private static readonly SystemSemaphoreOptions s_robust = new() { Robust = true };

    [Fact]
    public void A_living_peer_that_holds_the_lock_is_not_robbed_not_even_when_it_is_suspended()
    {
        NativeIpcKey key = NewKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 1);
        using SharedMemory other = SharedMemory.OpenExisting(key);
        segment.Lock().Dispose();
        other.Lock().Dispose();
        using Peer peer = Peer.Start();
        Assert.Equal("ok", peer.Ask("open-semaphore", "W", key.NativeKey + "_sem", "least"));
        Assert.Equal("ok", peer.Ask("acquire", 0));

        Assert.False(segment.TryLock(s_manyProofs, out _));
        Assert.Equal(0, NtSuspendProcess(peer.Handle));
        Assert.False(segment.TryLock(s_manyProofs, out _));
        Assert.False(other.TryLock(s_manyProofs, out _));
        Assert.Equal(new LockStatus(LockHolder.Unknown, null, IsRecoverable: true), other.GetLockStatus());
        Assert.Equal(0, NtResumeProcess(peer.Handle));
        Assert.Equal("ok 0", peer.Ask("release", 1));
        using SharedMemoryLock scope = segment.Lock();
        Assert.False(scope.WasAbandoned);
    }

    [Fact]
    public void A_peer_that_waits_gets_the_permit_of_a_dead_holder_when_one_of_ours_has_taken_it_over()
    {
        NativeIpcKey key = NewKey();
        var holder = SystemSemaphore.CreateNew(key, 1, s_robust);
        using SystemSemaphore next = SystemSemaphore.OpenExisting(key, s_robust);
        holder.Acquire();
        using Peer peer = Peer.Start();
        Assert.Equal("ok", peer.Ask("open-semaphore", "W", key.NativeKey, "least"));
        peer.Tell("acquire", -1);
        Assert.False(next.TryAcquire(s_manyProofs));
        Assert.Equal(new LockStatus(LockHolder.Process, Environment.ProcessId,
            IsRecoverable: true) { IsHeldByThisProcess = true }, next.GetLockStatus());
        holder.Dispose(); // without releasing: as dead

        Assert.Equal(LockHolder.DeadProcess, next.GetLockStatus().Holder);
        Assert.True(next.TryAcquire(s_watchdog));
        Assert.True(next.WasAbandoned);
        next.Release();
        Assert.Equal("ok", peer.Answer());
        Assert.False(next.TryAcquire(s_manyProofs));
        Assert.Equal("ok 0", peer.Ask("release", 1));
        Assert.True(next.TryAcquire());
        Assert.False(next.WasAbandoned);
        next.Release();
    }

    [Fact]
    public void A_peer_and_two_of_ours_count_together_while_holders_die()
    {
        NativeIpcKey key = NewKey();
        using SharedMemory segment = SharedMemory.CreateNew(Key(key.NativeKey + "m"), 8);
        using SystemSemaphore survivor = SystemSemaphore.CreateNew(key, 1, s_robust);
        using Peer peer = Peer.Start();
        Assert.Equal("ok 4096", peer.Ask("open-segment", "W", segment.Key.NativeKey, "write"));
        Assert.Equal("ok", peer.Ask("open-semaphore", "W", key.NativeKey, "least"));
        const int Rounds = 100;
        peer.Tell("add", 0, Rounds * 10);
        int told = 0;
        for (int round = 0; round < Rounds; round++)
        {
            using (SystemSemaphore mortal = SystemSemaphore.OpenExisting(key, s_robust))
            {
                mortal.Acquire();
                segment.GetReference<int>(0)++;
            }

            survivor.Acquire();
            if (survivor.WasAbandoned) told++;
            segment.GetReference<int>(0)++;
            survivor.Release();
        }

        Assert.Equal("ok", peer.Answer());
        Assert.Equal(Rounds, told); // the peer could not get in between
        Assert.Equal(Rounds * 12, segment.GetReference<int>(0));
    }

    [Fact]
    public void The_record_is_what_the_document_says_and_goes_with_its_last_user()
    {
        NativeIpcKey key = NewKey();
        string name = key.NativeKey + "_sem_holder";
        using Peer peer = Peer.Start();
        using (SharedMemory segment = SharedMemory.CreateNew(key, 1))
        {
            using SharedMemoryLock scope = segment.Lock();
            Assert.Equal("ok 16384", peer.Ask("open-segment", "W", name, "read"));
            Assert.Equal("ok 4e49504348455231", peer.Ask("read", 0, 8)); // NIPCHER1
            string owner = peer.Ask("read", 8, 8)["ok ".Length..];
            int slot = int.Parse(owner[..2], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            Assert.Equal("01000000000000", owner[2..]); // the first turn
            Assert.Equal($"ok {Convert.ToHexStringLower(BitConverter.GetBytes(Environment.ProcessId))}",
                peer.Ask("read", slot * 64, 4));
            Assert.StartsWith("ok ", peer.Ask("describe", "mutex", $"{name}{slot}"), StringComparison.Ordinal);
            peer.Ask("close-segment");
        }

        Assert.Equal("error OpenFileMapping 2", peer.Ask("open-segment", "W", name, "read"));
    }

    [Fact]
    public void Where_the_record_cannot_be_had_the_lock_works_without_recovery_or_says_so()
    {
        NativeIpcKey key = NewKey();
        using Peer peer = Peer.Start();
        Assert.Equal("ok", peer.Ask("create-event", "W", key.NativeKey + "_sem_holder"));
        using SharedMemory segment = SharedMemory.CreateNew(key, 1);

        segment.Lock().Dispose();
        Assert.Equal(new LockStatus(LockHolder.CannotTell, null, IsRecoverable: false), segment.GetLockStatus());
        using SharedMemory picky = SharedMemory.OpenExisting(key, options: new() { RequireLockRecovery = true });
        Fails(NativeIpcError.KeyError, 6, () => picky.Lock());
        Fails(NativeIpcError.KeyError, 6, () => SystemSemaphore.OpenExisting(Key(key.NativeKey + "_sem"), s_robust));
    }

    [Fact]
    public void A_section_of_somebody_else_under_the_record_s_name_is_left_alone()
    {
        NativeIpcKey key = NewKey();
        using Peer peer = Peer.Start();
        Assert.Equal("ok new", peer.Ask("create-segment", "W", key.NativeKey + "_holder", 65536));
        peer.Ask("write", 0, "58");
        Assert.Equal("ok new", peer.Ask("create-semaphore", "W", key.NativeKey, 1, 1));

        Assert.Contains("something else",
            Fails(NativeIpcError.KeyError, 0, () => SystemSemaphore.OpenExisting(key, s_robust)).Message,
            StringComparison.Ordinal);
        Assert.Equal("ok 5800000000000000", peer.Ask("read", 0, 8));
    }

    [Fact]
    public void Long_names_that_begin_alike_have_records_of_their_own()
    {
        string name = NewName().PadRight(258, 'x');
        using SystemSemaphore first = SystemSemaphore.CreateNew(Key(name + "1"), 1, s_robust);
        using SystemSemaphore second = SystemSemaphore.CreateNew(Key(name + "2"), 1, s_robust);

        first.Acquire();
        Assert.Equal(LockHolder.Process, first.GetLockStatus().Holder);
        Assert.Equal(LockHolder.Nobody, second.GetLockStatus().Holder);
        first.Release();
    }

    [LibraryImport("ntdll.dll")]
    private static partial int NtSuspendProcess(SafeHandle process);

    [LibraryImport("ntdll.dll")]
    private static partial int NtResumeProcess(SafeHandle process);
}
