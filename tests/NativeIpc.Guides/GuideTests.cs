using System.Text.RegularExpressions;
using Xunit;

namespace NativeIpc.Guides;

/// <summary>The pages of the site keep what they promise: each of their programs is built and run, and prints what the
/// page shows.</summary>
public partial class GuideTests(ITestOutputHelper log)
{
    public static TheoryData<string, string, string> Sections
    {
        get
        {
            var sections = new TheoryData<string, string, string>();
            // For writers, who try one page again and again.
            string only = Environment.GetEnvironmentVariable("NATIVEIPC_GUIDE_PAGE") ?? "";
            foreach (string page in GuidePage.All.Where(page => page != GuidePage.Walked
                && page.Contains(only, StringComparison.Ordinal)))
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

    [Theory]
    [InlineData("errors")]
    [InlineData("guides")]
    public void Index_leads_to_every_page_and_no_link_leads_nowhere(string folder)
    {
        Assert.Contains(folder, GuidePage.Folders);
        string index = $"{folder}/README.md";
        string[] pages = [.. GuidePage.Of(folder).Where(page => page != index)];
        Assert.Equal(pages, Links(index).Select(link => $"{folder}/{link}").Where(pages.Contains).Distinct()
            .Order(StringComparer.Ordinal));
        foreach (string page in pages.Append(index))
        {
            Assert.All(Links(page), link =>
                Assert.True(Path.Exists(Path.Combine(Place.Documents, folder, link)), $"{page} leads to {link}"));
        }
    }

    private static IEnumerable<string> Links(string page)
        => Link().Matches(File.ReadAllText(Path.Combine(Place.Documents, page)))
        .Select(link => link.Groups[1].Value)
        .Where(link => !link.Contains("://", StringComparison.Ordinal));

    [GeneratedRegex(@"\]\(([^)#\s]+)(?:#[^)]*)?\)")]
    private static partial Regex Link();
}
