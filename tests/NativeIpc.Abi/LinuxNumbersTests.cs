using System.Globalization;
using System.Runtime.InteropServices;
using Xunit;

namespace NativeIpc.Abi;

/// <summary>Every constant, size and offset that Interop uses on Linux, against what C compilers say.</summary>
public class LinuxNumbersTests
{
    [Theory]
    [InlineData(Compiler.Gcc)]
    [InlineData(Compiler.MuslGcc)]
    [NeedsLinux("The numbers of Linux.")]
    public void The_numbers_of_this_machine_are_those_of_a_compiled_C_program(string compiler)
    {
        using var folder = new TempFolder();
        string program = Compiler.Build(compiler, folder, LinuxChecks.Here.WriteProgram(folder));

        Dictionary<string, long> c = Shell.Run(program, []).Succeeded
            .Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => (Line: line, At: line.LastIndexOf('=')))
            .ToDictionary(split => split.Line[..split.At],
                split => long.Parse(split.Line[(split.At + 1)..], CultureInfo.InvariantCulture));

        Assert.Equal(LinuxChecks.Here.All.Select(check => check.Name).Order(), c.Keys.Order());
        Assert.Empty(LinuxChecks.Here.All.Where(check => c[check.Name] != check.Value)
            .Select(check => $"{check.Name}: C# {check.Value}, {compiler} {c[check.Name]}"));
    }

    [Fact]
    public void The_numbers_for_arm64_are_those_of_its_headers()
    {
        using var folder = new TempFolder();
        foreach (string source in LinuxChecks.Of<LinuxArm64>(Architecture.Arm64).WriteAssertions(folder))
            _ = CheckArm64(source).Succeeded;
    }

    [Fact]
    public void The_numbers_for_x64_are_refused_by_the_headers_of_arm64()
    {
        using var folder = new TempFolder();
        string errors = string.Concat(
            LinuxChecks.Of<LinuxX64>(Architecture.X64).WriteAssertions(folder)
                .Select(source => CheckArm64(source).Error));

        foreach (string name in new[] { "Flags.O_NOFOLLOW", "Flags.O_TMPFILE", "SYS_statx", "__NR_statx",
            "SYS_getdents64", "__NR_getdents64", "__NR_semop", "__NR_semtimedop", "SYS_futex", "__NR_futex",
            "Layout.SemCtime", "Layout.SemNsems", "Layout.SizeOfEpollEvent", "Layout.EpollData", "SYS_newfstatat",
            "offsetof(struct stat, st_mode)", "__NR_membarrier" })
        {
            Assert.Contains(name + " is ", errors, StringComparison.Ordinal);
        }

        Assert.Equal(20, errors.Split("error:").Length - 1);
    }

    [Fact]
    [NeedsLinux("The numbers of Linux.")]
    public void The_table_of_this_process_is_the_table_of_its_target()
    {
        LinuxChecks expected = RuntimeInformation.ProcessArchitecture == Architecture.Arm64
            ? LinuxChecks.Of<LinuxArm64>(Architecture.Arm64)
            : LinuxChecks.Of<LinuxX64>(Architecture.X64);

        Assert.Equal(expected.All, LinuxChecks.Here.All);
    }

    private static ShellResult CheckArm64(string source)
        => Compiler.CheckSyntax("aarch64-linux-gnu", source,
            [.. Compiler.CrossHeaders(), "-ferror-limit=0", "-Wno-gnu-folding-constant"]);
}
