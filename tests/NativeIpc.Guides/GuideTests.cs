using System.Text.RegularExpressions;
using Xunit;

namespace NativeIpc.Guides;

/// <summary>The pages of docs/guides keep what they promise: each of their programs is built and run, and prints what
/// the page shows.</summary>
public partial class GuideTests(ITestOutputHelper log)
{
    public static TheoryData<string, string, string> Sections
    {
        get
        {
            var sections = new TheoryData<string, string, string>();
            foreach (string page in GuidePage.All)
            {
                foreach (GuideSection section in GuidePage.Read(page).Where(section => section.IsRun))
                {
                    foreach (string variant in section.Variants) sections.Add(page, section.Title, variant);
                }
            }

            return sections;
        }
    }

    [Theory]
    [MemberData(nameof(Sections))]
    public void Programs_print_what_the_page_shows(string page, string title, string variant)
    {
        if (!OperatingSystem.IsLinux())
        {
            Assert.Skip("The peers are Debian's.");
            return;
        }

        using var run = new SectionRun(GuidePage.Read(page).Single(section => section.Title == title), variant, log);
        run.Run();
    }

    [Fact]
    public void Index_leads_to_every_page_and_no_link_leads_nowhere()
    {
        Assert.Equal(GuidePage.All, Links("README.md").Where(GuidePage.All.Contains).Distinct()
            .Order(StringComparer.Ordinal));
        foreach (string page in GuidePage.All.Append("README.md"))
        {
            Assert.All(Links(page), link =>
                Assert.True(Path.Exists(Path.Combine(Place.Guides, link)), $"{page} leads to {link}"));
        }
    }

    private static IEnumerable<string> Links(string page)
        => Link().Matches(File.ReadAllText(Path.Combine(Place.Guides, page)))
        .Select(link => link.Groups[1].Value)
        .Where(link => !link.Contains("://", StringComparison.Ordinal));

    [GeneratedRegex(@"\]\(([^)#\s]+)(?:#[^)]*)?\)")]
    private static partial Regex Link();
}
