using NativeIpc.Platform;
using Xunit;

namespace NativeIpc.Tests.Platform;

/// <summary>What the system does not let this process read counts as missing. A folder that is read as a file gives the
/// exception of a file without permission, for root too.</summary>
[NeedsUnix("Windows has no such files.")]
public sealed class SystemTextTests
{
    [Fact]
    public void A_file_that_may_not_be_read_says_nothing()
    {
        string refused = Path.GetTempPath();
        Assert.Throws<UnauthorizedAccessException>(() => File.ReadAllLines(refused));
        Assert.Null(SystemText.FirstLine(refused));
        Assert.Null(SystemText.Name(refused));
        Assert.Empty(SystemText.Lines(refused));
    }

    [Fact]
    public void What_is_not_there_says_nothing()
    {
        string missing = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid()}");
        Assert.Null(SystemText.FirstLine(missing));
        Assert.Null(SystemText.Name(missing));
        Assert.Empty(SystemText.Lines(missing));
        Assert.Empty(SystemText.Entries(missing));
        Assert.Empty(SystemText.Folders(missing));
    }
}
