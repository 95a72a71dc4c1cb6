using NativeIpc.Interop.Unix;
using NativeIpc.Platform;
using Xunit;

namespace NativeIpc.Machine;

/// <summary>The folder of System V keys that are made from names, when XDG_RUNTIME_DIR is not fit for it.</summary>
[NeedsLinux("These are the rules of Linux.")]
public sealed class RuntimeFolderTests : IDisposable
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private readonly string _temporary = Path.Combine(TestRun.Folder, TestRun.NewName());
    private readonly string _fallback = "";

    public RuntimeFolderTests()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "These are the rules of Linux.");
        Directory.CreateDirectory(_temporary);
        _fallback = Path.Combine(_temporary, "runtime-" + UserDirectories.LoginName(Libc.geteuid()));
    }

    public void Dispose() => Directory.Delete(_temporary, recursive: true);

    private Situation With(string? runtimeFolder)
        => new() { Environment = new() { ["TMPDIR"] = _temporary, ["XDG_RUNTIME_DIR"] = runtimeFolder } };

    public enum Unfit
    {
        NotSet,
        Empty,
        Relative,
        MissingWithoutParent,
        OpenToOthers,
        File,
        Link,
        OfAnotherUser,
    }

    public static TheoryData<Unfit> AllUnfit => [.. Enum.GetValues<Unfit>()];

    [NeedsRoot(Victims.WhyRoot)]
    [Theory]
    [MemberData(nameof(AllUnfit))]
    public void An_unfit_runtime_folder_is_replaced_and_the_replacement_made_only_with_an_object(Unfit unfit)
    {
        string named = Path.Combine(_temporary, "named");
        switch (unfit)
        {
            case Unfit.OpenToOthers:
                Directory.CreateDirectory(named, OwnerOnly | UnixFileMode.GroupExecute);
                break;
            case Unfit.File:
                File.WriteAllText(named, "");
                break;
            case Unfit.Link:
                Directory.CreateDirectory(named + "-real", OwnerOnly);
                Directory.CreateSymbolicLink(named, named + "-real");
                break;
            case Unfit.OfAnotherUser:
                Victims.NeedRoot();
                Directory.CreateDirectory(named, OwnerOnly);
                _ = Shell.Run("chown", ["65534", named]).Succeeded;
                break;
        }

        Situation situation = With(unfit switch
        {
            Unfit.NotSet => null,
            Unfit.Empty => "",
            Unfit.Relative => "named",
            Unfit.MissingWithoutParent => Path.Combine(named, "inner"),
            _ => named,
        });
        NativeIpcKey key = TestRun.KeyOf(Path.Combine(_fallback, "name"));
        Victims.Run(situation, $"safe-key {(int)TestRun.SystemV} name").Did(key.ToString()!);
        Assert.False(Path.Exists(_fallback), "Making a key made the folder.");
        Victims.Run(situation, $"segment-open {key}", $"semaphore-open {key}", $"segment-remove {key}");
        Assert.False(Path.Exists(_fallback), "Opening made the folder.");

        Victims.Run(situation, "umask 277", $"segment-create {key} 4096", "dispose").Did("was 22", "created 4096",
            "disposed");
        Assert.Equal(OwnerOnly, File.GetUnixFileMode(_fallback));
        Assert.Empty(Directory.EnumerateFileSystemEntries(_fallback));
    }

    [Fact]
    public void A_fit_runtime_folder_is_used()
    {
        string named = Path.Combine(_temporary, "named");
        Directory.CreateDirectory(named, OwnerOnly);
        NativeIpcKey key = TestRun.KeyOf(Path.Combine(named, "name"));
        Victims.Run(With(named), $"safe-key {(int)TestRun.SystemV} name", $"semaphore-create {key} 1",
            "dispose").Did(key.ToString()!, "created", "disposed");
        Assert.False(Path.Exists(_fallback));
        Assert.Empty(Directory.EnumerateFileSystemEntries(named));
    }

    [Fact]
    public void A_missing_runtime_folder_is_made_with_an_object_for_its_owner_only()
    {
        string named = Path.Combine(_temporary, "named");
        NativeIpcKey key = TestRun.KeyOf(Path.Combine(named, "name"));
        Victims.Run(With(named), $"safe-key {(int)TestRun.SystemV} name").Did(key.ToString()!);
        Assert.False(Path.Exists(named), "Making a key made the folder.");
        Victims.Run(With(named), $"semaphore-create {key} 1", "dispose").Did("created", "disposed");
        Assert.Equal(OwnerOnly, File.GetUnixFileMode(named));
    }
}
