using System.Reflection;

namespace NativeIpc.Channels.Tests;

/// <summary>The program that a build runs.</summary>
public sealed class WriterTests : IDisposable
{
    private static readonly string s_writer = typeof(WriterTests).Assembly
        .GetCustomAttributes<AssemblyMetadataAttribute>().Single(given => given.Key == "Writer").Value!;

    private readonly string _folder = Directory.CreateTempSubdirectory("nativeipc with spaces-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void What_would_be_the_same_keeps_its_time()
    {
        string mine = typeof(Frame).Assembly.Location, header = Path.Combine(Out, "my sample.h");
        _ = Write(mine, "c", "cpp").Succeeded;
        Assert.Equal(["my sample.h", "my sample.hpp", "my sample.layout"],
            Directory.GetFiles(Out).Select(Path.GetFileName).Order());
        DateTime longAgo = new(2001, 2, 3, 4, 5, 6, DateTimeKind.Utc);
        File.SetLastWriteTimeUtc(header, longAgo);
        File.WriteAllText(Path.Combine(Out, "my sample.hpp"), "changed by hand");
        _ = Write(mine, "c", "cpp").Succeeded;
        Assert.Equal(longAgo, File.GetLastWriteTimeUtc(header));
        Assert.Contains("struct Frame", File.ReadAllText(Path.Combine(Out, "my sample.hpp")), StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_without_layouts_makes_none()
    {
        string file = Path.Combine(_folder, "no assembly");
        File.WriteAllText(file, "nativeipc-layout 1\nstruct of nothing\nend\n");
        _ = Write(file, "c").Succeeded;
        Assert.False(Directory.Exists(Out));
    }

    [Fact]
    public void What_is_wrong_is_an_error_of_the_build()
    {
        Says("NIPC120", Shell.Run(Dotnet, [s_writer, "x"]));
        Says("NIPC122: There is no language 'cobol'", Write(typeof(Frame).Assembly.Location, "cobol"));
        Says("NIPC123", Write(Path.Combine(_folder, "missing"), "c"));
        string twice = Path.Combine(_folder, "twice");
        File.WriteAllText(twice, "nativeipc-layout 1\nenum Mode u8\nend\nnativeipc-layout 1\nenum MODE u8\nend\n");
        Says("NIPC121: Two layouts have the name MODE", Write(twice, "c"));
    }

    private static void Says(string what, ShellResult result)
    {
        Assert.NotEqual(0, result.ExitCode);
        Assert.Contains(" : error " + what, result.Error, StringComparison.Ordinal);
    }

    private string Out => Path.Combine(_folder, "out");

    private static string Dotnet => Peers.Require("dotnet", "dotnet-sdk-10.0");

    private ShellResult Write(string file, params string[] languages)
        => Shell.Run(Dotnet, [s_writer, file, Out, "my sample", .. languages]);
}
