using System.Reflection;
using System.Text;
using System.Text.RegularExpressions;
using NativeIpc.Layouts;
using NativeIpc.Layouts.Writing;

namespace NativeIpc.Channels.Tests;

/// <summary>Descriptions as text, and where they are found.</summary>
public sealed class DescriptionTests
{
    private static readonly string s_repository = typeof(DescriptionTests).Assembly
        .GetCustomAttributes<AssemblyMetadataAttribute>().Single(given => given.Key == "Repository").Value!;

    private static readonly string s_example = OfDocument();

    [Fact]
    public void The_example_of_the_document_is_one()
        => Assert.Equal(s_example, LayoutText.Format(LayoutText.Parse(s_example)!));

    [Fact]
    public void What_was_changed_is_none()
    {
        // Each line gone, and each number another one: the fingerprint or a rule says so.
        string[] lines = s_example.TrimEnd('\n').Split('\n');
        for (int i = 0; i < lines.Length; i++)
        {
            if (lines[i].Contains("gr", StringComparison.Ordinal) || lines[i].Contains("Rgb", StringComparison.Ordinal))
                continue; // values of an enum change no byte
            Assert.Null(LayoutText.Parse(string.Join('\n', lines.Where((_, index) => index != i)) + "\n"));
        }

        Assert.Null(LayoutText.Parse(""));
        Assert.Null(LayoutText.Parse("nativeipc-layout 2\nend\n"));
        Assert.Null(LayoutText.Parse(s_example.Replace("text:16 40", "text:16 41", StringComparison.Ordinal)));
        Assert.Null(LayoutText.Parse(s_example.Replace("[2][3]", "[2][99999999]", StringComparison.Ordinal)));
        Assert.Null(LayoutText.Parse(s_example.Replace("Frame 80", "Frame -8", StringComparison.Ordinal)));
        Assert.Null(LayoutText.Parse("nativeipc-layout 1\nenum A \nend\n"));
        Assert.Null(LayoutText.Parse("nativeipc-layout 1\nenum A u8\n B \nend\n"));
        Assert.Null(LayoutText.Parse("nativeipc-layout 1\nenum A f32\nend\n"));
    }

    [Fact]
    public void Any_bytes_are_looked_through_without_a_failure()
    {
        byte[] bytes = Encoding.UTF8.GetBytes(s_example);
        var random = new Random(1);
        for (int i = 0; i < Sample.Of(200_000, 5_000); i++)
        {
            byte[] mutated = [.. bytes];
            for (int changes = random.Next(1, 4); changes > 0; changes--)
                mutated[random.Next(mutated.Length)] = (byte)random.Next(256);
            LayoutSet found = LayoutFile.Find(mutated, out _);
            foreach (LayoutType type in found.Types.OfType<LayoutStruct>())
                Assert.NotEmpty(Member.Of((LayoutStruct)type, found));
        }
    }

    [Fact]
    public void An_assembly_and_the_file_of_its_build_have_the_same_layouts()
    {
        byte[] assembly = File.ReadAllBytes(typeof(Frame).Assembly.Location);
        LayoutSet ofAssembly = LayoutFile.Find(assembly, out string? clash, out bool isDamaged);
        Assert.Null(clash);
        Assert.False(isDamaged);
        byte[] built = File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "layouts/sample.layout"));
        Assert.Equal(LayoutText.Format(ofAssembly), LayoutText.Format(LayoutFile.Find(built, out _)));
        foreach ((string language, string end) in DeclarationWriter.s_languages)
        {
            string text = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, $"layouts/sample.{end}"));
            Assert.Equal(text, LayoutFile.Declarations(built, language, out _));
            Assert.Equal(text, LayoutFile.Declarations(assembly, language, out isDamaged));
            Assert.False(isDamaged);
        }

        Assert.Null(LayoutFile.Declarations(built, "cobol", out _));
        Assert.Null(LayoutFile.Declarations(assembly, "cobol", out isDamaged));
        Assert.False(isDamaged);
        Assert.Equal(SharedLayouts.InfoOf<Frame>().Fingerprint, ((LayoutStruct)ofAssembly.Find("Frame")!).Fingerprint);
    }

    [Theory]
    [InlineData("h", "__atomic_load_n(&value->readers, __ATOMIC_ACQUIRE)",
        "__atomic_store_n(&value->readers, its, __ATOMIC_RELEASE)")]
    [InlineData("hpp", "__atomic_load_n(&readers, __ATOMIC_ACQUIRE)",
        "__atomic_store_n(&readers, its, __ATOMIC_RELEASE)")]
    [InlineData("rs", "(*field).load(std::sync::atomic::Ordering::Acquire)",
        "(*field).store(its, std::sync::atomic::Ordering::Release)")]
    public void What_is_atomic_is_so_in_other_languages(string end, string read, string write)
    {
        string text = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "layouts", "sample." + end));
        foreach ((string verb, string how) in new[] { ("load_readers(", read), ("store_readers(", write) })
        {
            int begin = text.IndexOf(verb, StringComparison.Ordinal);
            Assert.Contains(how, text[begin..text.IndexOf('}', begin)], StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Each_offset_is_checked_in_each_language()
    {
        string folder = Path.Combine(AppContext.BaseDirectory, "layouts");
        LayoutSet all = LayoutFile.Find(File.ReadAllBytes(Path.Combine(folder, "sample.layout")), out _);
        string[] Lines(string end) => [.. File.ReadAllLines(Path.Combine(folder, "sample." + end))
            .Select(line => line.Trim())];
        string[] c = Lines("h"), cpp = Lines("hpp"), python = Lines("py"), rust = Lines("rs");
        int fields = 0;
        foreach (LayoutStruct layout in all.Types.OfType<LayoutStruct>())
        {
            string its = Regex.Escape(layout.Name);
            string[] offsets = [.. layout.Fields.Select(field => $"{field.Offset}").Order()];
            Assert.Equal(offsets, Said(c, $@"^_Static_assert\(offsetof\({its}, \w+\) == (\d+), "));
            Assert.Equal(offsets, Said(cpp, $@"^static_assert\(offsetof\({its}, [\w.]+\) == (\d+), "));
            Assert.Equal(offsets, Said(python, $@"^assert {its}\.\w+\.offset == (\d+), "));
            string[] body = rust[Array.IndexOf(rust, $"impl {layout.Name} {{")..];
            Assert.Equal(offsets, Said(body[..Array.IndexOf(body, "fits")],
                @"^fits &= unsafe \{ std::ptr::addr_of!\(\(\*base\)\.[\w.]+\) as usize \} - base as usize == (\d+);"));
            Assert.Contains($"assert!({layout.Name}::is_laid_out(), \"{layout.Name}\");", rust);
            foreach (LayoutField field in layout.Fields)
            {
                string name = SnakeCase.Of(field.Name) + "_?"; // behind a word of the language
                Assert.Single(c, line => Regex.IsMatch(line,
                    $@"^_Static_assert\(offsetof\({its}, {name}\) == {field.Offset}, "));
                Assert.Single(cpp, line => Regex.IsMatch(line,
                    $@"^static_assert\(offsetof\({its}, (at_\w+\.)?{name}\) == {field.Offset}, "));
                Assert.Single(python, line => Regex.IsMatch(line,
                    $@"^assert {its}\.{name}\.offset == {field.Offset}, "));
                fields++;
            }
        }

        Assert.True(fields >= 30, $"{fields} fields.");

        static string[] Said(string[] lines, string pattern) => [.. lines
            .Select(line => Regex.Match(line, pattern)).Where(found => found.Success)
            .Select(found => found.Groups[1].Value).Order()];
    }

    [Fact]
    public void Declarations_that_are_cut_off_or_changed_are_damaged()
    {
        byte[] whole = Encoding.UTF8.GetBytes("MZ " + Declarations.Format(
            DeclarationWriter.WriteAll(LayoutText.Parse(s_example)!, "example")));
        Assert.NotNull(LayoutFile.Declarations(whole, "rust", out bool isDamaged));
        Assert.False(isDamaged);
        int begin = "MZ ".Length + Declarations.First.Length;
        for (int length = begin; length < whole.Length; length += length < begin + 100 ? 1 : 997)
        {
            Assert.Null(LayoutFile.Declarations(whole.AsSpan(0, length), "c", out isDamaged));
            Assert.True(isDamaged);
        }

        for (int at = begin; at < whole.Length; at += at < begin + 100 ? 1 : 997)
        {
            whole[at] ^= 2;
            Assert.Null(LayoutFile.Declarations(whole, "c", out isDamaged));
            Assert.True(isDamaged);
            whole[at] ^= 2;
        }

        LayoutFile.Find(Encoding.UTF8.GetBytes(s_example + "nativeipc-layout 1\nstruct"), out _, out isDamaged);
        Assert.True(isDamaged);
    }

    [Theory]
    [InlineData("FrameRate", "frame_rate")]
    [InlineData("RGBMode", "rgb_mode")]
    [InlineData("X", "x")]
    [InlineData("frame_Rate2D", "frame_rate2_d")]
    public void Names_are_those_of_other_languages(string name, string other)
        => Assert.Equal(other, SnakeCase.Of(name));

    private static string OfDocument()
    {
        string page = File.ReadAllText(Path.Combine(s_repository, "docs/layouts.md"));
        int begin = page.IndexOf("nativeipc-layout 1\nenum", StringComparison.Ordinal);
        return page[begin..(page.IndexOf("\nend\n", begin, StringComparison.Ordinal) + "\nend\n".Length)];
    }
}
