using System.Net.Sockets;
using NativeIpc.Victim;
using Xunit;

namespace NativeIpc.Machine;

/// <summary>Key files of System V that cannot be, and those that are not ours to remove.</summary>
[NeedsLinux("Uses Linux's files.")]
public sealed class KeyFileTests : IDisposable
{
    private const int ENOENT = 2;
    private const int ENOSPC = 28;
    private const int EROFS = 30;

    private readonly string _folder = Path.Combine(TestRun.Folder, TestRun.NewName());

    public KeyFileTests()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Uses Linux's files.");
        Directory.CreateDirectory(_folder);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private NativeIpcKey Key(string name) => TestRun.KeyOf(Path.Combine(_folder, name));

    private static IEnumerable<Outcome> All(NativeIpcKey key)
        => [.. Calls.WithSegment(key), .. Calls.WithSemaphore(key)];

    [Theory]
    [InlineData("missing/key")]
    [InlineData("file/key")]
    public void A_missing_folder_is_a_key_error_when_creating_and_not_found_when_opening(string name)
    {
        File.WriteAllText(Path.Combine(_folder, "file"), "");
        NativeIpcKey key = Key(name);
        foreach (Outcome outcome in All(key))
        {
            if (outcome.Step.Contains(".Create", StringComparison.Ordinal))
                outcome.AssertSays(NativeIpcError.KeyError, key, "open");
            else if (outcome.Step.Contains(".Open", StringComparison.Ordinal))
                outcome.AssertSays(NativeIpcError.NotFound, key, "open", ENOENT);
            else Assert.Equal("missing", outcome.Did);
        }

        Assert.Equal([Path.Combine(_folder, "file")], Directory.EnumerateFileSystemEntries(_folder));
    }

    [Fact]
    public void A_link_that_leads_nowhere_is_a_key_error_and_stays()
    {
        NativeIpcKey key = Key("link");
        File.CreateSymbolicLink(key.NativeKey, Path.Combine(_folder, "nothing"));
        foreach (Outcome outcome in All(key)) outcome.AssertSays(NativeIpcError.KeyError, key, "open", ENOENT);
        Assert.Equal([key.NativeKey], Directory.EnumerateFileSystemEntries(_folder));
    }

    [Fact]
    public void A_circle_of_links_is_a_key_error()
    {
        NativeIpcKey key = Key("one");
        File.CreateSymbolicLink(key.NativeKey, Path.Combine(_folder, "two"));
        File.CreateSymbolicLink(Path.Combine(_folder, "two"), key.NativeKey);
        foreach (Outcome outcome in All(key)) outcome.AssertSays(NativeIpcError.KeyError, key, "open", 40);
    }

    [Fact]
    public void A_folder_may_be_the_key_file_of_a_segment_and_a_semaphore()
    {
        NativeIpcKey key = Key("");
        AssertServesBoth(TestRun.KeyOf(_folder));
        AssertServesBoth(key); // with a slash at its end
        Assert.True(Directory.Exists(_folder));
    }

    [Fact]
    public void A_file_that_holds_data_may_be_the_key_file_and_is_not_touched()
    {
        NativeIpcKey key = Key("data");
        File.WriteAllText(key.NativeKey, "data");
        File.SetUnixFileMode(key.NativeKey, UnixFileMode.UserRead);
        AssertServesBoth(key);
        SharedMemory.CreateNew(key, 4096, new SharedMemoryOptions { Removal = RemovalPolicy.Keep }).Dispose();
        Assert.True(SharedMemory.Remove(key));
        Assert.Equal("data", File.ReadAllText(key.NativeKey));
        Assert.Equal(UnixFileMode.UserRead, File.GetUnixFileMode(key.NativeKey));
    }

    [Fact]
    public void A_FIFO_or_a_socket_may_be_the_key_file_and_stays()
    {
        NativeIpcKey fifo = Key("fifo");
        _ = Shell.Run("mkfifo", [fifo.NativeKey]).Succeeded;
        AssertServesBoth(fifo);

        NativeIpcKey bound = Key("socket");
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(bound.NativeKey));
        AssertServesBoth(bound);
        Assert.Equal(2, Directory.EnumerateFileSystemEntries(_folder).Count());
    }

    [NeedsRoot(Victims.WhyRoot)]
    [Fact]
    public void An_empty_key_file_of_another_user_stays()
    {
        Victims.NeedRoot();
        NativeIpcKey key = Key("foreign");
        File.WriteAllText(key.NativeKey, "");
        _ = Shell.Run("chown", ["65534", key.NativeKey]).Succeeded;
        foreach (Outcome outcome in All(key)
            .Where(outcome => !outcome.Step.EndsWith("Remove", StringComparison.Ordinal)))
            outcome.AssertSays(NativeIpcError.PermissionDenied, key, "key file check", 13);
        AssertServesBoth(key, allowOtherOwners: true);
        Assert.True(File.Exists(key.NativeKey));
    }

    [NeedsRoot(Victims.WhyRoot)]
    [Fact]
    public void A_folder_without_permission_is_permission_denied()
    {
        Victims.NeedRoot();
        NativeIpcKey key = Key("key");
        File.SetUnixFileMode(_folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        VictimResult result = Victims.Run(Situation.Nobody,
            $"segment-create {key} 1", $"segment-create-or-open {key} 1", $"segment-open {key}",
            $"segment-try-open {key}", $"segment-remove {key}",
            $"semaphore-create {key} 1", $"semaphore-create-or-open {key} 1", $"semaphore-reset {key} 1",
            $"semaphore-open {key}", $"semaphore-try-open {key}", $"semaphore-remove {key}");
        foreach (Outcome outcome in result.Outcomes)
            outcome.AssertSays(NativeIpcError.PermissionDenied, key, "open", 13);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder));
    }

    [Fact]
    [NeedsRoot(Victims.WhyRoot)]
    public void A_read_only_folder_is_permission_denied_but_for_key_files_that_are_there()
    {
        NativeIpcKey there = Key("there");
        NativeIpcKey missing = Key("missing");
        VictimResult result = Victims.Run(
            new Situation
                { MountFirst =
                    $"mount -t tmpfs none {_folder}; touch {there.NativeKey}; mount -o remount,ro {_folder}" },
            $"segment-create {there} 4096", $"semaphore-create {there} 1", "dispose",
            $"segment-create {missing} 4096", $"semaphore-create {missing} 1", $"segment-try-open {missing}");
        Assert.Equal(("created 4096", "created", "disposed"), (result[0].Did, result[1].Did, result[2].Did));
        result[3].AssertSays(NativeIpcError.PermissionDenied, missing, "open", EROFS);
        result[4].AssertSays(NativeIpcError.PermissionDenied, missing, "open", EROFS);
        Assert.Equal("missing", result[5].Did);
    }

    [Fact]
    [NeedsRoot(Victims.WhyRoot)]
    public void A_full_file_system_is_out_of_resources()
    {
        NativeIpcKey key = Key("key");
        VictimResult result = Victims.Run(
            new Situation { MountFirst = $"mount -t tmpfs -o nr_inodes=2 none {_folder}; touch {_folder}/other",
                After = $"ls -A {_folder}; rm {_folder}/other" },
            $"segment-create {key} 4096", $"semaphore-create {key} 1");
        result[0].AssertSays(NativeIpcError.OutOfResources, key, "open", ENOSPC);
        result[1].AssertSays(NativeIpcError.OutOfResources, key, "open", ENOSPC);
        Assert.Equal(["other"], result.OtherLines);
    }

    /// <summary>A segment with its lock and a semaphore work under one key file, one after the other.</summary>
    private static void AssertServesBoth(NativeIpcKey key, bool allowOtherOwners = false)
    {
        var segments = new SharedMemoryOptions { AllowOtherOwners = allowOtherOwners };
        var semaphores = new SystemSemaphoreOptions { AllowOtherOwners = allowOtherOwners };
        bool existed = Path.Exists(key.NativeKey);
        using (SharedMemory segment = SharedMemory.CreateNew(key, 4096, segments))
        using (SharedMemory other = SharedMemory.OpenExisting(key, options: segments))
        {
            using (segment.Lock()) segment.Span[7] = 7;
            Assert.Equal(7, other.Span[7]);
        }

        using (SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 1, semaphores))
        using (SystemSemaphore other = SystemSemaphore.OpenExisting(key, semaphores))
        {
            Assert.True(semaphore.TryAcquire());
            Assert.False(other.TryAcquire());
        }

        Assert.Equal(existed, Path.Exists(key.NativeKey));
        Assert.False(SharedMemory.TryOpenExisting(key, out _, SharedMemoryAccess.Read,
            segments with { PeerTimeout = TimeSpan.Zero }));
        Assert.False(SystemSemaphore.TryOpenExisting(key, out _, semaphores with { PeerTimeout = TimeSpan.Zero }));
    }

    [Fact]
    public void A_key_file_stays_and_is_named_when_the_system_does_not_say_whether_it_is_used()
    {
        NativeIpcKey key = TestRun.NewKey(Backend.SystemV);
        try
        {
            VictimResult result = Victims.Run(Situation.Plain, "listen", $"semaphore-create {key} 1", "refuse-systemv",
                "dispose", "events");
            Assert.True(File.Exists(key.NativeKey));
            Assert.Contains(key.NativeKey, result[4].Did, StringComparison.Ordinal);
            Assert.Contains("semget", result[4].Did, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(key.NativeKey);
        }
    }

    [Fact]
    public void A_segment_whose_status_is_not_told_is_not_said_to_be_removed()
    {
        NativeIpcKey key = TestRun.NewKey(Backend.SystemV);
        using SharedMemory segment = SharedMemory.CreateNew(key, 100);
        VictimResult result = Victims.Run(Situation.Plain, $"segment-open {key}", "refuse-segment-status",
            "segment-lock");
        Assert.Equal("opened 100", result[0].Did);
        result[2].AssertSays(NativeIpcError.PermissionDenied, key, "shmctl", 1);
        Assert.DoesNotContain("was removed", result[2].Message, StringComparison.Ordinal);
    }
}
