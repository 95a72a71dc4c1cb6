using System.Globalization;
using System.Runtime.InteropServices;
using NativeIpc.Interop.Unix;
using NativeIpc.SystemV;
using Xunit;

namespace NativeIpc.Abi;

/// <summary>ftok called through Interop gives the keys that C programs get.</summary>
public class FtokTests
{
    private const string Source = """
        #include <stdio.h>
        #include <stdlib.h>
        #include <sys/ipc.h>

        int main(int argc, char **argv)
        {
            for (int i = 2; i < argc; i++) printf("%d\n", (int)ftok(argv[1], atoi(argv[i])));
            return 0;
        }
        """;

    private static readonly int[] s_projects = [1, 81, 84, 127, 128, 255];

    [Theory]
    [InlineData(Compiler.Gcc)]
    [InlineData(Compiler.MuslGcc)]
    [NeedsLinux("Calls the C library of Linux.")]
    public void Keys_are_those_of_a_C_program(string compiler)
    {
        using var folder = new TempFolder();
        string program = Compiler.Build(compiler, folder, folder.Write("ftok.c", Source));
        string link = folder.PathOf("link");
        File.CreateSymbolicLink(link, folder.Write("target", ""));
        string[] paths =
        [
            folder.Write("qipc_systemsem_key", ""),
            folder.Write("with space and ünïcödé ☃", "text"),
            link,
            folder.Root,
            "/",
            "/dev/null",
            "/dev/shm",
            folder.PathOf("missing"),
        ];

        foreach (string path in paths)
        {
            IEnumerable<int> c = Shell.Run(program,
                [path, .. s_projects.Select(project => project.ToString(CultureInfo.InvariantCulture))]).Succeeded
                .Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Select(line => int.Parse(line, CultureInfo.InvariantCulture));

            Assert.Equal(c, s_projects.Select(project => Libc.ftok(path, project)));

            // And so does the library, without the call.
            if (Libc.Status(path, followLink: true, out FileStatus status) == 0)
                Assert.Equal(c, s_projects.Select(project => FileKeys.Of(status.Identity, project)));
        }
    }

    [Fact]
    [NeedsLinux("Calls the C library of Linux.")]
    public void The_library_knows_what_ftok_gives_here()
    {
        Assert.True(FileKeys.s_areKnown);
    }

    [Fact]
    [NeedsLinux("Calls the C library of Linux.")]
    public void A_missing_file_has_no_key()
    {
        using var folder = new TempFolder();

        Assert.Equal(-1, Libc.ftok(folder.PathOf("missing"), 81));
        Assert.Equal(Errno.ENOENT, Marshal.GetLastPInvokeError());
    }

    [Fact]
    [NeedsLinux("Calls the C library of Linux.")]
    public void The_project_is_the_highest_byte_of_the_key()
    {
        using var folder = new TempFolder();

        Assert.All(s_projects, project => Assert.Equal(project, Libc.ftok(folder.Root, project) >>> 24));
    }
}
