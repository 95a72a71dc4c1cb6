using System.Runtime.InteropServices;

namespace NativeIpc.Channels.Tests;

/// <summary>Declarations that the build of this project wrote are compiled and run: what a program in another language
/// fills by name has the bytes of C#, and another layout is a clear error.</summary>
public sealed class LanguageTests : IDisposable
{
    private static readonly string s_sources = Path.Combine(typeof(LanguageTests).Assembly
        .GetCustomAttributes(typeof(System.Reflection.AssemblyMetadataAttribute), false)
        .Cast<System.Reflection.AssemblyMetadataAttribute>().Single(given => given.Key == "Repository").Value!,
        "tests/NativeIpc.Channels.Tests/Peers");

    private static readonly string s_declarations = Path.Combine(AppContext.BaseDirectory, "layouts");

    private readonly string _folder = Directory.CreateTempSubdirectory("nativeipc-layouts-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void C_has_the_same_bytes()
    {
        Build(Peers.Require("gcc", "gcc"), "-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
            "-fsanitize=undefined", "-fno-sanitize-recover", "-I", s_declarations, In("frame.c"), "-o", Program);
        Compare(Program);
    }

    [Theory]
    [InlineData("-std=c++11")]
    [InlineData("-std=c++20")]
    public void Cpp_has_the_same_bytes(string standard)
    {
        Build(Peers.Require("g++", "g++"), standard, "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I", s_declarations,
            In("frame.cpp"), "-o", Program);
        Compare(Program);
    }

    [Fact]
    public void Qt_has_the_same_bytes_and_texts()
    {
        string compiler = Peers.Require("g++", "g++"), config = Peers.Require("pkg-config", "pkg-config");
        Peers.Require("/usr/include/x86_64-linux-gnu/qt6/QtCore/QString", "qt6-base-dev");
        string flags = Shell.Run(config, ["--cflags", "--libs", "Qt6Core"]).Succeeded;
        Build(compiler, ["-std=c++17", "-fPIC", "-I", s_declarations, In("frame.cpp"), "-DQT_CORE_LIB",
            .. flags.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries), "-o", Program]);
        Compare(Program);
    }

    [Fact]
    public void Ctypes_have_the_same_bytes() => Compare(Python(), In("frame.py"));

    [Fact]
    public void NumPy_has_the_same_bytes()
    {
        string python = Python();
        Peers.Require("/usr/lib/python3/dist-packages/numpy", "python3-numpy");
        Compare(python, In("frame.py"), "numpy");
    }

    [Fact]
    public void Rust_has_the_same_bytes()
    {
        string compiler = Peers.Require("/usr/bin/rustc", "rustc");
        File.Copy(In("frame.rs"), Path.Combine(_folder, "frame.rs"));
        File.Copy(Path.Combine(s_declarations, "sample.rs"), Path.Combine(_folder, "sample.rs"));
        Build(compiler, "--edition", "2021", "-D", "warnings", Path.Combine(_folder, "frame.rs"), "-o", Program);
        Compare(Program);
    }

    private string Program => Path.Combine(_folder, "frame");

    private static string In(string source) => Path.Combine(s_sources, source);

    // Debian's own, since that has Debian's NumPy.
    private static string Python() => Peers.Require("/usr/bin/python3", "python3");

    private void Build(string compiler, params string[] arguments)
        => _ = Shell.Run(compiler, arguments, _folder, watchdog: Patience.Minutes(3)).Succeeded;

    /// <summary>Runs a program beside the values of C#.</summary>
    /// <param name="program">The program.</param>
    /// <param name="words">Its script, if it has one, and a word that comes last.</param>
    private void Compare(string program, params string[] words)
    {
        SharedLayoutInfo info = SharedLayouts.InfoOf<Frame>();
        string same = Path.Combine(_folder, "same"), made = Path.Combine(_folder, "made");
        byte[] bytes = Filled();
        File.WriteAllBytes(same, bytes);
        string[] lines = Shell.Run(program, [.. words.Take(1), same, made, .. words.Skip(1)], _folder,
            [new("PYTHONPATH", s_declarations), new("PYTHONDONTWRITEBYTECODE", "1")]).Succeeded
            .Split('\n', StringSplitOptions.RemoveEmptyEntries);

        Assert.Equal(Convert.ToHexString(bytes), Convert.ToHexString(File.ReadAllBytes(made)));
        Assert.Equal(
        [
            "the segment has no head of a layout (yet); Frame was expected",
            Refused(info with { Version = info.Version ^ 1 }),
            Refused(info with { Fingerprint = info.Fingerprint ^ 1 }),
            Refused(info with { Size = info.Size ^ 1 }),
            "the segment has Frame at offset 65, instead of 64",
            "the segment begins with other data than the head of a layout; Frame was expected",
        ], lines);
    }

    private static string Refused(SharedLayoutInfo found)
    {
        SharedLayoutInfo info = SharedLayouts.InfoOf<Frame>();
        return $"the segment has another layout than Frame of this program: version {found.Version}, fingerprint "
            + $"{found.Fingerprint:x16}, {found.Size} bytes, instead of version {info.Version}, fingerprint "
            + $"{info.Fingerprint:x16}, {info.Size} bytes";
    }

    /// <summary>A segment's bytes with the values that each program fills in.</summary>
    private static byte[] Filled()
    {
        using SharedMemory segment = SharedMemory.CreateNew(SharedMemory.PlatformSafeKey(
            $"nativeipc-layout-{Environment.ProcessId}-{Guid.NewGuid():N}"), SharedLayouts.SizeWithHead<Frame>());
        ref Frame frame = ref segment.CreateLayout<Frame>();
        (frame.Type, frame.Small, frame.Width, frame.Height, frame.Stride, frame.Signed) = (1, -2, 3, -4, 5, -6);
        (frame.Large, frame.Negative, frame.Single, frame.Double) = (0xF000000000000007, -8, 1.5f, -2.25);
        (frame.Format, frame.Marks, frame.Depth) = (PixelFormat.Bgra32, Marks.Key | Marks.Lost, Depth.Lowest);
        frame.Camera = new Point { X = 1, Y = 2, Weight = 3 };
        for (int i = 0; i < 2; i++)
        {
            frame.Corners[i] = new Point { X = 4 + (3 * i), Y = 5 + (3 * i), Weight = 6 + (3 * i) };
            for (int j = 0; j < 3; j++) frame.Matrix[i][j] = (short)(((i + 1) * 100) + j);
        }

        (frame.Samples[0], frame.Samples[1], frame.Samples[2]) = (10, -11, 12);
        frame.Title.Set("grün");
        frame.Titles[0].Set("one");
        frame.Titles[1].Set("twelve bytes");
        (frame.Shape.Kind, frame.Shape.Last) = (13, 16);
        (frame.Shape.Centre.Y, frame.Shape.Centre.Weight) = (14, 15);
        (frame.Shape.Code, frame.Shape.Middle) = (0x1122334455667788, 0xABCD);
        (frame.Sequence, frame.Readers) = (17, 18);
        return segment.ReadOnlySpan[..(SharedLayouts.HeadSize + Marshal.SizeOf<Frame>())].ToArray();
    }
}
