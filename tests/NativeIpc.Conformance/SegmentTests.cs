using System.Globalization;
using Xunit;

namespace NativeIpc.Conformance;

/// <summary>Making and opening segments (mission C1, C2, C6).</summary>
public abstract class SegmentTests<TProvider> : ConformanceTests<TProvider>
    where TProvider : Provider, new()
{
    [Theory]
    [InlineData(1)]
    [InlineData(4096)]
    [InlineData(5000)]
    [InlineData(1_000_001)]
    public void A_new_segment_has_its_size_and_only_zero_bytes(int size)
    {
        using SharedMemory segment = SharedMemory.CreateNew(NextKey(), size);
        Assert.True(segment.CreatedNew);
        Assert.Equal(SharedMemoryAccess.ReadWrite, segment.Access);
        if (Backend.RoundsSizes) Assert.InRange(segment.Size, size, size + 65536);
        else Assert.Equal(size, segment.Size);
        Assert.False(segment.ReadOnlySpan.ContainsAnyExcept((byte)0));
    }

    [Fact]
    public void A_segment_keeps_its_key()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 10);
        Assert.Equal(key, segment.Key);
    }

    [Fact]
    public void Bytes_travel_between_processes_in_both_directions()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 5000);
        segment.Write(4990, [1, 2, 3]);
        PeerProcess peer = Peer();
        Assert.Equal($"{segment.Size} opened", peer.Ask($"shm open a {key} rw"));
        Assert.Equal("010203", peer.Ask("shm read a 4990 3"));
        peer.Ask("shm write a 0 c0ffee");
        Assert.Equal([0xC0, 0xFF, 0xEE], segment.ReadOnlySpan[..3].ToArray());
    }

    [Fact]
    public void Two_instances_in_one_process_share_the_bytes()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory one = SharedMemory.CreateNew(key, 100);
        using SharedMemory other = SharedMemory.OpenExisting(key);
        Assert.False(other.CreatedNew);
        Assert.Equal(one.Size, other.Size);
        one.Span[99] = 7;
        Assert.Equal(7, other.ReadOnlySpan[99]);
    }

    [Fact]
    public void Creating_what_exists_says_AlreadyExists()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 100);
        segment.Span[0] = 1;
        Assert.Equal(NativeIpcError.AlreadyExists, ErrorOf(() => SharedMemory.CreateNew(key, 100)));
        Assert.Equal(NativeIpcError.AlreadyExists, ErrorOf(() => SharedMemory.CreateNew(key, 1_000_000)));
        Assert.Equal("AlreadyExists", Peer().AskFailing($"shm create a {key} 100"));
        Assert.Equal(1, segment.Span[0]);
    }

    [Fact]
    public void Opening_what_does_not_exist_says_NotFound_and_leaves_nothing()
    {
        NativeIpcKey key = NextKey();
        Assert.Equal(NativeIpcError.NotFound, ErrorOf(() => SharedMemory.OpenExisting(key)));
        Assert.False(SharedMemory.TryOpenExisting(key, out SharedMemory? none));
        Assert.Null(none);
        Assert.Equal("NotFound", Peer().AskFailing($"shm open a {key} ro"));
        Assert.False(Backend.AnythingExists(key));
    }

    [Fact]
    public void TryOpenExisting_opens_what_exists()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 100);
        Assert.True(SharedMemory.TryOpenExisting(key, out SharedMemory? found));
        using (found) Assert.Equal(segment.ObjectIdentity, found.ObjectIdentity);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(long.MinValue)]
    public void A_size_below_one_is_a_wrong_argument(long size)
    {
        NativeIpcKey key = NextKey();
        Assert.Throws<ArgumentOutOfRangeException>(() => SharedMemory.CreateNew(key, size));
        Assert.Throws<ArgumentOutOfRangeException>(() => SharedMemory.CreateOrOpen(key, size));
        Assert.False(Backend.AnythingExists(key));
    }

    [Fact]
    public void A_size_that_the_system_cannot_give_is_told_and_leaves_nothing()
    {
        NativeIpcKey key = NextKey();
        Assert.Contains(ErrorOf(() => SharedMemory.CreateNew(key, long.MaxValue)),
            new[] { NativeIpcError.InvalidSize, NativeIpcError.OutOfResources });
        Assert.Contains(ErrorOf(() => SharedMemory.CreateOrOpen(key, long.MaxValue)),
            new[] { NativeIpcError.InvalidSize, NativeIpcError.OutOfResources });
        Assert.False(Backend.AnythingExists(key));
    }

    [Fact]
    public void Opening_without_patience_is_not_disturbed_by_other_openers()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 4096);
        var impatient = new SharedMemoryOptions { PeerTimeout = TimeSpan.Zero, Removal = RemovalPolicy.Keep };
        Parallel.For(0, 2000, new ParallelOptions { MaxDegreeOfParallelism = 4 },
            _ => SharedMemory.OpenExisting(key, options: impatient).Dispose());
        Assert.True(segment.Size >= 4096);
    }

    [BackendFact(Needs.Posix | Needs.Linux)]
    public void A_segment_larger_than_the_memory_says_OutOfResources_and_leaves_nothing()
    {
        // Needs a /dev/shm of known size.
        NativeIpcKey key = NextKey();
        long room = new DriveInfo("/dev/shm").TotalSize;
        Assert.Equal(NativeIpcError.OutOfResources, ErrorOf(() => SharedMemory.CreateNew(key, room + (1L << 30))));
        Assert.False(Backend.AnythingExists(key));
    }

    [Fact]
    public void CreateOrOpen_says_which_it_did()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory made = SharedMemory.CreateOrOpen(key, 100);
        Assert.True(made.CreatedNew);
        made.Span[5] = 55;
        using SharedMemory found = SharedMemory.CreateOrOpen(key, 100);
        Assert.False(found.CreatedNew);
        Assert.Equal(55, found.Span[5]);
        Assert.Equal($"{made.Size} opened", Peer().Ask($"shm createoropen a {key} 100"));
    }

    [Fact]
    public void CreateOrOpen_of_a_smaller_segment_says_InvalidSize_and_harms_nobody()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory small = SharedMemory.CreateNew(key, 100);
        small.Span[3] = 3;
        Assert.Equal(NativeIpcError.InvalidSize, ErrorOf(() => SharedMemory.CreateOrOpen(key, 1_000_000)));
        Assert.Equal("InvalidSize", Peer().AskFailing($"shm createoropen a {key} 1000000"));
        using SharedMemory again = SharedMemory.OpenExisting(key);
        Assert.Equal(3, again.Span[3]);
    }

    [BackendFact(Needs.Leftovers)]
    public void CreateOrOpen_of_a_smaller_segment_that_nobody_uses_leaves_it()
    {
        NativeIpcKey key = NextKey();
        SharedMemory.CreateNew(key, 100, new() { Removal = RemovalPolicy.Keep }).Dispose();
        Assert.Equal(NativeIpcError.InvalidSize, ErrorOf(() => SharedMemory.CreateOrOpen(key, 1_000_000)));
        Assert.True(Backend.SegmentExists(key));
    }

    [Fact]
    public void AllowSmaller_accepts_a_smaller_segment()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory small = SharedMemory.CreateNew(key, 100);
        using SharedMemory found = SharedMemory.CreateOrOpen(key, 1_000_000, new() { AllowSmaller = true });
        Assert.Equal(small.Size, found.Size);
        Assert.Equal($"{small.Size} opened", Peer().Ask($"shm createoropen a {key} 1000000 smaller"));
    }

    [Fact]
    public void CreateOrOpen_takes_a_larger_segment_and_maps_all_of_it()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory large = SharedMemory.CreateNew(key, 1_000_000);
        using SharedMemory found = SharedMemory.CreateOrOpen(key, 100);
        Assert.Equal(large.Size, found.Size);
        found.Span[999_999] = 9;
        Assert.Equal(9, large.Span[999_999]);
    }

    [Fact]
    public void A_key_of_no_type_or_of_another_platform_says_KeyError()
    {
        Assert.Equal(NativeIpcError.KeyError, ErrorOf(() => SharedMemory.CreateNew(default, 10)));
        var foreign = new NativeIpcKey("x",
            OperatingSystem.IsWindows() ? NativeIpcKeyType.PosixRealtime : NativeIpcKeyType.Windows);
        Assert.Equal(NativeIpcError.KeyError, ErrorOf(() => SharedMemory.CreateNew(foreign, 10)));
        Assert.Equal(NativeIpcError.KeyError, ErrorOf(() => SharedMemory.OpenExisting(foreign)));
        Assert.Equal(NativeIpcError.KeyError, ErrorOf(() => SystemSemaphore.CreateNew(foreign, 1)));
        Assert.False(SharedMemory.IsKeyTypeSupported(foreign.Type));
    }

    [Theory]
    [InlineData("empty")]
    [InlineData("with a NUL")]
    [InlineData("with a lone surrogate")]
    [InlineData("too long")]
    public void A_name_that_cannot_work_says_KeyError(string kind)
    {
        NativeIpcKey key = NextKey();
        key = Names.Track(key.WithNativeKey(kind switch
        {
            "empty" => "",
            "with a NUL" => key.NativeKey + "\0x",
            "with a lone surrogate" => key.NativeKey + "\ud800",
            _ => key.NativeKey + new string('x', 5000),
        }));
        Assert.Equal(NativeIpcError.KeyError, ErrorOf(() => SharedMemory.CreateNew(key, 10)));
        Assert.Equal(NativeIpcError.KeyError, ErrorOf(() => SharedMemory.OpenExisting(key)));
        Assert.Equal(NativeIpcError.KeyError, ErrorOf(() => SystemSemaphore.CreateOrOpen(key, 10)));
    }

    [BackendFact(Needs.Posix | Needs.Linux)]
    public void A_slash_inside_a_posix_name_says_KeyError()
    {
        // A rule of POSIX names on Linux.
        Assert.Equal(NativeIpcError.KeyError,
            ErrorOf(() => SharedMemory.CreateNew(new NativeIpcKey("/a/b", Backend.Type), 10)));
    }

    [BackendFact(Needs.Posix | Needs.Linux)]
    public void Leading_slashes_of_a_posix_name_do_not_matter()
    {
        // A rule of POSIX names on Linux.
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 10);
        using SharedMemory found = SharedMemory.OpenExisting(new NativeIpcKey("//" + key.NativeKey, key.Type));
        Assert.Equal(segment.ObjectIdentity, found.ObjectIdentity);
    }

    [BackendFact(Needs.Posix | Needs.Linux)]
    public void A_name_of_255_bytes_makes_a_posix_segment_whose_lock_says_LockError()
    {
        // The length of names in /dev/shm.
        NativeIpcKey key = NextKey();
        key = Names.Track(new NativeIpcKey(key.NativeKey + new string('x', 256 - key.NativeKey.Length), key.Type));
        using SharedMemory segment = SharedMemory.CreateNew(key, 10);
        Assert.Equal(NativeIpcError.LockError, ErrorOf(() => segment.Lock()));
        Assert.Equal(NativeIpcError.KeyError, ErrorOf(() => SystemSemaphore.CreateNew(key, 1)));
    }

    [Fact]
    public void A_name_in_another_script_and_with_spaces_works()
    {
        NativeIpcKey key = NextKey();
        key = Names.Track(new NativeIpcKey(key.NativeKey + " ü漢%", key.Type));
        using SharedMemory segment = SharedMemory.CreateNew(key, 10);
        segment.Span[0] = 0x42;
        PeerProcess peer = Peer();
        peer.Ask($"shm open a {key.ToString().Replace(" ", "%20", StringComparison.Ordinal)} ro");
        Assert.Equal("42", peer.Ask("shm read a 0 1"));
    }

    [BackendFact(Needs.Posix | Needs.Linux)]
    public void A_folder_in_place_of_a_posix_segment_says_KeyError()
    {
        // Needs names that are files.
        NativeIpcKey key = NextKey();
        Directory.CreateDirectory(Names.TrackPath(Backend.FileOf(key)));
        Assert.Equal(NativeIpcError.KeyError, ErrorOf(() => SharedMemory.OpenExisting(key)));
        Assert.Contains(ErrorOf(() => SharedMemory.CreateNew(key, 10)),
            new[] { NativeIpcError.KeyError, NativeIpcError.AlreadyExists });
    }

    [BackendFact(Needs.Posix | Needs.Linux | Needs.ComparedNames)]
    public void A_symbolic_link_in_place_of_a_posix_object_is_not_followed()
    {
        // Needs names that are files.
        NativeIpcKey key = NextKey();
        string target = Names.TrackPath(Path.Combine(TestNames.Folder, TestNames.NextName()));
        File.WriteAllText(target, "precious");
        File.CreateSymbolicLink(Names.TrackPath(Backend.FileOf(key)), target);
        Assert.Equal(NativeIpcError.KeyError, ErrorOf(() => SharedMemory.CreateOrOpen(key, 10)));
        Assert.Equal(NativeIpcError.KeyError, ErrorOf(() => SharedMemory.OpenExisting(key)));
        Assert.Equal("precious", File.ReadAllText(target));
    }

    [BackendFact(Needs.SystemV)]
    public void A_System_V_key_in_a_folder_that_does_not_exist_says_KeyError_when_created_and_NotFound_when_opened()
    {
        var key = new NativeIpcKey(Path.Combine(TestNames.Folder, "missing", "x"), Backend.Type);
        Assert.Equal(NativeIpcError.KeyError, ErrorOf(() => SharedMemory.CreateNew(key, 10)));
        Assert.Equal(NativeIpcError.KeyError, ErrorOf(() => SystemSemaphore.CreateNew(key, 10)));
        Assert.Equal(NativeIpcError.NotFound, ErrorOf(() => SharedMemory.OpenExisting(key)));
    }

    [NeedsRoot(WhyRoot)]
    [BackendFact(Needs.Linux)]
    public void Another_user_is_told_PermissionDenied()
    {
        string setpriv = OtherUser();
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 10);
        using PeerProcess other = Peer(setpriv, "--reuid", "65534", "--regid", "65534", "--clear-groups",
            PeerProcess.Program);
        Assert.Equal("PermissionDenied", other.AskFailing($"shm open a {key} rw"));
        Assert.Equal("PermissionDenied", other.AskFailing($"shm open a {key} ro"));
        Assert.Equal("PermissionDenied", other.AskFailing($"shm createoropen a {key} 10"));
        Assert.Equal("AlreadyExists", other.AskFailing($"shm create a {key} 10"));
    }

    [NeedsRoot(WhyRoot)]
    [BackendFact(Needs.Linux)]
    public void Another_user_whom_the_mode_lets_in_reads_and_cannot_write()
    {
        string setpriv = OtherUser();
        NativeIpcKey key = NextKey();
        const UnixFileMode readable = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead
            | UnixFileMode.OtherRead;
        using SharedMemory segment = SharedMemory.CreateNew(key, 10, new() { Mode = readable });
        segment.Span[0] = 0xAB;
        using PeerProcess other = Peer(setpriv, "--reuid", "65534", "--regid", "65534", "--clear-groups",
            PeerProcess.Program);
        Assert.Equal("PermissionDenied", other.AskFailing($"shm open a {key} rw"));
        Assert.Equal("10 opened", other.Ask($"shm open a {key} ro"));
        Assert.Equal("ab", other.Ask("shm read a 0 1"));
    }

    [BackendTheory(Needs.Linux)]
    [InlineData("600")]
    [InlineData("660")]
    [InlineData("666")]
    public void The_mode_is_exact_whatever_the_umask(string octal)
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 10,
            new() { Mode = (UnixFileMode)Convert.ToInt32(octal, 8) });
        Assert.Equal(octal, Convert.ToString(Backend.ModeOf(key), 8));
    }

    [Fact]
    public void Options_without_meaning_are_refused()
    {
        NativeIpcKey key = NextKey();
        SharedMemoryOptions[] wrong =
        [
            new() { Mode = FileModes.Mode700 },
            new() { Mode = FileModes.Mode400 },
            new() { Removal = (RemovalPolicy)9 },
            new() { Allocation = (SharedMemoryAllocation)9 },
            new() { PeerTimeout = TimeSpan.FromSeconds(-2) },
        ];
        foreach (SharedMemoryOptions options in wrong)
            Assert.Throws<ArgumentException>(() => SharedMemory.CreateNew(key, 10, options));
        Assert.Throws<ArgumentException>(() => SharedMemory.OpenExisting(key, (SharedMemoryAccess)9));
        Assert.False(Backend.AnythingExists(key));
    }

    [Theory]
    [InlineData(SharedMemoryAllocation.Reserve)]
    [InlineData(SharedMemoryAllocation.Sparse)]
    [InlineData(SharedMemoryAllocation.Populate)]
    public void Every_allocation_gives_usable_zeroed_bytes(SharedMemoryAllocation allocation)
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 300_000, new() { Allocation = allocation });
        using SharedMemory opened = SharedMemory.OpenExisting(key, options: new() { Allocation = allocation });
        Assert.False(opened.ReadOnlySpan.ContainsAnyExcept((byte)0));
        segment.Span[299_999] = 1;
        Assert.Equal(1, opened.Span[299_999]);
    }

    [Fact]
    public void A_failure_carries_error_number_operation_key_and_a_message_that_names_them()
    {
        NativeIpcKey key = NextKey();
        NativeIpcException failure = Assert.Throws<NativeIpcException>(() => SharedMemory.OpenExisting(key));
        Assert.Equal(key, failure.Key);
        Assert.NotEmpty(failure.Operation);
        Assert.NotEqual(0, failure.NativeErrorCode);
        Assert.Contains(key.ToString(), failure.Message, StringComparison.Ordinal);
        Assert.Contains(failure.NativeErrorCode.ToString(CultureInfo.InvariantCulture), failure.Message,
            StringComparison.Ordinal);
    }

    private const string WhyRoot = "Needs root, to start a peer as another user.";

    private string OtherUser()
    {
        Need.Root(WhyRoot);
        File.SetUnixFileMode(TestNames.Folder, FileModes.Mode755);
        return Peers.Require("setpriv", "util-linux");
    }
}
