using System.Reflection;
using System.Text.RegularExpressions;
using Xunit;

namespace NativeIpc.Tests.Errors;

/// <summary>Each error has a page, and exceptions lead to it.</summary>
public sealed partial class ErrorPageTests
{
    private const string Folder = "docs/errors/";

    private static readonly string s_root = Path.GetFullPath(Path.Combine(
        typeof(ErrorPageTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
            .Single(attribute => attribute.Key == "LibrarySources").Value!,
        "..", ".."));

    public static TheoryData<NativeIpcError> Errors => [.. Enum.GetValues<NativeIpcError>()];

    [Theory]
    [MemberData(nameof(Errors))]
    public void Help_link_of_each_error_leads_to_its_page(NativeIpcError error)
    {
        Assert.SkipUnless(File.Exists(Path.Combine(s_root, "NativeIpc.slnx")), $"no sources in {s_root}");
        string path = PathOf(Thrown(error).HelpLink);
        string page = Path.Combine(s_root, path);
        Assert.True(File.Exists(page), path);
        Assert.Equal($"# {error}", File.ReadLines(page).First());
        string text = File.ReadAllText(page);
        Assert.Contains("\n## See it\n", text, StringComparison.Ordinal);
        Assert.Contains("\n## Prove it: ", text, StringComparison.Ordinal);
        Assert.Contains($"({Path.GetFileName(path)})", File.ReadAllText(Path.Combine(s_root, Folder, "README.md")),
            StringComparison.Ordinal);
    }

    [Fact]
    public void Every_page_is_that_of_an_error()
    {
        Assert.SkipUnless(File.Exists(Path.Combine(s_root, "NativeIpc.slnx")), $"no sources in {s_root}");
        Assert.Equal(
            Enum.GetValues<NativeIpcError>().Select(error => PathOf(Thrown(error).HelpLink))
                .Append(Folder + "README.md").Order(StringComparer.Ordinal),
            Directory.EnumerateFiles(Path.Combine(s_root, Folder)).Select(path => Folder + Path.GetFileName(path))
                .Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Pages_are_at_the_address_that_one_property_of_the_build_gives_and_of_this_version()
    {
        Version version = typeof(SharedMemory).Assembly.GetName().Version!;
        Assert.Matches($"^https://[^/]+/.+/blob/v{version.ToString(3)}[^/]*/{Folder}not-found\\.md$",
            Thrown(NativeIpcError.NotFound).HelpLink!);
        Assert.SkipUnless(File.Exists(Path.Combine(s_root, "NativeIpc.slnx")), $"no sources in {s_root}");
        string properties = File.ReadAllText(Path.Combine(s_root, "Directory.Build.props"));
        string home = RepositoryUrl().Match(properties).Groups[1].Value;
        Assert.NotEmpty(home);
        string[] others = [.. Architecture.LineTests.Files()
            .Where(path => Path.GetFileName(path) != "Directory.Build.props"
                && File.ReadAllText(path).Contains(home, StringComparison.Ordinal))];
        Assert.Empty(others);
    }

    [Fact]
    public void A_link_that_was_set_stays_and_an_error_without_a_name_has_the_page_of_the_unknown()
    {
        var exception = new NativeIpcException("by a test");
        Assert.Equal(Thrown(NativeIpcError.Unknown).HelpLink, exception.HelpLink);
        Assert.Equal(exception.HelpLink, Thrown((NativeIpcError)99).HelpLink);
        exception.HelpLink = "https://example.org";
        Assert.Equal("https://example.org", exception.HelpLink);
    }

    private static NativeIpcException Thrown(NativeIpcError error)
        => new(error, "test", default, 0, "by a test");

    private static string PathOf(string? link)
    {
        Assert.NotNull(link);
        int at = link.IndexOf(Folder, StringComparison.Ordinal);
        Assert.True(at > 0, link);
        return link[at..];
    }

    [GeneratedRegex("<RepositoryUrl[^>]*>(https://[^<]+)</RepositoryUrl>")]
    private static partial Regex RepositoryUrl();
}
