using System.Diagnostics;
using NativeIpc.Contracts;
using NativeIpc.Interop.Unix;
using NativeIpc.Posix.Events;
using NativeIpc.Posix.Words;
using Xunit;

namespace NativeIpc.Conformance;

/// <content>What an event is in bytes and sets, what is none, and what it never meets.</content>
public abstract partial class EventTests<TProvider>
{
    [BackendFact(Needs.SystemV)]
    public void What_System_V_cannot_keep_is_refused()
    {
        Assert.Throws<PlatformNotSupportedException>(() => SystemEvent.CreateNew(NextKey(), EventResetMode.AutoReset,
            options: new() { Removal = RemovalPolicy.LastOneOut }));
        Assert.Throws<PlatformNotSupportedException>(() => SystemEvent.CreateNew(NextKey(), EventResetMode.AutoReset,
            options: new() { Reclaim = true }));
    }

    [BackendFact(Needs.Posix | Needs.Linux)]
    public void The_bytes_are_those_of_the_page_on_layouts()
    {
        foreach (EventResetMode mode in (EventResetMode[])[EventResetMode.AutoReset, EventResetMode.ManualReset])
        {
            NativeIpcKey key = NextKey();
            using SystemEvent opened = SystemEvent.CreateNew(key, mode, initiallySet: true,
                new() { Mode = FileModes.Mode660 });
            string file = $"/dev/shm/nativeipc-event.{key.NativeKey[1..]}";
            byte[] expected = new byte[64];
            expected[0] = 1;
            "NIEv"u8.CopyTo(expected.AsSpan(8));
            expected[12] = 1;
            expected[14] = mode == EventResetMode.AutoReset ? (byte)1 : (byte)2;
            Assert.Equal(expected, File.ReadAllBytes(file));
            Assert.Equal(FileModes.Mode660, File.GetUnixFileMode(file));
            opened.Reset();
            opened.Set();
            Assert.Equal(mode == EventResetMode.AutoReset ? 1 : 3, File.ReadAllBytes(file)[0]);
        }
    }

    [BackendFact(Needs.Posix | Needs.Linux)]
    public void A_fresh_start_takes_what_dead_waiters_were_given()
    {
        NativeIpcKey key = NextKey();
        using SystemEvent opened = SystemEvent.CreateNew(key, EventResetMode.AutoReset);
        using (FileStream file = File.OpenWrite($"/dev/shm/nativeipc-event.{key.NativeKey[1..]}"))
            file.Write([5, 0, 0, 0, 3]); // set, and two grants; three waiters, all of them dead
        using SystemEvent afresh = SystemEvent.CreateOrReset(key, EventResetMode.AutoReset, initiallySet: true);
        Assert.Equal([1, 0, 0, 0, 3],
            File.ReadAllBytes($"/dev/shm/nativeipc-event.{key.NativeKey[1..]}").Take(5));
        afresh.Wait();
        Assert.False(afresh.Wait(TimeSpan.FromMilliseconds(1)));
        for (int i = 0; i < 40; i++)
        {
            opened.Set();
            afresh.Wait();
            Assert.False(opened.Wait(TimeSpan.FromMilliseconds(1)));
        }
    }

    [BackendTheory(Needs.Posix | Needs.Linux)]
    [InlineData(0, 2, "it has version 2", 12)]
    [InlineData(0, 7, "it has the mode 7", 14)]
    [InlineData(0, 9, "instead of 0x7645494e", 8)]
    [InlineData(63, 0, "it has 63 bytes instead of 64", 0)]
    [InlineData(0, 0, "it has 65 bytes instead of 64", 64)]
    public void What_is_no_event_is_a_key_error_that_says_why(int length, byte value, string said, int at)
    {
        NativeIpcKey key = NextKey();
        SystemEvent.CreateNew(key, EventResetMode.AutoReset, options: new() { Removal = RemovalPolicy.Keep }).Dispose();
        using (FileStream file = File.OpenWrite($"/dev/shm/nativeipc-event.{key.NativeKey[1..]}"))
        {
            if (length > 0) file.SetLength(length);
            file.Position = at;
            if (length == 0) file.WriteByte(value);
        }

        foreach (Action call in new Action[]
        {
            () => SystemEvent.OpenExisting(key), () => SystemEvent.CreateOrOpen(key, EventResetMode.AutoReset),
            () => SystemEvent.CreateOrReset(key, EventResetMode.AutoReset),
        })
        {
            NativeIpcException failure = Assert.Throws<NativeIpcException>(call);
            Assert.Equal(NativeIpcError.KeyError, failure.Error);
            Assert.Contains(said, failure.Message, StringComparison.Ordinal);
        }
    }

    [BackendFact(Needs.SystemV)]
    public void A_set_that_is_no_event_is_a_key_error_and_one_in_the_making_is_completed()
    {
        NativeIpcKey key = NextKey(), fileKey = new(key.NativeKey + ".nativeipc-event", key.Type);
        File.Create(fileKey.NativeKey).Dispose();
        int other = Libc.semget(SystemVProvider.Ftok(fileKey), 2, Flags.IPC_CREAT | (int)FileModes.Mode600);
        NativeIpcException failure = Assert.Throws<NativeIpcException>(() => SystemEvent.OpenExisting(key));
        Assert.Equal(NativeIpcError.KeyError, failure.Error);
        Assert.Equal(key, failure.Key);
        Assert.Contains("2 semaphores instead of 3", failure.Message, StringComparison.Ordinal);
        Assert.Contains(key.ToString()!, failure.Message, StringComparison.Ordinal);
        Assert.Equal(0, Libc.semctl(other, 0, Flags.IPC_RMID));

        int half = Libc.semget(SystemVProvider.Ftok(fileKey), 3, Flags.IPC_CREAT | (int)FileModes.Mode600);
        Assert.Equal(NativeIpcError.NotFound, ErrorOf(() => SystemEvent.OpenExisting(key)));
        Assert.False(SystemEvent.TryOpenExisting(key, out _));
        using SystemEvent completed = SystemEvent.CreateOrOpen(key, EventResetMode.ManualReset, initiallySet: true);
        Assert.True(completed.CreatedNew);
        Assert.True(IsSet(completed));
        Assert.Equal(half.ToString(System.Globalization.CultureInfo.InvariantCulture),
            completed.Opened.ObjectIdentity);
    }

    [BackendFact(Needs.SystemV)]
    public void The_generation_begins_anew_after_32767_and_nobody_is_missed()
    {
        using SystemEvent opened = SystemEvent.CreateNew(NextKey(), EventResetMode.ManualReset);
        int id = int.Parse(opened.Opened.ObjectIdentity, System.Globalization.CultureInfo.InvariantCulture);
        Assert.Equal(0, Libc.semctl(id, 2, Flags.SETVAL, 32766));
        foreach (int expected in (int[])[32767, 0, 1])
        {
            ValueTask waiting = opened.WaitAsync(Cancellation);
            opened.Set();
            Assert.Equal(expected, Libc.semctl(id, 2, Flags.GETVAL));
            opened.Reset();
            Finish(waiting.AsTask());
        }
    }

    [BackendFact(Needs.SystemV)]
    public async Task A_removed_set_ends_the_waits_with_not_found()
    {
        NativeIpcKey key = NextKey();
        using SystemEvent opened = SystemEvent.CreateNew(key, EventResetMode.AutoReset);
        Task blocked = Start(opened.Wait);
        Task pending = opened.WaitAsync(Cancellation).AsTask();
        AwaitSleepers(opened, 1);
        Assert.True(SystemEvent.Remove(key));
        foreach (Task wait in (Task[])[blocked, pending])
        {
            NativeIpcException failure = await Assert.ThrowsAsync<NativeIpcException>(
                () => wait.WaitAsync(s_watchdog, Cancellation));
            Assert.Equal(NativeIpcError.NotFound, failure.Error);
        }
    }

    [BackendFact(Needs.Posix | Needs.Linux)]
    public void A_name_meets_no_segment_and_no_semaphore()
    {
        NativeIpcKey key = NextKey();
        using SystemEvent opened = SystemEvent.CreateNew(key, EventResetMode.AutoReset);
        Assert.False(SharedMemory.TryOpenExisting(key, out _));
        Assert.False(SystemSemaphore.TryOpenExisting(key, out _));
        NativeIpcKey file = new($"/nativeipc-event.{key.NativeKey[1..]}", key.Type);
        NativeIpcException refused = Assert.Throws<NativeIpcException>(() => SharedMemory.OpenExisting(file));
        Assert.Equal(NativeIpcError.KeyError, refused.Error);
        Assert.Contains("events", refused.Message, StringComparison.Ordinal);
        Assert.Equal(NativeIpcError.KeyError, ErrorOf(() => SharedMemory.Remove(file)));
        NativeIpcKey tooLong = new("/" + new string('x', 240), key.Type);
        Assert.Contains("at most 239", Assert.Throws<NativeIpcException>(
            () => SystemEvent.CreateNew(tooLong, EventResetMode.AutoReset)).Message, StringComparison.Ordinal);
        using SystemEvent longest = SystemEvent.CreateNew(
            Names.Track(new($"/{key.NativeKey[1..]}{new string('x', 239 - key.NativeKey.Length + 1)}", key.Type)),
            EventResetMode.AutoReset);
    }

    [BackendFact(Needs.SystemV | Needs.Linux)]
    public void No_key_of_a_segment_or_a_semaphore_leads_to_an_events_set()
    {
        NativeIpcKey key = NextKey();
        using SystemEvent opened = SystemEvent.CreateNew(key, EventResetMode.AutoReset);
        Assert.False(SharedMemory.TryOpenExisting(key, out _));
        Assert.False(SystemSemaphore.TryOpenExisting(key, out _));
        NativeIpcKey file = new($"{key.NativeKey}.nativeipc-event", key.Type);
        Assert.True(File.Exists(file.NativeKey));
        foreach (Func<object?> use in (Func<object?>[])
        [
            () => SystemSemaphore.OpenExisting(file), () => SystemSemaphore.CreateOrOpen(file, 1),
            () => SystemSemaphore.CreateOrReset(file, 1), () => SystemSemaphore.Remove(file),
            () => SharedMemory.CreateOrOpen(file, 1), () => SharedMemory.OpenExisting(file),
            () => SharedMemory.Remove(file),
        ])
        {
            NativeIpcException refused = Assert.Throws<NativeIpcException>(use);
            Assert.Equal(NativeIpcError.KeyError, refused.Error);
            Assert.Contains("events", refused.Message, StringComparison.Ordinal);
        }

        opened.Set();
        Assert.True(opened.Wait(TimeSpan.Zero));
        Assert.False(opened.Wait(TimeSpan.Zero));
    }
}
