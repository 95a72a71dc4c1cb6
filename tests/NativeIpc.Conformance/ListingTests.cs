using System.Diagnostics;
using System.Globalization;
using NativeIpc.Inspection;
using NativeIpc.Interop.Unix;
using Xunit;

namespace NativeIpc.Conformance;

/// <summary>Listing, inspecting, watching and removing what is listed (mission F5). Linux; other tests make objects at
/// the same time, so each looks for its own.</summary>
[Collection(nameof(Alone))]
public abstract class ListingTests<TProvider> : ConformanceTests<TProvider>
    where TProvider : Provider, new()
{
    private static readonly IpcEnumerationOptions s_everything = new() { KeyFileFolders = [TestNames.Folder],
        FindUnused = true };

    [BackendFact(Needs.Linux)]
    public void A_segment_of_another_process_is_listed_with_its_size_mode_owner_and_users()
    {
        NativeIpcKey key = NextKey();
        PeerProcess peer = Peer();
        peer.Ask($"shm create a {key} 12345 mode=640");
        IpcObjectInfo found = Listed(key, IpcObjectKind.SharedMemory)!;
        Assert.Equal(12345, found.Size);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead, found.Mode);
        Assert.Equal(Environment.UserName, found.OwnerName);
        Assert.Equal(1, found.AttachmentCount);
        Assert.Equal(IpcObjectTraits.None, found.Traits & ~IpcObjectTraits.KeyCollision); // with whatever file
        Assert.Empty(found.Unreadable);
        IpcAttachment user = Assert.Single(found.Attachments);
        Assert.Equal(peer.Id, user.ProcessId);
        Assert.Equal(File.ReadAllText($"/proc/{peer.Id}/comm").TrimEnd(), user.ProcessName);
        if (Backend.IsSystemV) Assert.Equal(peer.Id, found.CreatorProcessId);

        using SharedMemory also = SharedMemory.OpenExisting(key);
        found = Listed(key, IpcObjectKind.SharedMemory)!;
        // Whose order is not that of their starts once the numbers have wrapped
        int[] users = [Environment.ProcessId, peer.Id];
        Assert.Equal(users.Order(), found.Attachments.Select(each => each.ProcessId).Order());
        Assert.Equal(2, found.AttachmentCount);
    }

    [BackendFact(Needs.Linux)]
    public void What_is_created_is_a_moment_old()
    {
        NativeIpcKey key = NextKey();
        DateTimeOffset before = TimeProvider.System.GetUtcNow();
        using SharedMemory segment = SharedMemory.CreateNew(key, 100);
        DateTimeOffset created = Listed(key, IpcObjectKind.SharedMemory)!.Created!.Value;
        // System V tells whole seconds, file systems the time of the last tick
        Assert.InRange(created, before.AddSeconds(-1.1), TimeProvider.System.GetUtcNow());
    }

    [BackendFact(Needs.Linux)]
    public void A_semaphore_is_listed_with_its_count()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 7);
        Assert.Equal(7, Listed(key, IpcObjectKind.SystemSemaphore)!.Value);
        semaphore.Acquire();
        IpcObjectInfo found = Listed(key, IpcObjectKind.SystemSemaphore)!;
        Assert.Equal(6, found.Value);
        Assert.Equal(IpcObjectTraits.None, found.Traits & ~IpcObjectTraits.KeyCollision); // with whatever file
        Assert.Null(Listed(key, IpcObjectKind.SharedMemory));
    }

    [BackendFact(Needs.Linux)]
    public void The_lock_of_a_segment_is_told_and_its_count_says_whether_it_is_taken()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 100);
        using (segment.Lock()) Assert.Equal((0, IpcObjectTraits.LockOfSegment), ValueAndTraits());
        Assert.Equal((1, IpcObjectTraits.LockOfSegment), ValueAndTraits());

        (int?, IpcObjectTraits) ValueAndTraits()
            => Listed(Provider.LockKey(key), IpcObjectKind.SystemSemaphore) is { } found
                ? (found.Value, found.Traits) : default;
    }

    [BackendFact(Needs.Linux)]
    public void A_kept_semaphore_without_a_permit_is_no_lock_and_outlives_the_mending()
    {
        // With musl a semaphore and a segment of one name are one file.
        NativeIpcKey key = NextKey();
        SystemSemaphore.CreateNew(key, 0, new SystemSemaphoreOptions { Removal = RemovalPolicy.Keep }).Dispose();
        IpcObjectInfo found = Listed(key, IpcObjectKind.SystemSemaphore)!;
        Assert.Equal((0, IpcObjectTraits.None), (found.Value, found.Traits & IpcObjectTraits.LockOfSegment));
        foreach (IpcFinding finding in IpcObjects.Diagnose().Where(finding => finding.Subject?.Key == key))
            Assert.False(finding.IsSafeToFix || IpcObjects.TryMend(finding), finding.Summary);
        Assert.Equal(0, Listed(key, IpcObjectKind.SystemSemaphore)!.Value);
    }

    [BackendFact(Needs.Linux | Needs.Leftovers)]
    public void What_a_killed_process_leaves_is_unused_and_can_be_removed_as_it_was_listed()
    {
        NativeIpcKey key = NextKey();
        PeerProcess maker = Peer();
        maker.Ask($"shm create a {key} 100");
        maker.Ask("shm add a 0 1"); // makes the lock
        Assert.False(IsUnused(IpcObjectKind.SharedMemory));
        maker.Kill();
        Assert.True(IsUnused(IpcObjectKind.SharedMemory));
        Assert.True(IsUnused(IpcObjectKind.SystemSemaphore));

        IpcObjectInfo segment = Listed(key, IpcObjectKind.SharedMemory)!;
        IpcObjectInfo itsLock = Listed(Provider.LockKey(key), IpcObjectKind.SystemSemaphore)!;
        Assert.True(IpcObjects.TryRemoveUnused(segment));
        Assert.True(IpcObjects.TryRemoveUnused(itsLock));
        Assert.False(Backend.AnythingExists(key));
        Assert.False(IpcObjects.TryRemoveUnused(segment));

        bool IsUnused(IpcObjectKind kind) => (Listed(KeyOf(key, kind), kind)!.Traits & IpcObjectTraits.Unused) != 0;
    }

    [BackendFact(Needs.Linux | Needs.Leftovers)]
    public void What_came_into_use_after_it_was_listed_stays()
    {
        NativeIpcKey key = NextKey();
        PeerProcess maker = Peer();
        maker.Ask($"shm create a {key} 100 keep");
        maker.Ask("shm close a");
        IpcObjectInfo listed = Listed(key, IpcObjectKind.SharedMemory)!;
        Assert.Equal(IpcObjectTraits.Unused, listed.Traits);
        maker.Ask($"shm open a {key} rw keep");
        Assert.False(IpcObjects.TryRemoveUnused(listed));
        Assert.True(Backend.SegmentExists(key));
        Assert.True(IpcObjects.Remove(listed));
        Assert.False(Backend.SegmentExists(key));
    }

    [BackendFact(Needs.Linux | Needs.Leftovers)]
    public void Another_object_that_took_the_name_stays()
    {
        NativeIpcKey key = NextKey();
        var keep = new SharedMemoryOptions { Removal = RemovalPolicy.Keep };
        SharedMemory.CreateNew(key, 100, keep).Dispose();
        IpcObjectInfo listed = Listed(key, IpcObjectKind.SharedMemory)!;
        Assert.True(SharedMemory.Remove(key));
        SharedMemory.CreateNew(key, 100, keep).Dispose();
        if (Listed(key, IpcObjectKind.SharedMemory)!.ObjectIdentity == listed.ObjectIdentity)
            Assert.Skip("The system gave the new object the number of the old one.");
        Assert.False(IpcObjects.TryRemoveUnused(listed));
        Assert.False(IpcObjects.Remove(listed));
        Assert.True(Backend.SegmentExists(key));
    }

    [BackendFact(Needs.Linux)]
    public void A_removed_segment_that_is_attached_is_listed_as_that()
    {
        NativeIpcKey key = NextKey();
        PeerProcess peer = Peer();
        peer.Ask($"shm create a {key} 54321");
        int? id = Listed(key, IpcObjectKind.SharedMemory)!.SystemVId;
        Assert.True(SharedMemory.Remove(key));
        Assert.Null(Listed(key, IpcObjectKind.SharedMemory));

        // POSIX objects of this library do not tell the name that they had, and one that is just being made looks the
        // same for a moment.
        IpcObjectInfo? found = null;
        Assert.True(SpinWait.SpinUntil(() => (found = Removed()) is not null, s_watchdog));
        Assert.Equal(peer.Id, Assert.Single(found!.Attachments).ProcessId);
        Assert.Equal(54321, found.Size);
        Assert.False(found.Key.IsValid);

        IpcObjectInfo? Removed() => IpcObjects.Enumerate(s_everything).Objects.SingleOrDefault(
            each => each.Type == Backend.Type && (each.Traits & IpcObjectTraits.Removed) != 0
            && each.Attachments.Any(user => user.ProcessId == peer.Id)
            && (Backend.IsSystemV ? each.SystemVId == id : each.Size == 54321));
    }

    [BackendFact(Needs.Linux)]
    public void Inspecting_a_key_tells_the_same_as_the_list()
    {
        NativeIpcKey key = NextKey();
        Assert.Null(IpcObjects.Inspect(key, IpcObjectKind.SharedMemory));
        Assert.Null(IpcObjects.Inspect(key, IpcObjectKind.SystemSemaphore));
        using SharedMemory segment = SharedMemory.CreateNew(key, 100);
        segment.Lock().Dispose();
        using SystemEvent opened = SystemEvent.CreateNew(key, EventResetMode.ManualReset, initiallySet: true);
        foreach (IpcObjectKind kind in Enum.GetValues<IpcObjectKind>())
        {
            NativeIpcKey its = KeyOf(key, kind);
            IpcObjectInfo listed = Listed(its, kind)!;

            // The list looks for neither of these.
            IpcObjectInfo inspected = IpcObjects.Inspect(its, kind)! with { LostPermits = null,
                Waiting = listed.Waiting };
            Assert.True(listed.LooksAs(inspected), $"{listed}\n{inspected}");
        }
    }

    [BackendFact(Needs.Linux)]
    public void The_bytes_of_a_listed_segment_can_be_read()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 100);
        segment.Write(96, [1, 2, 3, 4]);
        IpcObjectInfo found = Listed(key, IpcObjectKind.SharedMemory)!;
        byte[] bytes = new byte[8];
        Assert.Equal(6, IpcObjects.Read(found, 94, bytes));
        Assert.Equal([0, 0, 1, 2, 3, 4, 0, 0], bytes);
        Assert.Equal(0, IpcObjects.Read(found, 100, bytes));
        Assert.Throws<ArgumentOutOfRangeException>(() => IpcObjects.Read(found, -1, bytes));
    }

    [BackendFact(Needs.Linux)]
    public void Filters_leave_out_the_other_kinds_and_types()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 100);
        segment.Lock().Dispose();
        NativeIpcKeyType other = Backend.IsSystemV ? NativeIpcKeyType.PosixRealtime : NativeIpcKeyType.SystemV;
        Assert.DoesNotContain(IpcObjects.Enumerate(s_everything with { Type = other }).Objects,
            found => found.Key == key);
        Assert.Equal([IpcObjectKind.SystemSemaphore],
            IpcObjects.Enumerate(s_everything with { Type = Backend.Type,
                Kind = IpcObjectKind.SystemSemaphore }).Objects.Where(found => found.Key == Provider.LockKey(key))
                .Select(found => found.Kind));
        IpcObjectInfo quick = IpcObjects.Enumerate(s_everything with { IncludeAttachments = false }).Objects.First(
            found => found.Key == key && found.Kind == IpcObjectKind.SharedMemory);
        Assert.Empty(quick.Attachments);
        Assert.Equal(IpcObjectTraits.None, quick.Traits); // in use, as the kernel says
    }

    [BackendFact(Needs.Linux)]
    public async Task Watching_tells_what_comes_changes_and_goes()
    {
        NativeIpcKey key = NextKey();
        using var watchdog = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        watchdog.CancelAfter(s_watchdog);
        var options = s_everything with { Type = Backend.Type, Kind = IpcObjectKind.SystemSemaphore };
        SystemSemaphore.CreateNew(key, 1, new SystemSemaphoreOptions { Removal = RemovalPolicy.Keep }).Dispose();
        SystemSemaphore? semaphore = null;
        List<IpcObjectChangeKind> seen = [];
        await foreach (IpcObjectChange change in IpcObjects.WatchAsync(TimeSpan.FromMilliseconds(20), options,
            watchdog.Token))
        {
            if (change.Subject.Key != key) continue;
            seen.Add(change.Kind);
            switch (change)
            {
                case { Kind: IpcObjectChangeKind.Found }:
                    semaphore = SystemSemaphore.OpenExisting(key);
                    semaphore.Release();
                    break;
                case { Kind: IpcObjectChangeKind.Changed, Subject.Value: 2 }:
                    semaphore?.Dispose();
                    SystemSemaphore.Remove(key);
                    break;
            }

            if (change.Kind == IpcObjectChangeKind.Disappeared) break;
        }

        Assert.Equal(IpcObjectChangeKind.Found, seen[0]);
        Assert.Contains(IpcObjectChangeKind.Changed, seen);
        Assert.Equal(IpcObjectChangeKind.Disappeared, seen[^1]);
    }

    /// <summary>The list opens files to read counts and to ask for leases; a last one out must not take that for a
    /// user.</summary>
    [BackendFact(Needs.Linux | Needs.Posix | Needs.Recovery)]
    public void Listing_does_not_keep_a_last_one_out_from_removing()
    {
        using var over = new CancellationTokenSource();
        Task lister = Start(() =>
        {
            var often = new IpcEnumerationOptions { Type = Backend.Type, Kind = IpcObjectKind.SystemSemaphore,
                IncludeAttachments = false };
            while (!over.IsCancellationRequested) _ = IpcObjects.Enumerate(often);
        });
        var lastOut = new SystemSemaphoreOptions { Removal = RemovalPolicy.LastOneOut };
        for (int round = 0; round < 2000; round++)
        {
            NativeIpcKey key = NextKey();
            SystemSemaphore.CreateNew(key, 1, lastOut).Dispose();
            Assert.False(Backend.SemaphoreExists(key), $"round {round}");
        }

        over.Cancel();
        Finish(lister);
    }

    [BackendFact(Needs.Linux | Needs.Posix | Needs.Recovery)]
    public void What_is_no_object_is_left_out_and_holds_nobody_up()
    {
        string name = TestNames.NextName();
        string[] planted = [$"/dev/shm/{name}fifo", $"/dev/shm/sem.{name}fifo", $"/dev/shm/{name}folder",
            $"/dev/shm/{name}link", $"/dev/shm/sem.{name}link"];
        foreach (string path in planted) Names.TrackPath(path);
        foreach (string fifo in planted[..2]) _ = Shell.Run("mkfifo", [fifo]).Succeeded;
        Directory.CreateDirectory(planted[2]);
        File.CreateSymbolicLink(planted[3], "/dev/null");
        File.CreateSymbolicLink(planted[4], planted[1]);
        Assert.DoesNotContain(IpcObjects.Enumerate(s_everything).Objects,
            found => found.NativeName.Contains(name, StringComparison.Ordinal));
        foreach (string path in planted) Assert.True(Path.Exists(path) || new FileInfo(path).LinkTarget is not null);
    }

    /// <summary>With musl a broken file of that name is a segment: a semaphore is known by its 32 bytes.</summary>
    [BackendFact(Needs.Linux | Needs.GlibcSemaphores)]
    public void Empty_and_broken_files_are_told_and_stay()
    {
        NativeIpcKey key = NextKey();
        Backend.MakeHalfCreatedSegment(key);
        NativeIpcKey lockKey = Provider.LockKey(key);
        File.WriteAllText(PosixProvider.LockFileOf(key), "abc");
        Assert.Equal(IpcObjectTraits.Empty, Listed(key, IpcObjectKind.SharedMemory)!.Traits & ~IpcObjectTraits.Unused);
        IpcObjectInfo broken = Listed(lockKey, IpcObjectKind.SystemSemaphore)!;
        Assert.Equal(IpcObjectTraits.WrongSize | IpcObjectTraits.LockOfSegment,
            broken.Traits & ~IpcObjectTraits.Unused);
        Assert.Null(broken.Value);
        IpcFinding finding = Assert.Single(IpcObjects.Diagnose(), finding => finding.Subject?.Key == lockKey);
        Assert.Equal((IpcFindingKind.WrongSize, false), (finding.Kind, finding.IsSafeToFix));
        Assert.False(IpcObjects.TryMend(finding));
        Assert.True(Backend.LockExists(key));
        File.WriteAllText(PosixProvider.LockFileOf(key), "");
        Assert.DoesNotContain(IpcObjects.Diagnose(),
            finding => finding.Subject?.Key is { } subject && (subject == key || subject == lockKey));
    }

    [BackendFact(Needs.Linux | Needs.Posix | Needs.Recovery)]
    public void Looking_leaves_no_trace()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 100);
        segment.Lock().Dispose();
        string[] files = [Backend.FileOf(key), PosixProvider.LockFileOf(key)];
        string[] before = [.. files.Select(Status)];
        _ = Listed(key, IpcObjectKind.SharedMemory);
        _ = IpcObjects.Inspect(Provider.LockKey(key), IpcObjectKind.SystemSemaphore);
        _ = IpcObjects.Read(Listed(key, IpcObjectKind.SharedMemory)!, 0, new byte[100]);
        Assert.Equal(before, files.Select(Status));

        // Every time, mode, size and owner.
        static string Status(string file) => Shell.Run("stat", ["-c", "%x %y %z %a %s %u %g %h %i", file]).Succeeded;
    }

    [BackendFact(Needs.Linux)]
    public void Legacy_names_are_told_with_the_name_that_they_were_made_of()
    {
        string name = "list" + string.Concat(TestNames.NextName().Where(char.IsAsciiLetter)) + "x";
        NativeIpcKey key = Names.Track(SharedMemory.LegacyNativeKey(name, Backend.Type));
        Names.Track(SystemSemaphore.LegacyNativeKey(name, Backend.Type));
        using SharedMemory segment = SharedMemory.CreateNew(key, 100);
        segment.Lock().Dispose();
        IpcObjectInfo found = Listed(key, IpcObjectKind.SharedMemory)!;
        Assert.Equal(IpcObjectTraits.LegacyName, found.Traits);
        Assert.Equal(name, found.Key.LegacyKey);
        IpcObjectInfo itsLock = Listed(Provider.LockKey(key), IpcObjectKind.SystemSemaphore)!;
        Assert.Equal(IpcObjectTraits.LegacyName | IpcObjectTraits.LockOfSegment, itsLock.Traits);
    }

    [BackendFact(Needs.Linux | Needs.SystemV)]
    public void The_list_says_what_ipcs_and_lsipc_say()
    {
        NativeIpcKey key = NextKey();
        PeerProcess peer = Peer();
        peer.Ask($"shm create a {key} 12345 mode=640");
        peer.Ask("shm add a 0 1");
        IpcObjectInfo segment = Listed(key, IpcObjectKind.SharedMemory)!;
        string id = segment.SystemVId!.Value.ToString(CultureInfo.InvariantCulture);
        string[] row = RowOf(Shell.Run("ipcs", ["-m"]).Succeeded, id, column: 1);
        Assert.Equal([segment.NativeName, id, segment.OwnerName!, "640", "12345", "1"], row[..6]);
        row = RowOf(Shell.Run("ipcs", ["-m", "-p"]).Succeeded, id, column: 0);
        Assert.Equal([id, segment.OwnerName!, $"{segment.CreatorProcessId}", $"{segment.LastProcessId}"], row[..4]);
        Assert.Contains($"{segment.NativeName} {id} 0640 {segment.OwnerName}",
            string.Join(' ', Shell.Run("lsipc",
                ["-m", "-i", id, "--raw", "--noheadings", "-P", "-o", "KEY,ID,PERMS,OWNER"]).Succeeded
            .Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);

        IpcObjectInfo set = Listed(key, IpcObjectKind.SystemSemaphore)!;
        string setId = set.SystemVId!.Value.ToString(CultureInfo.InvariantCulture);
        Assert.Equal([set.NativeName, setId, set.OwnerName!],
            RowOf(Shell.Run("ipcs", ["-s"]).Succeeded, setId, column: 1)[..3]);
        Assert.Equal(segment.SystemVKey, set.SystemVKey);

        static string[] RowOf(string table, string id, int column)
            => Assert.Single(table.Split('\n').Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)),
                row => row.Length > 3 && row[column] == id);
    }

    [BackendFact(Needs.Linux | Needs.SystemV)]
    public void An_object_whose_key_file_was_made_anew_is_told()
    {
        NativeIpcKey key = NextKey();
        PeerProcess peer = Peer();
        peer.Ask($"shm create a {key} 100");
        int? id = Listed(key, IpcObjectKind.SharedMemory)!.SystemVId;
        string elsewhere = Names.TrackPath(key.NativeKey + ".old");
        File.Move(key.NativeKey, elsewhere); // keeps the number, so that the new file gets another one
        Assert.Equal(elsewhere, ById(id)!.KeyFile);
        File.Create(key.NativeKey).Dispose();
        Assert.Null(Listed(key, IpcObjectKind.SharedMemory));
        File.Delete(elsewhere);
        Assert.SkipUnless(ById(id)!.KeyFile is null, "Another file has the same 16 bits of the inode.");
        Assert.Equal(IpcObjectTraits.KeyFileMissing | IpcObjectTraits.KeyFileReplaced, ById(id)!.Traits);
        Assert.True(IpcObjects.Remove(ById(id)!));

        static IpcObjectInfo? ById(int? id)
            => IpcObjects.Enumerate(s_everything).Objects.FirstOrDefault(
                found => found.Kind == IpcObjectKind.SharedMemory && found.SystemVId == id);
    }

    /// <summary>The usual loop over what is unused meets the files of folders as well.</summary>
    [BackendFact(Needs.Linux | Needs.Posix)]
    public void A_file_in_a_folder_stays_with_a_reason_and_only_removing_it_whoever_uses_it_is_an_error()
    {
        string folder = $"/dev/shm/{TestNames.NextName()}", path = $"{folder}/file";
        Directory.CreateDirectory(folder);
        try
        {
            File.WriteAllText(path, "abc");
            IpcObjectInfo found = Assert.Single(IpcObjects.Enumerate(s_everything).Objects,
                each => each.FilePath == path);
            Assert.Equal(IpcObjectTraits.InSubfolder, found.Traits & ~IpcObjectTraits.Unused);
            Assert.False(IpcObjects.TryRemoveUnused(found));
            Assert.Equal(IpcRemovalOutcome.CannotTell, IpcObjects.RemoveUnused(found, out string? reason));
            Assert.Contains("to which no key leads", reason, StringComparison.Ordinal);
            Assert.Equal(NativeIpcError.KeyError,
                Assert.Throws<NativeIpcException>(() => IpcObjects.Remove(found)).Error);
            Assert.True(File.Exists(path));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [BackendFact(Needs.Linux | Needs.SystemV)]
    public void A_set_of_zeros_may_be_meant_so_and_is_not_removed_as_unused()
    {
        NativeIpcKey key = NextKey();
        int id = MakeSet(key, 2);
        IpcObjectInfo found = Listed(key, IpcObjectKind.SystemSemaphore)!;
        Assert.Equal((id, 0, IpcObjectTraits.Empty), (found.SystemVId, found.Value, found.Traits));
        Assert.Equal(IpcRemovalOutcome.CannotTell, IpcObjects.RemoveUnused(found, out string? reason));
        Assert.Contains("may be about to give it a count", reason, StringComparison.Ordinal);
        Assert.DoesNotContain(IpcObjects.Diagnose(),
            finding => finding.Subject?.SystemVId == id && finding.IsSafeToFix);
        Assert.False(IpcObjects.TryRemoveUnused(found));
        Assert.True(Backend.SemaphoreExists(key));
    }

    [BackendTheory(Needs.Linux | Needs.SystemV)]
    [InlineData("value")]
    [InlineData("operation")]
    [InlineData("waiter")]
    public void What_stands_in_any_member_of_a_set_says_that_it_is_made(string sign)
    {
        NativeIpcKey key = NextKey();
        int id = MakeSet(key, 2);
        using Process? waiter = sign switch
        {
            "value" => Perl($"semctl({id}, 1, 16, 3)"),
            "operation" => Perl($"semop({id}, pack('s3', 1, 1, 0)); semop({id}, pack('s3', 1, -1, 0))"),
            _ => Perl($"semop({id}, pack('s3', 1, -1, 0))"),
        };
        if (sign == "waiter")
            SpinWait.SpinUntil(() => Libc.semctl(id, 1, Flags.GETNCNT) == 1,
                Patience.Seconds(30));
        else waiter!.WaitForExit();
        Assert.Equal(IpcObjectTraits.None, Listed(key, IpcObjectKind.SystemSemaphore)!.Traits);
        using SystemSemaphore opened = SystemSemaphore.CreateOrOpen(key, 5);
        Assert.False(opened.CreatedNew); // nor is it finished as if it were half-created
        Assert.True(opened.TryGetCurrentCount(out int count));
        Assert.Equal(0, count);
        Assert.False(IpcObjects.TryRemoveUnused(Listed(key, IpcObjectKind.SystemSemaphore)!));
        waiter!.Kill();
    }

    private static Process Perl(string script) => Process.Start("perl", ["-e", script]);

    private static int MakeSet(in NativeIpcKey key, int members)
    {
        File.Create(key.NativeKey).Dispose();
        int number = Libc.ftok(key.NativeKey, (int)key.Type);
        const int made = Flags.IPC_CREAT | Flags.IPC_EXCL | (int)FileModes.Mode600;
        int id = Libc.semget(number, members, made);
        Assert.NotEqual(-1, id);
        return id;
    }

    [BackendFact(Needs.Linux | Needs.SystemV)]
    public void A_semaphore_that_may_be_in_use_is_not_removed_as_unused()
    {
        NativeIpcKey key = NextKey();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 1);
        Assert.False(IpcObjects.TryRemoveUnused(Listed(key, IpcObjectKind.SystemSemaphore)!));
        Assert.True(Backend.SemaphoreExists(key));
    }

    /// <summary>The key of a segment, or of its lock.</summary>
    private static NativeIpcKey KeyOf(in NativeIpcKey segment, IpcObjectKind kind)
        => kind == IpcObjectKind.SystemSemaphore ? Provider.LockKey(segment) : segment;

    private IpcObjectInfo? Listed(NativeIpcKey key, IpcObjectKind kind)
        => IpcObjects.Enumerate(s_everything).Objects.SingleOrDefault(
            found => found.Kind == kind && found.Type == Backend.Type && found.Key.NativeKey == key.NativeKey);
}
