using NativeIpc.Errors;
using NativeIpc.Inspection;
using NativeIpc.Inspection.Looks;
using NativeIpc.Inspection.Objects;
using NativeIpc.Inspection.Posix;
using NativeIpc.Inspection.SystemV;
using NativeIpc.Interop.Unix;
using Xunit;

namespace NativeIpc.Tests.Listing;

public class DiagnosisTests
{
    [Theory]
    [InlineData("", true)]
    [InlineData("[Login]\n#RemoveIPC=no", true)]
    [InlineData("[Login]\nRemoveIPC=no", false)]
    [InlineData("RemoveIPC = no", false)]
    [InlineData("RemoveIPC=no\nRemoveIPC=yes", true)]
    [InlineData("RemoveIPC=yes\nRemoveIPC=off", false)]
    public void The_last_line_about_RemoveIPC_decides(string text, bool removes)
        => Assert.Equal(removes, SystemVDiagnosis.RemovesAtLogout(text.Split('\n')));

    [Theory]
    [InlineData("/dev/shm/frames", "/dev/shm/frames")]
    [InlineData("/dev/shm/my frames", "'/dev/shm/my frames'")]
    [InlineData("/dev/shm/it's", "'/dev/shm/it'\\''s'")]
    [InlineData("/dev/shm/$(x)", "'/dev/shm/$(x)'")]
    public void A_name_in_a_command_is_one_word(string name, string quoted)
        => Assert.Equal(quoted, Failure.Quote(name));

    [Theory]
    [InlineData(254, 0, "ext4")]
    [InlineData(0, 23, "tmpfs")]
    [InlineData(0, 5, "devtmpfs")] // no optional field, then some
    [InlineData(0, 99, null)]
    public void The_file_system_of_a_folder_is_the_one_that_was_mounted_last(int major, int minor, string? format)
        => Assert.Equal(format, PosixDiagnosis.FormatOf(
        new FileIdentity(((ulong)major << 32) | (uint)minor, 7),
        [
            "", "22 1 254:0 / / rw,relatime shared:1 - ext3 /dev/vda rw",
            "59 58 0:23 / /dev/shm rw,relatime - tmpfs tmpfs rw,size=24684084k",
            "24 22 0:5 / /dev rw shared:2 master:3 - devtmpfs udev rw",
            "64 60 254:0 /var/tmp/x /dev/shm rw - ext4 /dev/vda rw,discard",
        ]));

    [Fact]
    public void Lost_permits_are_an_error_that_can_be_mended_whoever_uses_the_semaphore()
    {
        var diagnosis = new Diagnosis(new IpcSnapshot(
        [
            Found("sem.lost", IpcObjectTraits.LockOfSegment) with { Kind = IpcObjectKind.SystemSemaphore, Value = 1,
                LostPermits = 2 },
            Found("sem.well", IpcObjectTraits.None) with { Kind = IpcObjectKind.SystemSemaphore, Value = 0,
                LostPermits = 0 },
        ], []));
        diagnosis.Examine();
        IpcFinding finding = Assert.Single(diagnosis.Findings());
        Assert.Equal((IpcFindingKind.LostPermit, IpcSeverity.Error, true, "nipc doctor --fix"),
            (finding.Kind, finding.Severity, finding.IsSafeToFix, finding.Command));
        Assert.Contains("has lost 2 permits", finding.Summary, StringComparison.Ordinal);
    }

    [Fact]
    public void Nothing_is_removed_that_may_be_as_its_maker_wants_it()
    {
        IReadOnlyList<IpcFinding> findings = Examined(
            Found("unused", IpcObjectTraits.Unused),
            Found("lock-file", IpcObjectTraits.Unused | IpcObjectTraits.Empty) with { Size = 0 },
            Found("sem.data", IpcObjectTraits.Unused | IpcObjectTraits.WrongSize) with
            {
                Kind = IpcObjectKind.SystemSemaphore, Size = 4096, // shm_open("/sem.data")
            },
            Found("sem.u32", IpcObjectTraits.Unused | IpcObjectTraits.WrongSize) with
            {
                Kind = IpcObjectKind.SystemSemaphore, Size = 16, // of a 32-bit program
            },
            Found("sem.event", IpcObjectTraits.Unused | IpcObjectTraits.LockOfSegment) with
            {
                Kind = IpcObjectKind.SystemSemaphore, Value = 0, // made by C with 0: its state of rest
            },
            Set(7, IpcObjectTraits.Empty | IpcObjectTraits.LockOfSegment | IpcObjectTraits.Unused),
            Set(8, IpcObjectTraits.KeyFileReplaced | IpcObjectTraits.Unused),
            Found("fine", IpcObjectTraits.None));
        Assert.DoesNotContain(findings, finding => finding.IsSafeToFix || finding.Severity == IpcSeverity.Error);
        Assert.All(findings, finding => Assert.False(IpcObjects.TryMend(finding)));
        Assert.Equal([8], findings.Where(one => one.Severity == IpcSeverity.Warning)
            .Select(one => one.Subject!.SystemVId));
    }

    [Theory]
    [InlineData(IpcObjectTraits.Removed)]
    [InlineData(IpcObjectTraits.NoKey)]
    [InlineData(IpcObjectTraits.Removed | IpcObjectTraits.NoKey)]
    [InlineData(IpcObjectTraits.Empty)] // between shm_open and ftruncate, or a lock file that somebody has open
    public void A_normal_state_is_no_finding(IpcObjectTraits traits)
        => Assert.Empty(Examined(Found("x", traits) with { Size = 0, AttachmentCount = 2, IsInUse = true }));

    [Fact]
    public void A_lock_whose_holder_is_dead_by_our_own_record_is_an_error_that_can_be_mended()
    {
        IpcFinding finding = Assert.Single(Examined(Found("sem.lock", IpcObjectTraits.LockOfSegment) with
        {
            Kind = IpcObjectKind.SystemSemaphore, Value = 0, HasDeadHolder = true,
        }));
        Assert.Equal((IpcFindingKind.LostPermit, IpcSeverity.Error, true, "nipc doctor --fix"),
            (finding.Kind, finding.Severity, finding.IsSafeToFix, finding.Command));
    }

    [Fact]
    public void The_worst_comes_first()
        => Assert.Equal([IpcFindingKind.LostPermit, IpcFindingKind.WrongSize, IpcFindingKind.Unused], Examined(
            Found("unused", IpcObjectTraits.Unused),
            Found("sem.bad", IpcObjectTraits.Unused | IpcObjectTraits.WrongSize) with
            {
                Kind = IpcObjectKind.SystemSemaphore, Size = 3,
            },
            Found("sem.lost", IpcObjectTraits.None) with
            {
                Kind = IpcObjectKind.SystemSemaphore, Value = 1, LostPermits = 2,
            }).Select(finding => finding.Kind));

    [Theory]
    [InlineData("/it's", "nipc rm -k sem 'posix:/it'\\''s'")]
    [InlineData("/x", "nipc rm -k sem posix:/x")]
    [InlineData("/escape\e", "nipc rm -k sem posix:/escape%1B")]
    [InlineData("/bidi\u202e", null)] // cannot be typed as it is shown
    public void What_is_suggested_is_a_command_that_looks_again(string name, string? command)
        => Assert.Equal(command, Assert.Single(Examined(Found("sem.x", IpcObjectTraits.WrongSize) with
        {
            Kind = IpcObjectKind.SystemSemaphore, Size = 3, Key = new NativeIpcKey(name,
                NativeIpcKeyType.PosixRealtime),
        })).Command);

    [Fact]
    public void What_has_no_key_is_named_by_its_id()
        => Assert.Equal("nipc rm semid:8", Assert.Single(Examined(Set(8, IpcObjectTraits.KeyFileReplaced))).Command);

    [Theory]
    [InlineData(IpcObjectTraits.Unused | IpcObjectTraits.Orphaned, false)]
    [InlineData(IpcObjectTraits.None, true)] // whether somebody has it open is not known
    public void Removal_is_offered_for_what_a_dead_process_had_to_remove(IpcObjectTraits traits, bool isLeft)
    {
        IpcFinding finding = Assert.Single(Examined(Found("x", traits) with { IsLeft = isLeft }));
        Assert.Equal((IpcFindingKind.Orphaned, IpcSeverity.Information, "nipc rm --orphaned", false),
            (finding.Kind, finding.Severity, finding.Command, finding.IsSafeToFix));
        Assert.Equal(!isLeft, finding.Summary.Contains("no process has it open", StringComparison.Ordinal));
    }

    [Fact]
    public void Removing_what_is_merely_unused_is_no_advice()
    {
        IpcFinding finding = Assert.Single(Examined(Found("x", IpcObjectTraits.Unused) with
        {
            Key = new NativeIpcKey("/x", NativeIpcKeyType.PosixRealtime),
        }));
        Assert.Null(finding.Command);
        Assert.Contains("'nipc rm -k shm posix:/x' looks again", finding.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public void A_segment_that_others_may_use_and_not_lock_is_told()
    {
        const UnixFileMode all = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherRead
            | UnixFileMode.OtherWrite;
        var diagnosis = new Diagnosis(new IpcSnapshot(
        [
            Found("frames", IpcObjectTraits.None) with { Key = new NativeIpcKey("/frames",
                NativeIpcKeyType.PosixRealtime), Mode = all },
            Found("sem.frames", IpcObjectTraits.LockOfSegment) with
            {
                Kind = IpcObjectKind.SystemSemaphore, Value = 1, Key = new NativeIpcKey("/frames",
                    NativeIpcKeyType.PosixRealtime), Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            },
        ], []));
        diagnosis.Examine();
        IpcFinding finding = Assert.Single(diagnosis.Findings());
        Assert.Equal(IpcFindingKind.Permissions, finding.Kind);
        Assert.Equal("chmod 606 /dev/shm/sem.frames", finding.Command);
    }

    [Theory]
    [InlineData(null, 100, false)]
    [InlineData(89L, 100, false)]
    [InlineData(90L, 100, true)]
    [InlineData(100L, 100, true)]
    [InlineData(1L, long.MaxValue, false)]
    [InlineData(0L, 0, false)]
    public void A_limit_is_near_at_nine_tenths(long? used, long maximum, bool isNear)
        => Assert.Equal(isNear, new IpcLimit("x", "y", used, maximum, "z").IsNear);

    private static IReadOnlyList<IpcFinding> Examined(params IpcObjectInfo[] objects)
    {
        var diagnosis = new Diagnosis(new IpcSnapshot(objects, []));
        diagnosis.Examine();
        return diagnosis.Findings();
    }

    private static IpcObjectInfo Set(int id, IpcObjectTraits traits) => Found("0x51000001", traits) with
    {
        Kind = IpcObjectKind.SystemSemaphore, Type = NativeIpcKeyType.SystemV,
        SystemV = new SystemVFacts { Id = id }, Size = null, Value = 0,
    };

    private static IpcObjectInfo Found(string name, IpcObjectTraits traits)
        => new() { Type = NativeIpcKeyType.PosixRealtime, NativeName = name, Size = 4096,
            Created = DateTimeOffset.UnixEpoch, Traits = traits };
}
