using NativeIpc.Inspection;
using NativeIpc.Interop.Unix;
using Xunit;

namespace NativeIpc.Conformance;

/// <summary>What is known to be left behind: what this library recorded, by a process that is proved dead.
/// Linux.</summary>
[Collection(nameof(Alone))]
public abstract class OrphanedTests<TProvider> : ConformanceTests<TProvider>
    where TProvider : Provider, new()
{
    private static readonly IpcEnumerationOptions s_asking = new() { KeyFileFolders = [TestNames.Folder],
        FindOrphaned = true, FindSigns = true };

    protected OrphanedTests() => Assert.SkipUnless(HasAttributes("/dev/shm") && HasAttributes(TestNames.Folder),
        "The file system has no attributes (tmpfs: since Linux 6.6).");

    [BackendTheory(Needs.Linux | Needs.Leftovers)]
    [InlineData("", true)]
    [InlineData("creator", true)]
    [InlineData("lastout", true)]
    [InlineData("noexit", true)]
    [InlineData("keep", false)]
    public void A_segment_and_its_lock_are_orphaned_when_the_process_that_had_to_remove_them_was_killed(string policy,
        bool isOrphaned)
    {
        NativeIpcKey key = NextKey();
        PeerProcess maker = Peer();
        maker.Ask($"shm create a {key} 100 {policy}".TrimEnd());
        maker.Ask("shm add a 0 1"); // makes the lock
        Assert.False(IsOrphaned(key, IpcObjectKind.SharedMemory));
        maker.Kill();
        Assert.Equal(isOrphaned, IsOrphaned(key, IpcObjectKind.SharedMemory));
        Assert.Equal(isOrphaned, IsOrphaned(Provider.LockKey(key), IpcObjectKind.SystemSemaphore));
        if (!isOrphaned) return;
        Assert.Contains(IpcObjects.Diagnose(new IpcEnumerationOptions { KeyFileFolders = s_asking.KeyFileFolders }),
            finding => finding.Kind == IpcFindingKind.Orphaned && finding.Subject!.Key.NativeKey == key.NativeKey);
        IpcObjectInfo[] left =
            [Listed(key, IpcObjectKind.SharedMemory)!, Listed(Provider.LockKey(key), IpcObjectKind.SystemSemaphore)!];
        foreach (IpcObjectInfo one in left)
            Assert.Equal(IpcRemovalOutcome.Removed, IpcObjects.RemoveUnused(one, out _));
        Assert.False(Backend.AnythingExists(key));
    }

    [BackendTheory(Needs.Linux | Needs.Posix | Needs.Recovery)]
    [InlineData("create s {0} 1", true)]
    [InlineData("create s {0} 1 keep", false)]
    [InlineData("createoropen s {0} 1", true)]
    [InlineData("createorreset s {0} 1", true)]
    public void A_semaphore_is_orphaned_when_its_maker_was_killed(string command, bool isOrphaned)
    {
        NativeIpcKey key = NextKey();
        PeerProcess maker = Peer();
        maker.Ask($"sem {string.Format(null, command, key)}");
        maker.Kill();
        Assert.Equal(isOrphaned, IsOrphaned(key, IpcObjectKind.SystemSemaphore));
    }

    /// <summary>Nobody counts who uses a set, so nothing proves that it is left.</summary>
    [BackendFact(Needs.Linux | Needs.SystemV)]
    public void A_System_V_semaphore_is_never_orphaned()
    {
        NativeIpcKey key = NextKey();
        PeerProcess maker = Peer();
        maker.Ask($"sem create s {key} 1");
        maker.Kill();
        Assert.False(IsOrphaned(key, IpcObjectKind.SystemSemaphore));
        Assert.Equal(IpcRemovalOutcome.CannotTell,
            IpcObjects.RemoveUnused(Listed(key, IpcObjectKind.SystemSemaphore)!, out string? reason));
        Assert.Contains("does not count", reason, StringComparison.Ordinal);
    }

    [BackendFact(Needs.Linux | Needs.Leftovers)]
    public void As_long_as_another_process_has_it_open_nothing_is_orphaned()
    {
        NativeIpcKey key = NextKey();
        PeerProcess maker = Peer();
        PeerProcess user = Peer();
        maker.Ask($"shm create a {key} 100");
        user.Ask($"shm open a {key} rw keep");
        maker.Kill();
        IpcObjectInfo found = Listed(key, IpcObjectKind.SharedMemory)!;
        Assert.True(found.IsInUse);
        Assert.Equal(IpcObjectTraits.None, found.Traits & (IpcObjectTraits.Unused | IpcObjectTraits.Orphaned));
        Assert.Equal(IpcRemovalOutcome.InUse, IpcObjects.RemoveUnused(found, out _));
        user.Kill();
        Assert.True(IsOrphaned(key, IpcObjectKind.SharedMemory));
    }

    [BackendFact(Needs.Linux | Needs.Leftovers)]
    public void A_creating_call_that_keeps_it_takes_the_record_away_and_one_that_only_opens_does_not()
    {
        NativeIpcKey key = NextKey();
        PeerProcess maker = Peer();
        maker.Ask($"shm create a {key} 100");
        maker.Kill();
        var keep = new SharedMemoryOptions { Removal = RemovalPolicy.Keep };
        SharedMemory.OpenExisting(key, options: keep).Dispose();
        Assert.True(IsOrphaned(key, IpcObjectKind.SharedMemory));
        SharedMemory.CreateOrOpen(key, 100, keep).Dispose();
        Assert.False(IsOrphaned(key, IpcObjectKind.SharedMemory));
    }

    [BackendTheory(Needs.Linux | Needs.Posix | Needs.Recovery)]
    [InlineData("createoropen", true)]
    [InlineData("createorreset", false)]
    public void Who_takes_a_semaphore_over_has_to_remove_it(string verb, bool keeps)
    {
        NativeIpcKey key = NextKey();
        PeerProcess maker = Peer();
        PeerProcess next = Peer();
        maker.Ask($"sem create s {key} 1");
        maker.Kill();
        next.Ask($"sem {verb} s {key} 1{(keeps ? " keep" : " lastout")}");
        next.Kill();
        Assert.Equal(!keeps, IsOrphaned(key, IpcObjectKind.SystemSemaphore));
        if (!keeps)
            Assert.Contains(Listed(key, IpcObjectKind.SystemSemaphore)!.Signs,
                sign => sign.Text.Contains($"process {next.Id},", StringComparison.Ordinal));
    }

    [BackendFact(Needs.Linux | Needs.Leftovers)]
    public void A_maker_of_another_boot_or_namespace_is_not_known_to_be_dead()
    {
        NativeIpcKey key = NextKey();
        PeerProcess maker = Peer("unshare", "--pid", "--fork", "--kill-child", PeerProcess.Program);
        maker.Ask($"shm create a {key} 100");
        maker.Kill();
        IpcObjectInfo found = Listed(key, IpcObjectKind.SharedMemory)!;
        Assert.Equal(IpcRemovalOutcome.Removed, WaitUntilUnused(found)); // it is unused; whose it was cannot be told
        Assert.False((found.Traits & IpcObjectTraits.Orphaned) != 0);

        IpcRemovalOutcome WaitUntilUnused(IpcObjectInfo one)
        {
            IpcRemovalOutcome outcome = IpcRemovalOutcome.InUse;
            Assert.True(SpinWait.SpinUntil(
                () => (outcome = IpcObjects.RemoveUnused(one, out _)) != IpcRemovalOutcome.InUse, s_watchdog));
            return outcome;
        }
    }

    [BackendFact(Needs.Linux | Needs.Posix | Needs.Recovery)]
    public void A_foreign_object_is_at_most_unused()
    {
        NativeIpcKey key = NextKey();
        File.WriteAllText(Backend.FileOf(key), "made by somebody else");
        IpcObjectInfo found = Assert.Single(IpcObjects.Enumerate(s_asking with { FindUnused = true }).Objects,
            one => one.Key == key);
        Assert.Equal(IpcObjectTraits.Unused, found.Traits);
        Assert.DoesNotContain(IpcObjects.Diagnose(),
            finding => finding.Subject?.Key == key && finding.Kind == IpcFindingKind.Orphaned);
    }

    private static bool HasAttributes(string folder)
    {
        string path = Path.Combine(folder, TestNames.NextName());
        using var file = new FileStream(path,
            new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.ReadWrite,
                Options = FileOptions.DeleteOnClose });
        return Libc.SetAttribute((int)file.SafeFileHandle.DangerousGetHandle(), "user.nativeipc\0"u8,
            "x"u8) == 0;
    }

    private bool IsOrphaned(NativeIpcKey key, IpcObjectKind kind)
        => (Listed(key, kind)!.Traits & IpcObjectTraits.Orphaned) != 0;

    private IpcObjectInfo? Listed(NativeIpcKey key, IpcObjectKind kind)
        => IpcObjects.Enumerate(s_asking).Objects.SingleOrDefault(
            found => found.Kind == kind && found.Type == Backend.Type && found.Key.NativeKey == key.NativeKey);
}
