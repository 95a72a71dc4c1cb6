using Xunit;

namespace NativeIpc.Abi;

/// <summary>Every declaration that Interop has for Linux names a function of the headers and gives it as many arguments
/// of as many bytes.</summary>
public class SignatureTests
{
    /// <summary>Declarations that are never called on Linux.</summary>
    private static readonly HashSet<string> s_appleOnly =
    [
        "sem_open_appleArm64", "shm_open_appleArm64", "open_appleArm64", "semctl_appleArm64",
        "fstat_apple", "fstat_apple_x64", "stat_apple", "stat_apple_x64", "lstat_apple", "lstat_apple_x64",
    ];

    /// <summary>Functions that musl 1.2.3 lacks. Code asks Libraries.HasSemaphoreFunction first.</summary>
    private static readonly HashSet<string> s_notInMusl = ["sem_clockwait"];

    // C++ only because templates can look into a function type. Variadic functions are compared as far as their named
    // parameters go.
    private const string Shapes = """
        extern "C++" {
        template <class T> struct size { static constexpr unsigned long value = sizeof(T); };
        template <> struct size<void> { static constexpr unsigned long value = 0; };

        template <class R, class... A, class... N> constexpr bool fits(R (*)(A...), N... numbers)
        {
            const unsigned long c[] = { size<R>::value, size<A>::value... }, cs[] = { (unsigned long)numbers... };
            if (sizeof(c) != sizeof(cs)) return false;
            for (unsigned i = 0; i < sizeof(c) / sizeof(*c); i++) if (c[i] != cs[i]) return false;
            return true;
        }

        template <class R, class... A, class... N> constexpr bool fits(R (*)(A..., ...), N... numbers)
        {
            const unsigned long c[] = { size<R>::value, size<A>::value... }, cs[] = { (unsigned long)numbers... };
            if (sizeof(c) > sizeof(cs)) return false;
            for (unsigned i = 0; i < sizeof(c) / sizeof(*c); i++) if (c[i] != cs[i]) return false;
            return true;
        }
        }

        """;

    [Fact]
    public void Declarations_fit_the_functions_of_glibc()
        => _ = Compile(Compiler.Target("gnu"), GlibcHeaders(), Assertions([])).Succeeded;

    [Fact]
    public void Declarations_fit_the_functions_of_glibc_on_arm64()
        => _ = Compile("aarch64-linux-gnu", Compiler.CrossHeaders(), Assertions([])).Succeeded;

    [Fact]
    public void Declarations_fit_the_functions_of_musl()
    {
        string target = Compiler.Target("musl");
        string headers = Peers.Require("/usr/include/" + target, "musl-tools");
        _ = Compile(target, ["-nostdlibinc", "-isystem", headers], Assertions(s_notInMusl)).Succeeded;
    }

    [Theory]
    [InlineData("fits(ftok, 4, 8, 4)", true)]
    [InlineData("fits(ftok, 8, 8, 4)", false)]
    [InlineData("fits(ftok, 4, 8)", false)]
    [InlineData("fits(mkdir, 4, 8, 2)", false)]
    [InlineData("fits(sem_open, 8, 8, 4)", true)]
    [InlineData("fits(sem_open, 8, 8, 8, 4)", false)]
    public void The_check_sees_a_wrong_size(string check, bool fits)
        => Assert.Equal(fits,
            Compile(Compiler.Target("gnu"), GlibcHeaders(), $"static_assert({check}, \"\");").ExitCode == 0);

    [Fact]
    public void No_declaration_is_left_out_without_need()
        => Assert.All(s_appleOnly.Concat(s_notInMusl),
            name => Assert.Contains(NativeDeclaration.All, declaration => declaration.Name == name));

    private static string Assertions(HashSet<string> missing) => string.Concat(NativeDeclaration.All
        .Where(declaration => !s_appleOnly.Contains(declaration.Name) && !missing.Contains(declaration.EntryPoint))
        .Select(
            declaration => $"static_assert(fits({declaration.EntryPoint}, {string.Join(", ", Sizes(declaration))}), "
                + $"\"{declaration.Name}\");\n"));

    private static IEnumerable<int> Sizes(NativeDeclaration declaration)
        => declaration.Parameters.Prepend(declaration.ReturnType).Select(type => NativeDeclaration.CType(type) switch
        {
            "void" => 0,
            "int" or "unsigned int" => 4,
            _ => 8,
        });

    private static string[] GlibcHeaders()
        => ["-nostdlibinc", "-isystem", Peers.Require("/usr/include/" + Compiler.Target("gnu"), "libc6-dev"),
            "-isystem", "/usr/include"];

    private static ShellResult Compile(string target, string[] headers, string assertions)
    {
        using var folder = new TempFolder();
        string source = folder.Write("signatures.cpp", LinuxChecks.LibcHeaders + Shapes + assertions);
        return Compiler.CheckSyntax(target, source,
            ["-std=c++14", "-nostdinc++", "-ferror-limit=0", "-Wno-macro-redefined", .. headers]);
    }
}
