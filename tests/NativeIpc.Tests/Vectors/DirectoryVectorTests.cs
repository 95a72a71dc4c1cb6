using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using NativeIpc.Interop.Unix;
using NativeIpc.Keys;
using NativeIpc.Platform;
using Xunit;

namespace NativeIpc.Tests.Vectors;

/// <summary>Where System V keys land, for every state of the folders in which Qt was watched. The folders are real
/// ones.</summary>
public sealed partial class DirectoryVectorTests : IDisposable
{
    private const int Count = 36;

    // Every folder of a case lives here, what Qt made in /tmp too.
    private readonly string _base = OperatingSystem.IsWindows()
        ? "" : Libc.RealPath(Directory.CreateTempSubdirectory("nipc").FullName)!;

    public static TheoryData<string> Names()
        => [.. VectorFile.Cases("key-directories.json", Count).Select(one => one.Text("name"))];

    [Theory]
    [MemberData(nameof(Names))]
    public void Folders_are_those_of_Qt(string name)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows() || Target.IsApple,
            "The rules of these folders are those of Linux.");
        JsonElement one = VectorFile.Cases("key-directories.json",
            Count).Single(candidate => candidate.Text("name") == name);
        Arrange(one.Text("arrangement"));
        Directory.CreateDirectory(Path.Combine(_base, "tmp"));

        Dictionary<string, string> variables = one.GetProperty("environment").EnumerateObject()
            .ToDictionary(variable => variable.Name,
                variable => variable.Value.GetString()!.Replace("{base}", _base, StringComparison.Ordinal));

        // .NET shows a variable's byte that is not UTF-8 as U+FFFD.
        if (name == "temp dir not UTF-8 (byte E9)") variables["TMPDIR"] = variables["TMPDIR"].Replace('?', '\uFFFD');

        // The cases were made by root. Another user has the same folders under root's name; a case with a uid asks for
        // that user's real name.
        bool otherUser = one.TryGetProperty("uid", out JsonElement uid);
        var directories = new UserDirectories(
            variables.GetValueOrDefault,
            otherUser ? uid.GetUInt32() : Libc.geteuid(),
            otherUser ? UserDirectories.LoginName : _ => "root",
            _base,
            Path.Combine(_base, "tmp"));
        var environment = new KeyEnvironment(KeyPlatform.Linux, false, () => directories.RuntimeDirectory().Path,
            directories.TemporaryDirectory);
        string[] before = Entries();

        Assert.Equal(Expected(one, "tempPath"), directories.TemporaryDirectory());
        UserDirectories.Answer runtime = directories.RuntimeDirectory();
        Assert.Equal(Expected(one, "runtimePath"), runtime.Path);
        Assert.Equal(Expected(one, "platformSafe"), SafeKey("myapp"));
        Assert.Equal(Expected(one, "platformSafeAbsolute"), SafeKey("/abs"));
        string legacy = NameRules.LegacyNativeKey("myapp", NativeIpcKeyType.SystemV, IpcObjectKind.SharedMemory,
            environment).NativeKey;
        Assert.Equal(Expected(one, "legacy"), legacy);
        Assert.Equal(Expected(one, "legacyQt5"), legacy);

        // What Qt printed in the locale C is about the locale.
        bool warned = name == "both not ASCII, locale C" ? !one.Flag("warned") : one.Flag("warned");
        Assert.Equal(warned, runtime.Diagnostic is not null);
        Assert.Equal(before, Entries()); // naming makes nothing

        Dictionary<string, string> created = one.TryGetProperty("createdDirs", out JsonElement dirs)
            ? dirs.EnumerateObject().ToDictionary(dir => WithoutRoot(dir.Name), dir => dir.Value.GetString()!)
            : [];
        Assert.False(directories.CreateRuntimeDirectoryFor(SafeKey("/abs")));
        Assert.Equal(before, Entries());
        Assert.Equal(created.Count > 0, directories.CreateRuntimeDirectoryFor(SafeKey("myapp")));
        Assert.Equal(created.Keys, Entries().Except(before));
        Assert.All(created, dir => Assert.Equal(dir.Value, KindAndMode(Path.Combine(_base, dir.Key))));
        if (!otherUser) Assert.Equal(runtime, directories.RuntimeDirectory()); // now that it is there
        Assert.False(directories.CreateRuntimeDirectoryFor(SafeKey("myapp")));

        if (one.TryGetProperty("runtimeDirModeAfter", out JsonElement mode))
            Assert.Equal(mode.GetString(), KindAndMode(Path.Combine(_base, variables["XDG_RUNTIME_DIR"])));

        string SafeKey(string key) => NameRules.PlatformSafeKey(key, NativeIpcKeyType.SystemV,
            IpcObjectKind.SharedMemory, environment, out _).NativeKey;
    }

    public void Dispose()
    {
        if (_base.Length == 0) return;
        _ = rmdir(NotUtf8("t")); // .NET could not name it
        Directory.Delete(_base, recursive: true);
    }

    /// <summary>Qt's /tmp is the folder tmp of the case.</summary>
    private string Expected(JsonElement one, string member)
    {
        string text = one.Text(member);
        if (text == "/tmp" || text.StartsWith("/tmp/", StringComparison.Ordinal)) text = "{base}" + text;
        return text.Replace("{base}", _base, StringComparison.Ordinal);
    }

    private static string WithoutRoot(string path) => path.TrimStart('/');

    private string[] Entries() => [.. Directory.EnumerateFileSystemEntries(_base, "*", SearchOption.AllDirectories)
        .Select(entry => Path.GetRelativePath(_base, entry)).Order(StringComparer.Ordinal)];

    private static string KindAndMode(string path)
    {
        Assert.Equal(0, Libc.Status(path, followLink: false, out FileStatus status));
        char kind = status.IsDirectory ? 'd' : status.IsSymbolicLink ? 'l' : 'f';
        return kind + Convert.ToString(status.Permissions, 8);
    }

    private void Arrange(string arrangement)
    {
        foreach (string step in arrangement.Split("; ", StringSplitOptions.RemoveEmptyEntries))
        {
            string[] words = step.Split(' ');
            string path = Path.Combine(_base, words[1]);
            switch (words[0])
            {
                case "link":
                    File.CreateSymbolicLink(path, Path.Combine(_base, "real"));
                    break;
                case "foreign":
                    Assert.SkipUnless(Libc.geteuid() == 0, "Giving a folder to another user needs root.");
                    Assert.Equal(0, chown(path, 12345, 12345));
                    break;
                case "byteE9":
                    Assert.Equal(0, mkdir(NotUtf8(words[1]), (uint)FileModes.Mode755));
                    break;
                default:
                    if (words[0][0] == 'd') Directory.CreateDirectory(path);
                    else File.WriteAllBytes(path, []);
                    int mode = int.Parse(words[0][1..].TrimStart('0'), CultureInfo.InvariantCulture);
                    if (!OperatingSystem.IsWindows())
                        File.SetUnixFileMode(path,
                            (UnixFileMode)Convert.ToInt32(mode.ToString(CultureInfo.InvariantCulture), 8));
                    break;
            }
        }
    }

    private byte[] NotUtf8(string name) => [.. Encoding.UTF8.GetBytes(Path.Combine(_base, name)), 0xE9, 0];

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int chown(string path, uint owner, uint group);

    [LibraryImport("libc")]
    private static partial int mkdir(byte[] path, uint mode);

    [LibraryImport("libc")]
    private static partial int rmdir(byte[] path);
}
