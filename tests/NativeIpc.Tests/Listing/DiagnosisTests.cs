using NativeIpc.Backends;
using NativeIpc.Backends.Posix;
using NativeIpc.Backends.SystemV;
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
    public void The_last_line_about_RemoveIPC_decides(string text, bool removes) => Assert.Equal(removes, SystemVDiagnosis.RemovesAtLogout(text.Split('\n')));

    [Theory]
    [InlineData("/dev/shm/frames", "/dev/shm/frames")]
    [InlineData("/dev/shm/my frames", "'/dev/shm/my frames'")]
    [InlineData("/dev/shm/it's", "'/dev/shm/it'\\''s'")]
    [InlineData("/dev/shm/$(x)", "'/dev/shm/$(x)'")]
    public void A_name_in_a_command_is_one_word(string name, string quoted) => Assert.Equal(quoted, Diagnosis.Quote(name));

    [Theory]
    [InlineData(254, 0, "ext4")]
    [InlineData(0, 23, "tmpfs")]
    [InlineData(0, 5, "devtmpfs")] // no optional field, then some
    [InlineData(0, 99, null)]
    public void The_file_system_of_a_folder_is_the_one_that_was_mounted_last(int major, int minor, string? format) => Assert.Equal(format, PosixDiagnosis.FormatOf(
        new Interop.FileIdentity(((ulong)major << 32) | (uint)minor, 7),
        [
            "", "22 1 254:0 / / rw,relatime shared:1 - ext3 /dev/vda rw", "59 58 0:23 / /dev/shm rw,relatime - tmpfs tmpfs rw,size=24684084k", "24 22 0:5 / /dev rw shared:2 master:3 - devtmpfs udev rw",
            "64 60 254:0 /var/tmp/x /dev/shm rw - ext4 /dev/vda rw,discard",
        ]));

    [Fact]
    public void Lost_permits_are_an_error_that_can_be_mended_whoever_uses_the_semaphore()
    {
        var diagnosis = new Diagnosis(new IpcSnapshot(
        [
            Found("sem.lost", IpcObjectTraits.LockOfSegment) with { Kind = IpcObjectKind.SystemSemaphore, Value = 1, LostPermits = 2 },
            Found("sem.well", IpcObjectTraits.None) with { Kind = IpcObjectKind.SystemSemaphore, Value = 0, LostPermits = 0 },
        ], []));
        diagnosis.Examine();
        IpcFinding finding = Assert.Single(diagnosis.Findings());
        Assert.Equal((IpcFindingKind.LostPermit, IpcSeverity.Error, true, "nipc doctor --fix"), (finding.Kind, finding.Severity, finding.IsSafeToFix, finding.Command));
        Assert.Contains("has lost 2 permits", finding.Summary, StringComparison.Ordinal);
    }

    [Fact]
    public void The_worst_comes_first_and_only_what_is_broken_is_safe_to_mend()
    {
        var diagnosis = new Diagnosis(new IpcSnapshot(
        [
            Found("unused", IpcObjectTraits.Unused),
            Found("left", IpcObjectTraits.Unused | IpcObjectTraits.Orphaned),
            Found("half", IpcObjectTraits.Unused | IpcObjectTraits.HalfCreated) with { Size = 0 },
            Found("sem.bad", IpcObjectTraits.Unused | IpcObjectTraits.WrongSize) with { Kind = IpcObjectKind.SystemSemaphore, Size = 3 },
            Found("sem.lock", IpcObjectTraits.Unused | IpcObjectTraits.LockOfSegment) with { Kind = IpcObjectKind.SystemSemaphore, Value = 0 },
            Found("fine", IpcObjectTraits.None),
        ], []));
        diagnosis.Examine();
        IReadOnlyList<IpcFinding> findings = diagnosis.Findings();
        Assert.Equal([IpcFindingKind.WrongSize, IpcFindingKind.LostPermit, IpcFindingKind.HalfCreated, IpcFindingKind.Unused, IpcFindingKind.Orphaned], findings.Select(finding => finding.Kind));
        Assert.Equal([true, true, true, false, false], findings.Select(finding => finding.IsSafeToFix));
        Assert.Equal("rm /dev/shm/sem.bad", findings[0].Command);
        Assert.Null(findings[3].Command); // somebody may come back to what is only unused
        Assert.NotNull(findings[4].Command);
    }

    [Fact]
    public void A_segment_that_others_may_use_and_not_lock_is_told()
    {
        const UnixFileMode all = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;
        var diagnosis = new Diagnosis(new IpcSnapshot(
        [
            Found("frames", IpcObjectTraits.None) with { Key = new NativeIpcKey("/frames", NativeIpcKeyType.PosixRealtime), Mode = all },
            Found("sem.frames", IpcObjectTraits.LockOfSegment) with
            {
                Kind = IpcObjectKind.SystemSemaphore, Value = 1, Key = new NativeIpcKey("/frames", NativeIpcKeyType.PosixRealtime), Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
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
    public void A_limit_is_near_at_nine_tenths(long? used, long maximum, bool isNear) => Assert.Equal(isNear, new IpcLimit("x", "y", used, maximum, "z").IsNear);

    private static IpcObjectInfo Found(string name, IpcObjectTraits traits)
        => new() { Type = NativeIpcKeyType.PosixRealtime, NativeName = name, Size = 4096, Created = DateTimeOffset.UnixEpoch, Traits = traits };
}
