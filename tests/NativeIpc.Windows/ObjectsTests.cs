using System.Globalization;
using System.Runtime.Versioning;
using System.Security.Principal;
using NativeIpc.Inspection;
using Xunit;

namespace NativeIpc.WindowsTests;

/// <summary>What is listed and told of the named objects, ours and those of a C program that knows nothing of
/// us.</summary>
[Collection(nameof(Alone))]
public class ObjectsTests : WindowsTest
{
    private const string Everyone = "D:(A;;GRGWGX;;;WD)";
    private const string WaitAndRelease = "D:(A;;0x100002;;;WD)";
    private const string Nobody = "D:(D;;GA;;;WD)";

    [Fact]
    public void Segments_semaphores_and_events_are_listed_with_size_count_and_handles_and_other_kinds_are_not()
    {
        string name = NewName();
        using SharedMemory segment = SharedMemory.CreateNew(Key(name + "-shm"), 5000);
        using SharedMemory again = SharedMemory.OpenExisting(segment.Key, SharedMemoryAccess.Read);
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(Key(name + "-sem"), 3);
        using Peer peer = Peer.Start();
        Assert.Equal("ok new", peer.Ask("create-segment", "W", name + "-peer-shm", 9000));
        Assert.Equal("ok new", peer.Ask("create-semaphore", "A", name + "-peer-sem", 7, 9));
        Assert.Equal("ok", peer.Ask("create-mutex", "W", name + "-mutex"));
        Assert.Equal("ok", peer.Ask("create-event", "W", name + "-event"));

        Assert.True(IpcObjects.CanEnumerate(NativeIpcKeyType.Windows));
        Assert.Equal(
            [
                $"SharedMemory {name}-peer-shm 12288  1", // whole pages
                $"SharedMemory {name}-shm 8192  2",
                $"SystemSemaphore {name}-peer-sem  7 1",
                $"SystemSemaphore {name}-sem  3 1",
                $"SystemEvent {name}-event   1",
            ],
            Mine(name).Select(Line));
        Assert.All(Mine(name), found =>
            Assert.Equal((NativeIpcKeyType.Windows, Key(found.NativeName)), (found.Type, found.Key)));
        Assert.Equal(2, Mine(name, new() { Kind = IpcObjectKind.SystemSemaphore }).Count);
        Assert.All(Mine(name, new() { IncludeAttachments = false }), found => Assert.Null(found.AttachmentCount));
        Assert.Contains("handles", Assert.Single(IpcObjects.Enumerate().Notes), StringComparison.Ordinal);
        Assert.Empty(Mine(name, new() { Type = NativeIpcKeyType.PosixRealtime }));
    }

    [Fact]
    public void An_object_that_is_gone_is_not_listed()
    {
        string name = NewName();
        SystemSemaphore.CreateNew(Key(name), 1).Dispose();

        Assert.Empty(Mine(name));
        Assert.Null(IpcObjects.Inspect(Key(name), IpcObjectKind.SystemSemaphore));
    }

    [Fact]
    public void Objects_of_all_sessions_have_their_prefix()
    {
        Assert.SkipWhen(!IsWine && !Environment.IsPrivilegedProcess,
            "Making objects under Global\\ needs a privilege.");
        string name = NewName();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(Key($@"Global\{name}"), 2);

        IpcObjectInfo found = Assert.Single(IpcObjects.Enumerate().Objects,
            one => one.NativeName.EndsWith(name, StringComparison.Ordinal));
        Assert.Equal(2, IpcObjects.Inspect(semaphore.Key, IpcObjectKind.SystemSemaphore)?.Value);
        using SystemSemaphore opened = SystemSemaphore.OpenExisting(found.Key);
        Assert.True(opened.TryAcquire());
        Assert.Equal(1, IpcObjects.Inspect(found.Key, IpcObjectKind.SystemSemaphore)?.Value);
    }

    [Fact]
    public void One_object_is_told_by_its_key_and_another_kind_under_the_name_is_not_it()
    {
        NativeIpcKey key = NewKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 1);

        Assert.Equal(4096, IpcObjects.Inspect(key, IpcObjectKind.SharedMemory)?.Size);
        Assert.Equal(key, IpcObjects.Inspect(Key($@"Local\{key.NativeKey}"), IpcObjectKind.SharedMemory)?.Key);
        Assert.Null(IpcObjects.Inspect(key, IpcObjectKind.SystemSemaphore));
        Assert.Null(IpcObjects.Inspect(NewKey(), IpcObjectKind.SharedMemory));
    }

    [Fact]
    public void A_lock_is_told_from_other_semaphores_and_the_record_of_its_holder_is_no_segment()
    {
        NativeIpcKey key = NewKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 1);
        using (segment.Lock())
        {
            IpcObjectInfo found = Assert.Single(Mine(key.NativeKey), one => one.Kind == IpcObjectKind.SystemSemaphore);
            Assert.Equal((key.NativeKey + "_sem", IpcObjectTraits.LockOfSegment, 0),
                (found.NativeName, found.Traits, found.Value ?? -1));
        }

        List<IpcObjectInfo> now = Mine(key.NativeKey);
        Assert.Equal([key.NativeKey, key.NativeKey + "_sem"], now.Select(one => one.NativeName));
        Assert.Equal(1, now[1].Value);
    }

    [Fact]
    public void Legacy_names_are_told_and_tell_the_original_where_it_is_proven()
    {
        string letters = string.Concat(
            NewName("legacy").Select(c => char.IsAsciiDigit(c) ? (char)('a' + c - '0') : 'x'));
        NativeIpcKey key = SharedMemory.LegacyNativeKey(letters, NativeIpcKeyType.Windows);
        using SharedMemory segment = SharedMemory.CreateNew(key, 1);
        using SharedMemoryLock scope = segment.Lock();

        IReadOnlyList<IpcObjectInfo> found =
            [.. IpcObjects.Enumerate().Objects.Where(one => one.Key.LegacyKey == letters)];
        Assert.Equal([IpcObjectTraits.LegacyName, IpcObjectTraits.LegacyName | IpcObjectTraits.LockOfSegment],
            found.Select(one => one.Traits));
        Assert.Equal(key, found[0].Key);
    }

    [Fact]
    [SupportedOSPlatform("windows")]
    public void The_owner_is_told_by_name()
    {
        string name = NewName();
        using SharedMemory segment = SharedMemory.CreateNew(Key(name + "-ours"), 1,
            new() { CurrentUserOnly = true, UseLock = false });
        using Peer peer = Peer.Start();
        Assert.Equal("ok new", peer.Ask("create-semaphore", "W", name + "-peer", 1, 1, "O:SY" + Everyone));
        using var self = WindowsIdentity.GetCurrent();

        Assert.Equal([self.User!.Translate(typeof(NTAccount)).Value,
            new SecurityIdentifier("S-1-5-18").Translate(typeof(NTAccount)).Value],
            Mine(name).Select(found => found.OwnerName));
    }

    [Fact]
    public void What_may_not_be_looked_at_is_listed_and_says_so()
    {
        string name = NewName();
        using Peer peer = Peer.Start();
        Assert.Equal("ok new", peer.Ask("create-segment", "W", name + "-shut", 1, Nobody));
        Assert.Equal("ok new", peer.Ask("create-semaphore", "W", name + "-uncounted", 1, 1, WaitAndRelease));

        List<IpcObjectInfo> found = Mine(name);
        Assert.Equal([$"SharedMemory {name}-shut   ", $"SystemSemaphore {name}-uncounted   1"], found.Select(Line));
        Assert.Contains("access control list", Assert.Single(found[0].Unreadable), StringComparison.Ordinal);
        Assert.Contains("count", Assert.Single(found[1].Unreadable), StringComparison.Ordinal);
        Fails(NativeIpcError.PermissionDenied, 5, () => IpcObjects.Read(found[0], 0, new byte[1]));
        Assert.Single(Mine(name, new() { Kind = IpcObjectKind.SharedMemory })[0].Unreadable);
    }

    [Fact]
    public void Bytes_are_read_up_to_the_end()
    {
        NativeIpcKey key = NewKey();
        using Peer peer = Peer.Start();
        Assert.Equal("ok new", peer.Ask("create-segment", "W", key.NativeKey, 5000));
        Assert.Equal("ok", peer.Ask("write", 4094, "0102"));
        IpcObjectInfo found = IpcObjects.Inspect(key, IpcObjectKind.SharedMemory)!;
        byte[] bytes = new byte[4];

        Assert.Equal(4, IpcObjects.Read(found, 4093, bytes));
        Assert.Equal<byte>([0, 1, 2, 0], bytes);
        Assert.Equal(2, IpcObjects.Read(found, 8190, bytes));
        Assert.Equal(0, IpcObjects.Read(found, 8192, bytes));
        Assert.Equal(0, IpcObjects.Read(found, long.MaxValue, bytes));
        peer.Kill();
        Fails(NativeIpcError.NotFound, 2, () => IpcObjects.Read(found, 0, bytes));
    }

    [Fact]
    public void Pages_that_are_only_reserved_count_and_are_not_touched()
    {
        const int pageReadWriteReserved = 0x4 | 0x4000000;
        NativeIpcKey key = NewKey();
        using Peer peer = Peer.Start();
        Assert.Equal("ok", peer.Ask("create-section", "W", key.NativeKey, 100_000, pageReadWriteReserved));

        IpcObjectInfo found = IpcObjects.Inspect(key, IpcObjectKind.SharedMemory)!;
        Assert.Equal(102_400, found.Size);
        Assert.Equal(0, IpcObjects.Read(found, 0, new byte[10]));
    }

    [Fact]
    public void A_name_that_no_key_can_have_is_listed_without_a_key()
    {
        Assert.SkipUnless(IsWine, "Windows refuses names over MAX_PATH; Wine 8 takes them.");
        string name = NewName().PadRight(300, 'x');
        using Peer peer = Peer.Start();
        Assert.Equal("ok new", peer.Ask("create-semaphore", "W", name, 1, 1));

        IpcObjectInfo found = Assert.Single(Mine(name));
        Assert.False(found.Key.IsValid);
        Assert.Equal(1, found.Value);
    }

    [Fact]
    public async Task Changes_are_told()
    {
        NativeIpcKey key = NewKey();
        using SystemSemaphore first = SystemSemaphore.CreateNew(NewKey(), 1); // found at the start
        SystemSemaphore? semaphore = null;
        List<string> seen = [];
        using CancellationTokenSource watchdog = new(Patience.Seconds(60));
        await foreach (IpcObjectChange change in IpcObjects.WatchAsync(TimeSpan.FromMilliseconds(20),
            new() { Kind = IpcObjectKind.SystemSemaphore }, watchdog.Token))
        {
            semaphore ??= SystemSemaphore.CreateNew(key, 2);
            if (change.Subject.Key != key) continue;
            seen.Add($"{change.Kind} {change.Subject.Value}");
            if (seen.Count == 1) Assert.True(semaphore.TryAcquire());
            else if (seen.Count == 2) semaphore.Dispose();
            else break;
        }

        Assert.Equal(["Appeared 2", "Changed 1", "Disappeared 1"], seen);
    }

    [Fact]
    public async Task An_object_that_stays_is_listed_however_many_others_come_and_go()
    {
        string name = NewName();
        List<SystemSemaphore> stay = [];
        using CancellationTokenSource end = new();
        Task coming = Start(() =>
        {
            for (int i = 0; !end.IsCancellationRequested; i++)
                SystemSemaphore.CreateNew(Key(string.Create(CultureInfo.InvariantCulture, $"{name}-passing-{i}")),
                    1).Dispose();
        });
        try
        {
            for (int i = 0; i < 100; i++)
                stay.Add(SystemSemaphore.CreateNew(
                    Key(string.Create(CultureInfo.InvariantCulture, $"{name}-staying-{i}")), i));
            for (int round = 0; round < 10; round++)
            {
                List<IpcObjectInfo> found = Mine($"{name}-staying");
                Assert.Equal(stay.Select(one => one.Key.NativeKey).Order(StringComparer.Ordinal),
                    found.Select(one => one.NativeName));
                Assert.Equal(Enumerable.Range(0, 100), found.Select(one => one.Value ?? -1).Order());
            }
        }
        finally
        {
            await end.CancelAsync();
            await Soon(coming);
            stay.ForEach(one => one.Dispose());
        }
    }

    [Fact]
    public void Nothing_is_removed()
    {
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(NewKey(), 1);
        IpcObjectInfo found = IpcObjects.Inspect(semaphore.Key, IpcObjectKind.SystemSemaphore)!;

        Assert.Contains("last handle",
            Assert.Throws<PlatformNotSupportedException>(() => IpcObjects.Remove(found)).Message,
            StringComparison.Ordinal);
        Assert.Throws<PlatformNotSupportedException>(() => IpcObjects.TryRemoveUnused(found));
    }

    [Fact]
    public void A_lock_whose_holder_was_killed_is_found_and_one_whose_holder_lives_is_not()
    {
        NativeIpcKey key = NewKey(), other = NewKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 1);
        segment.Lock().Dispose();
        using SharedMemory living = SharedMemory.CreateNew(other, 1);
        using SharedMemoryLock scope = living.Lock();
        var holder = SystemSemaphore.OpenExisting(Key(key.NativeKey + "_sem"), new() { Robust = true });
        holder.Acquire();
        Assert.Empty(About(key));
        holder.Dispose(); // without releasing: as dead

        IpcFinding found = Assert.Single(About(key));
        Assert.Equal((IpcFindingKind.LostPermit, IpcSeverity.Error, false),
            (found.Kind, found.Severity, found.IsSafeToFix));
        Assert.Equal($"nipc read \"{key}\" --lock --length 1", found.Command);
        Assert.Empty(About(other));
        segment.Lock().Dispose();
        Assert.Empty(About(key));
    }

    [Fact]
    public void A_lock_that_a_C_program_may_have_taken_since_is_a_warning_only()
    {
        NativeIpcKey key = NewKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 1); // keeps the record
        using Peer peer = Peer.Start();
        Assert.Equal("ok new", peer.Ask("create-semaphore", "W", key.NativeKey + "_sem", 1, int.MaxValue));
        var holder = SystemSemaphore.OpenExisting(Key(key.NativeKey + "_sem"), new() { Robust = true });
        holder.Acquire();
        holder.Dispose(); // without releasing: as dead

        IpcFinding found = Assert.Single(About(key));
        Assert.Equal((IpcFindingKind.LostPermit, IpcSeverity.Warning), (found.Kind, found.Severity));
        Assert.Equal($"nipc release \"{key}_sem\"", found.Command);
        Assert.Equal("ok 0", peer.Ask("release", 1));
        Assert.Empty(About(key));
    }

    [Fact]
    public void A_lock_that_cannot_be_made_or_opened_is_found()
    {
        string name = NewName();
        using SharedMemory taken = SharedMemory.CreateNew(Key(name + "-taken"), 1, new() { UseLock = false });
        using Peer peer = Peer.Start();
        Assert.Equal("ok", peer.Ask("create-event", "W", name + "-taken_sem"));
        using SharedMemory shut = SharedMemory.CreateNew(Key(name + "-shut"), 1, new() { UseLock = false });
        Assert.Equal("ok new", peer.Ask("create-semaphore", "W", name + "-shut_sem", 1, 1, Nobody));

        IpcFinding[] found = [.. IpcObjects.Diagnose().Where(one => one.Subject is { } subject && IsOf(subject, name))];
        Assert.Equal([IpcFindingKind.NameTaken, IpcFindingKind.Permissions], found.Select(one => one.Kind));
        Assert.Equal([name + "-taken", name + "-shut_sem"], found.Select(one => one.Subject!.NativeName));
    }

    [Fact]
    public void One_name_in_this_session_and_in_all_sessions_is_found()
    {
        Assert.SkipWhen(!IsWine && !Environment.IsPrivilegedProcess,
            "Making objects under Global\\ needs a privilege.");
        NativeIpcKey key = NewKey();
        using SystemSemaphore session = SystemSemaphore.CreateNew(key, 1);
        Assert.Empty(About(key));
        using SystemSemaphore all = SystemSemaphore.CreateNew(Key($@"Global\{key.NativeKey}"), 1);

        Assert.Equal((IpcFindingKind.Namespace, IpcSeverity.Warning),
            About(key).Select(one => (one.Kind, one.Severity)).Single());
    }

    [Fact]
    public void The_limit_of_what_may_be_promised_is_told()
    {
        IpcLimit limit = Assert.Single(IpcObjects.GetLimits());

        Assert.Equal(("commit", "bytes"), (limit.Name, limit.Unit));
        Assert.InRange(limit.Used ?? 0, 1, limit.Maximum);
    }

    /// <summary>The objects of a name, and those that a test has named after it.</summary>
    private static List<IpcObjectInfo> Mine(string name, IpcEnumerationOptions? options = null)
        => [.. IpcObjects.Enumerate(options).Objects.Where(found => IsOf(found, name))];

    private static bool IsOf(IpcObjectInfo found, string name)
        => found.NativeName == name || found.NativeName.StartsWith(name + "-", StringComparison.Ordinal)
            || found.NativeName.StartsWith(name + "_", StringComparison.Ordinal);

    private static List<IpcFinding> About(NativeIpcKey key)
        => [.. IpcObjects.Diagnose().Where(found => found.Subject is { } subject && IsOf(subject, key.NativeKey))];

    private static string Line(IpcObjectInfo found) => string.Create(CultureInfo.InvariantCulture,
        $"{found.Kind} {found.NativeName} {found.Size} {found.Value} {found.AttachmentCount}");
}
