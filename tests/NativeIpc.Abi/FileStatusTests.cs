using System.Globalization;
using System.Runtime.InteropServices;
using NativeIpc.Interop.Unix;
using Xunit;

namespace NativeIpc.Abi;

/// <summary>What Interop reads out of struct statx is what fstat and lstat tell a C program about the same
/// file.</summary>
public class FileStatusTests
{
    private const string Source = """
        #define _GNU_SOURCE
        #include <stdio.h>
        #include <sys/stat.h>
        #include <sys/sysmacros.h>

        static void print(const struct stat *s)
        {
            printf("%u %u %llu %u %u %u %u %lld\n", major(s->st_dev), minor(s->st_dev),
                   (unsigned long long)s->st_ino, (unsigned)s->st_mode,
                   (unsigned)s->st_uid, (unsigned)s->st_gid, (unsigned)s->st_nlink, (long long)s->st_size);
        }

        int main(int argc, char **argv)
        {
            struct stat s;
            if (argc != 2 || stat(argv[1], &s) != 0) return 1;
            print(&s);
            if (lstat(argv[1], &s) != 0) return 1;
            print(&s);
            return 0;
        }
        """;

    [Theory]
    [InlineData(Compiler.Gcc)]
    [InlineData(Compiler.MuslGcc)]
    [NeedsLinux("Calls the C library of Linux.")]
    public void A_status_has_the_values_that_a_C_program_sees(string compiler)
    {
        using var folder = new TempFolder();
        string program = Compiler.Build(compiler, folder, folder.Write("stat.c", Source));
        string file = folder.Write("file", "12345");
        string link = folder.PathOf("link");
        File.CreateSymbolicLink(link, file);

        foreach (string path in new[] { file, link, folder.Root, "/usr", "/dev/null" })
        {
            string[] c = Shell.Run(program, [path]).Succeeded.Split('\n');
            Assert.Equal(0, Libc.Status(path, followLink: true, out FileStatus followed));
            Assert.Equal(0, Libc.Status(path, followLink: false, out FileStatus itself));
            Assert.Equal((0, followed), ByOlderCall(path, followLink: true));
            Assert.Equal((0, itself), ByOlderCall(path, followLink: false));
            Assert.Equal(c[0], Text(followed));
            Assert.Equal(c[1], Text(itself));
        }
    }

    [Fact]
    [NeedsLinux("Calls the C library of Linux.")]
    public void A_status_of_a_descriptor_is_that_of_its_path()
    {
        using var folder = new TempFolder();
        string path = folder.Write("file", "12345");
        int number = Libc.open(path, Flags.O_RDONLY | Flags.O_CLOEXEC, 0);
        int error = Marshal.GetLastPInvokeError();
        Assert.True(number != -1, $"errno {error}");
        using var descriptor = new UnixDescriptor(number);

        Assert.Equal(0, Libc.Status(descriptor, out FileStatus opened));
        Assert.Equal(0, Libc.Status(path, followLink: false, out FileStatus named));
        Assert.Equal(named, opened);
        Assert.True(opened.IsRegularFile);
        Assert.Equal(5, opened.Size);
    }

    private static unsafe (int Error, FileStatus Status) ByOlderCall(string path, bool followLink)
    {
        fixed (byte* utf8 = System.Text.Encoding.UTF8.GetBytes(path + "\0"))
        {
            return (Libc.StatusByOlderCall(utf8, followLink, out FileStatus status), status);
        }
    }

    private static string Text(FileStatus s) => string.Create(CultureInfo.InvariantCulture,
        $"{s.Identity.Device >> 32} {(uint)s.Identity.Device} {s.Identity.Inode} "
            + $"{s.Mode} {s.Uid} {s.Gid} {s.Links} {s.Size}");
}
