using NativeIpc.Backends;
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

    [Fact]
    public void The_worst_comes_first_and_only_what_is_broken_is_safe_to_mend()
    {
        var diagnosis = new Diagnosis(new IpcSnapshot(
        [
            Found("stale", IpcObjectTraits.Stale),
            Found("half", IpcObjectTraits.Stale | IpcObjectTraits.HalfCreated) with { Size = 0 },
            Found("sem.bad", IpcObjectTraits.Stale | IpcObjectTraits.WrongSize) with { Kind = IpcObjectKind.SystemSemaphore, Size = 3 },
            Found("sem.lock", IpcObjectTraits.Stale | IpcObjectTraits.LockOfSegment) with { Kind = IpcObjectKind.SystemSemaphore, Value = 0 },
            Found("fine", IpcObjectTraits.None),
        ], []));
        diagnosis.Examine();
        IReadOnlyList<IpcFinding> findings = diagnosis.Findings();
        Assert.Equal([IpcFindingKind.WrongSize, IpcFindingKind.LostPermit, IpcFindingKind.HalfCreated, IpcFindingKind.Stale], findings.Select(finding => finding.Kind));
        Assert.Equal([true, true, true, false], findings.Select(finding => finding.IsSafeToFix));
        Assert.Equal("rm /dev/shm/sem.bad", findings[0].Command);
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
