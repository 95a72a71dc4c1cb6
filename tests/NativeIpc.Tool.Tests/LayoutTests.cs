using System.Buffers.Binary;
using System.Globalization;
using System.Text.Json;
using Xunit;

namespace NativeIpc.Tool.Tests;

/// <summary><c>nipc layout</c> and <c>nipc show --layout</c>, with the example of docs/layouts.md.</summary>
[NeedsLinux("Objects are shown on Linux.")]
public sealed class LayoutTests : IDisposable
{
    private static readonly string s_description = OfDocument();

    private readonly TestNames _names = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("nipc-layout-").FullName;

    public void Dispose()
    {
        Directory.Delete(_folder, recursive: true);
        _names.Dispose();
    }

    [Fact]
    public void A_segment_with_a_head_is_decoded_by_the_layout_that_it_names()
    {
        using SharedMemory segment = Filled(isHeaded: true);
        string key = segment.Key.ToString();
        string shown = Nipc.Succeed("show", key, "--layout", Description());
        Assert.EndsWith("""

            Format      Bgra32
            Corners[0].X 1.5
            Corners[0].Y 0
            Corners[1].X 0
            Corners[1].Y -2.5
            Title       front door
            Samples     [1,2,3,4,5,-6]
            Sequence    7
            """, shown, StringComparison.Ordinal);
        using JsonDocument json = JsonDocument.Parse(Nipc.Succeed("show", key, "-L", Description(), "--json"));
        JsonElement[] fields = [.. json.RootElement.GetProperty("objects")[0].GetProperty("fields").EnumerateArray()];
        Assert.Equal(("Format", "u32", 64, "Bgra32"), (fields[0].GetProperty("name").GetString(),
            fields[0].GetProperty("type").GetString(), fields[0].GetProperty("offset").GetInt32(),
            fields[0].GetProperty("value").GetString()));
        Assert.Equal("i16[6]", fields[6].GetProperty("type").GetString());

        segment.Span[4] = 9; // another version
        foreach ((string given, string than) in new[] { ("", "those"), (":Frame", "Frame") })
        {
            ShellResult refused = Nipc.Run("show", key, "-L", Description() + given);
            Assert.Equal(2, refused.ExitCode);
            Assert.Contains($"another layout than {than} of", refused.Error, StringComparison.Ordinal);
        }

        Assert.Contains("front door", Nipc.Succeed("show", key, "-L", Description() + ":Frame", "-o", "64"),
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_segment_without_a_head_is_decoded_by_the_layout_that_is_named()
    {
        using SharedMemory segment = Filled(isHeaded: false);
        string key = segment.Key.ToString();
        Assert.Contains("front door", Nipc.Succeed("show", key, "-L", Description()), StringComparison.Ordinal);
        string point = Nipc.Succeed("show", key, "-L", Description() + ":Point", "--offset", "8", "-n", "0");
        Assert.Contains("X           1.5\n", point + "\n", StringComparison.Ordinal);
        Assert.Contains("has no layout 'Other'. It has: Point, Frame.",
            Nipc.Fail(2, "show", key, "-L", Description() + ":Other"), StringComparison.Ordinal);
        Nipc.Fail(3, "show", key, "-L", Path.Combine(_folder, "missing"));
        Nipc.Fail(2, "show", key, "-L", Description(), "--struct", "u8 a");
    }

    [Fact]
    public void Layouts_are_printed_and_declarations_are_taken_from_what_a_build_wrote()
    {
        Assert.Equal(s_description, Nipc.Succeed("layout", Description()) + "\n");
        Assert.Contains("NativeIpcLayoutLanguages", Nipc.Fail(2, "layout", Description(), "--lang", "c"),
            StringComparison.Ordinal);
        File.AppendAllText(Description(), "--- c\nint c;\n--- python\nx = 1\n");
        Assert.Equal("int c;", Nipc.Succeed("layout", Description(), "--lang", "c"));
        Assert.Equal("x = 1", Nipc.Succeed("layout", Description(), "-l", "python"));
        File.WriteAllText(Description(), "something else");
        Assert.Contains("has no layouts", Nipc.Fail(2, "layout", Description()), StringComparison.Ordinal);
    }

    [Fact]
    public void Declarations_are_taken_from_an_assembly()
    {
        string file = Path.Combine(_folder, "App.dll"), all = "\n--- c\nint c;\n--- rust\nlet x;\n";
        ulong sum = 14695981039346656037;
        foreach (char c in all) sum = unchecked((sum ^ c) * 1099511628211);
        string inside = $"MZ\0\u0080{s_description}\u0080"
            + $"nativeipc-declarations 1 {all.Length} {sum:x16}\n{all}\u0080rest";
        File.WriteAllText(file, inside);
        Assert.Equal(s_description, Nipc.Succeed("layout", file) + "\n");
        Assert.Equal("int c;", Nipc.Succeed("layout", file, "--lang", "c"));
        Assert.Equal("let x;", Nipc.Succeed("layout", file, "--lang", "rust"));
        Assert.Contains("NativeIpcLayoutInAssembly", Nipc.Fail(2, "layout", file, "--lang", "cpp"),
            StringComparison.Ordinal);
        foreach (string damaged in new[] { inside.Replace("int c", "int d", StringComparison.Ordinal), inside[..^20] })
        {
            File.WriteAllText(file, damaged);
            Assert.Equal(s_description, Nipc.Succeed("layout", file) + "\n");
            Assert.Contains("is damaged", Nipc.Fail(2, "layout", file, "--lang", "c"), StringComparison.Ordinal);
        }

        File.WriteAllText(file, inside.Replace("text:16 40", "text:16 41", StringComparison.Ordinal));
        Assert.Contains("is damaged", Nipc.Fail(2, "layout", file), StringComparison.Ordinal);
    }

    [Fact]
    public void A_built_assembly_has_what_its_build_wrote()
    {
        string assembly = Path.Combine(Nipc.Layouts, "NativeIpc.Channels.Tests.dll");
        string built = Path.Combine(Nipc.Layouts, "layouts", "sample.");
        foreach ((string language, string end) in new[] { ("c", "h"), ("cpp", "hpp"), ("python", "py"),
            ("rust", "rs") })
        {
            string declarations = File.ReadAllText(built + end);
            Assert.Contains("Frame", declarations, StringComparison.Ordinal);
            Assert.Equal(declarations, Nipc.Run("layout", assembly, "--lang", language).Succeeded);
        }

        string description = Nipc.Run("layout", assembly).Succeeded;
        Assert.StartsWith("nativeipc-layout 1\n", description, StringComparison.Ordinal);
        Assert.Equal(description, Nipc.Run("layout", built + "layout").Succeeded);
        Assert.StartsWith(description, File.ReadAllText(built + "layout"), StringComparison.Ordinal);
    }

    [Fact]
    public void What_has_no_layouts_is_said_by_what_it_is()
    {
        string file = Path.Combine(_folder, "file");
        foreach ((string begin, string told) in new[] { ("MZ", "[SharedLayout]"), ("\u007FELF", "native program"),
            ("", "neither an assembly"), ("text", "neither an assembly") })
        {
            File.WriteAllText(file, begin);
            Assert.Contains(told, Nipc.Fail(2, "layout", file), StringComparison.Ordinal);
        }
    }

    private string Description()
    {
        string file = Path.Combine(_folder, "example.layout");
        if (!File.Exists(file)) File.WriteAllText(file, s_description);
        return file;
    }

    private SharedMemory Filled(bool isHeaded)
    {
        SharedMemory segment = SharedMemory.CreateNew(_names.Next(NativeIpcKeyType.PosixRealtime), 64 + 80);
        Span<byte> value = segment.Span[(isHeaded ? 64 : 0)..];
        if (isHeaded) WriteHead(segment.Span);
        value[0] = 2;
        BinaryPrimitives.WriteDoubleLittleEndian(value[8..], 1.5);
        BinaryPrimitives.WriteDoubleLittleEndian(value[32..], -2.5);
        "front door"u8.CopyTo(value[40..]);
        for (int i = 0; i < 6; i++) BinaryPrimitives.WriteInt16LittleEndian(value[(56 + (2 * i))..], (short)(i + 1));
        BinaryPrimitives.WriteInt16LittleEndian(value[66..], -6);
        value[72] = 7;
        return segment;
    }

    /// <summary>The head of a segment with a Frame of the example.</summary>
    internal static void WriteHead(Span<byte> segment)
    {
        string words = s_description.Split('\n').Single(line => line.StartsWith("struct Frame ",
            StringComparison.Ordinal));
        BinaryPrimitives.WriteUInt32LittleEndian(segment, 0x31484C4E);
        BinaryPrimitives.WriteUInt32LittleEndian(segment[4..], 1);
        BinaryPrimitives.WriteUInt64LittleEndian(segment[8..], ulong.Parse(words.Split(' ')[5],
            NumberStyles.HexNumber, CultureInfo.InvariantCulture));
    }

    /// <summary>The example of docs/layouts.md.</summary>
    internal static string OfDocument()
    {
        string page = File.ReadAllText(Path.Combine(Nipc.Documents, "layouts.md"));
        int begin = page.IndexOf("nativeipc-layout 1\nenum", StringComparison.Ordinal);
        return page[begin..(page.IndexOf("\nend\n", begin, StringComparison.Ordinal) + "\nend\n".Length)];
    }
}
