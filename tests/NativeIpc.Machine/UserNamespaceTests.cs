using Xunit;

namespace NativeIpc.Machine;

/// <summary>User name spaces that do not map all ids: a user that is not mapped shows as the overflow id, and so may
/// the process itself.</summary>
[NeedsLinux("User name spaces are Linux's.")]
[NeedsRoot(Victims.WhyRoot)]
public sealed class UserNamespaceTests : IDisposable
{
    private const int Self = 1234;
    private const int Stranger = 2000;
    private const string Mode = "mode=666";
    private static readonly string[] s_maps = ["", "--map-root-user"];

    private readonly List<NativeIpcKey> _keys = [];

    public UserNamespaceTests()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "User name spaces are Linux's.");
        Victims.NeedRoot();
        ShellResult tried = Shell.Run("unshare", ["--user", "true"]);
        Assert.SkipUnless(tried.ExitCode == 0, $"User name spaces cannot be made here: {tried.Error.Trim()}");
    }

    public void Dispose()
    {
        foreach (NativeIpcKey key in _keys)
        {
            SharedMemory.Remove(key);
            SystemSemaphore.Remove(key);
            if (key.Type.IsSystemV) File.Delete(key.NativeKey);
        }
    }

    public static TheoryData<Backend, string> Cases
    {
        get
        {
            TheoryData<Backend, string> cases = [];
            foreach (Backend backend in Enum.GetValues<Backend>())
            {
                foreach (string map in s_maps) cases.Add(backend, map);
            }

            return cases;
        }
    }

    private static Situation Inside(string map)
        => Situation.As(Self) with { UserNamespace = map.Length == 0 ? [] : [map] };

    private NativeIpcKey NewKey(Backend backend)
    {
        NativeIpcKey key = TestRun.NewKey(backend);
        _keys.Add(key);
        return key;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_strangers_object_is_refused_and_with_AllowOtherOwners_used(Backend backend, string map)
    {
        NativeIpcKey segment = NewKey(backend);
        NativeIpcKey semaphore = NewKey(backend);
        Victims.Run(Situation.As(Stranger), $"segment-create {segment} 4096 {Mode} removal=Keep",
            $"semaphore-create {semaphore} 1 {Mode} removal=Keep").Did("created 4096", "created");
        string[] onSegment =
            [$"segment-open {segment}", $"segment-read {segment}", $"segment-try-open {segment}",
            $"segment-create-or-open {segment} 1"];
        string[] onSemaphore =
            [$"semaphore-open {semaphore}", $"semaphore-try-open {semaphore}",
            $"semaphore-create-or-open {semaphore} 1", $"semaphore-reset {semaphore} 1"];
        VictimResult refused = Victims.Run(Inside(map), [.. onSegment, .. onSemaphore]);
        string call = backend == Backend.Posix ? "owner check" : "key file check";
        for (int i = 0; i < onSegment.Length + onSemaphore.Length; i++)
        {
            refused[i].AssertSays(NativeIpcError.PermissionDenied, i < onSegment.Length ? segment : semaphore, call,
                13);
            Assert.Contains("user namespace", refused[i].Message, StringComparison.Ordinal);
        }

        Victims.Run(Inside(map), $"segment-open {segment} others=true", "segment-fill", "segment-lock",
            $"semaphore-open {semaphore} others=true", "semaphore-acquire", $"segment-owner {segment}")
            .Did("opened 4096", "filled", "locked", "opened", "acquired", "owner unknown");
    }

    [Theory]
    [InlineData("", Stranger)]
    [InlineData("--map-root-user", Stranger)]
    [InlineData("", 0)]
    public void A_strangers_key_file_is_refused_and_so_is_that_of_a_root_who_is_not_mapped(string map, int owner)
    {
        NativeIpcKey key = NewKey(Backend.SystemV);
        MakeKeyFile(key, owner);
        VictimResult refused =
            Victims.Run(Inside(map), $"segment-create {key} 4096", $"semaphore-create {key} 1",
            $"segment-create {key} 4096 others=true", "dispose");
        for (int i = 0; i < 2; i++) refused[i].AssertSays(NativeIpcError.PermissionDenied, key, "key file check", 13);
        Assert.Equal("created 4096", refused[2].Did);
    }

    [Theory]
    [InlineData("")]
    [InlineData("--map-root-user")]
    public void A_strangers_half_created_segment_is_not_recovered(string map)
    {
        NativeIpcKey key = NewKey(Backend.Posix);
        string file = TestRun.SegmentFile(key);
        File.Create(file).Dispose();
        File.SetUnixFileMode(file, FileModes.Mode666);
        _ = Shell.Run("chown", [$"{Stranger}", file]).Succeeded;
        VictimResult result =
            Victims.Run(Inside(map), $"segment-create-or-open {key} 4096 timeout=0",
            $"segment-create {key} 4096 timeout=0");
        for (int i = 0; i < 2; i++) result[i].AssertSays(NativeIpcError.AlreadyExists, key, "shm_open");
        Assert.Equal(0, new FileInfo(file).Length);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_strangers_lock_of_an_own_segment_is_refused(Backend backend, string map)
    {
        NativeIpcKey key = NewKey(backend);
        if (backend == Backend.SystemV) MakeKeyFile(key, Self);
        Victims.Run(Situation.As(Stranger), $"semaphore-create {key} 1 {Mode} removal=Keep others=true").Did("created");
        VictimResult result = Victims.Run(Inside(map), $"segment-create {key} 4096", "segment-lock", "dispose");
        if (backend == Backend.SystemV && map.Length == 0)
        {
            // not even its own file can be told
            result[0].AssertSays(NativeIpcError.PermissionDenied, key, "key file check", 13);
            return;
        }

        Assert.Equal("created 4096", result[0].Did);
        result[1].AssertSays(NativeIpcError.PermissionDenied, key, backend == Backend.Posix ? "owner check" : "semctl",
            13);
    }

    /// <summary>The folder gives its files a stranger group, which shows as the same number as this process's
    /// own.</summary>
    [Fact]
    public void A_key_file_lets_no_group_in_that_cannot_be_told_from_another()
    {
        string folder = Path.Combine(TestRun.Folder, TestRun.NewName());
        Directory.CreateDirectory(folder);
        _ = Shell.Run("chown", [$"{Self}:{Stranger}", folder]).Succeeded;
        _ = Shell.Run("chmod", ["2755", folder]).Succeeded;
        NativeIpcKey key = TestRun.KeyOf(Path.Combine(folder, "key"));
        try
        {
            Victims.Run(Inside(""), $"segment-create {key} 4096 mode=660 others=true removal=Keep").Did("created 4096");
            Assert.Equal($"600 {Stranger}", Shell.Run("stat", ["-c", "%a %g", key.NativeKey]).Succeeded.Trim());
        }
        finally
        {
            SharedMemory.Remove(key);
            Directory.Delete(folder, recursive: true);
        }
    }

    private static void MakeKeyFile(NativeIpcKey key, int owner)
    {
        File.Create(key.NativeKey).Dispose();
        File.SetUnixFileMode(key.NativeKey, FileModes.Mode666);
        _ = Shell.Run("chown", [$"{owner}", key.NativeKey]).Succeeded;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void What_a_process_has_made_itself_works_there_and_is_removed(Backend backend, string map)
    {
        NativeIpcKey segment = NewKey(backend);
        NativeIpcKey semaphore = NewKey(backend);
        foreach (string end in new[] { "dispose", "exit 0" })
        {
            VictimResult result = Victims.Run(Inside(map),
                "umask 77", $"segment-create {segment} 4096 {Mode}", "segment-lock", "segment-fill",
                    $"semaphore-create {semaphore} 1 {Mode}", "semaphore-acquire", end);
            Assert.Equal(["created 4096", "locked", "filled", "created", "acquired"],
                result.Outcomes[1..6].Select(outcome => outcome.Did ?? outcome.Message!));
            foreach (NativeIpcKey key in new[] { segment, semaphore })
            {
                Assert.False(Path.Exists(backend == Backend.Posix ? TestRun.SegmentFile(key) : key.NativeKey),
                    $"{end} left {key}.");
                Assert.False(backend == Backend.Posix && Path.Exists(TestRun.SemaphoreFile(key)),
                    $"{end} left the semaphore {key}.");
            }
        }
    }

    [Fact]
    public void What_a_process_has_made_itself_by_the_plain_calls_works_there()
    {
        NativeIpcKey segment = NewKey(Backend.Posix);
        NativeIpcKey semaphore = NewKey(Backend.Posix);
        Victims.Run(Inside(""), "refuse-tmpfile", $"segment-create {segment} 4096 {Mode}", "segment-lock",
            $"semaphore-create {semaphore} 1 {Mode}", "semaphore-acquire", "dispose")
            .Did("refused", "created 4096", "locked", "created", "acquired", "disposed");
    }

    [Theory]
    [InlineData(Backend.Posix)]
    [InlineData(Backend.SystemV)]
    public void An_own_object_is_used_where_this_user_is_mapped_and_nobodys_where_it_is_not(Backend backend)
    {
        NativeIpcKey key = NewKey(backend);
        Victims.Run(Situation.As(Self), $"segment-create {key} 4096 {Mode} removal=Keep").Did("created 4096");
        Victims.Run(Inside("--map-root-user"), $"segment-open {key} removal=Keep",
            $"segment-owner {key}").Did("opened 4096", "owner 0");
        VictimResult unmapped =
            Victims.Run(Inside(""), $"segment-open {key}", $"segment-open {key} others=true removal=Keep");
        unmapped[0].AssertSays(NativeIpcError.PermissionDenied, key,
            backend == Backend.Posix ? "owner check" : "key file check", 13);
        Assert.Equal("opened 4096", unmapped[1].Did);
    }

    [Theory]
    [InlineData(Backend.Posix)]
    [InlineData(Backend.SystemV)]
    public void Where_all_ids_are_mapped_the_user_of_the_overflow_id_is_a_user_like_others(Backend backend)
    {
        NativeIpcKey key = NewKey(backend);
        Victims.Run(Situation.Nobody, $"segment-create {key} 4096 removal=Keep").Did("created 4096");
        Victims.Run(Situation.Nobody, $"segment-open {key}", "segment-lock", $"segment-owner {key}").Did("opened 4096",
            "locked", $"owner {Situation.NobodysId}");
    }

    [Theory]
    [InlineData("", Stranger, false)]
    [InlineData("", Self, true)]
    [InlineData("--map-root-user", Stranger, false)]
    [InlineData("--map-root-user", Self, true)]
    public void The_runtime_folder_is_used_if_it_is_this_users_own(string map, int owner, bool isUsed)
    {
        string folder = Path.Combine(TestRun.Folder, TestRun.NewName());
        Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        try
        {
            _ = Shell.Run("chown", [$"{owner}", folder]).Succeeded;
            Situation inside =
                Inside(map) with { Environment = new() { ["XDG_RUNTIME_DIR"] = folder, ["TMPDIR"] = TestRun.Folder } };
            VictimResult result = Victims.Run(inside, $"safe-key {(int)TestRun.SystemV} name");
            Assert.Equal(isUsed, result[0].Did!.Contains(folder, StringComparison.Ordinal));
        }
        finally
        {
            Directory.Delete(folder);
        }
    }
}
