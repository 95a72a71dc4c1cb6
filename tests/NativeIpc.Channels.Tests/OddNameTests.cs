using System.Globalization;
using NativeIpc.Layouts;
using NativeIpc.Layouts.Writing;

namespace NativeIpc.Channels.Tests;

/// <summary>Declarations of layouts whose names are words of other languages, or names that the declarations have for
/// themselves, compile as well.</summary>
public sealed class OddNameTests : IDisposable
{
    // What C, C++, Python or Rust may not have as a name of a field: words, and macros of their headers.
    private static readonly string[] s_fields =
    [
        "Alignas", "And", "Asm", "Async", "Await", "Bool", "Char16T", "Class", "CoAwait", "Complex", "Constexpr",
        "Consteval", "Crate", "Def", "Default", "Errno", "Fn", "From", "Gen", "Import", "Int", "Lambda", "Linux",
        "Match", "Namespace", "None", "Noreturn", "Not", "Operator", "Restrict", "Self", "Signals", "Static", "Stdin",
        "Stdout", "Template", "True", "Type", "TypeofUnqual", "Union", "Unix", "Value", "Wchar_T", "Where", "Yield",
        "_",
    ];

    private static readonly string[] s_types =
    [
        "Layout", "LayoutMismatch", "Result", "String", "Ok", "Err", "Copy", "Clone", "Default", "Option", "None",
        "True", "Self", "Exception", "FILE", "@struct", "@class", "@enum", "@static", "text", "std", "str", "numpy",
        "offset",
    ];

    private readonly string _folder = Directory.CreateTempSubdirectory("nativeipc-names-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("-std=c11", "-Wpedantic")]
    [InlineData("-std=gnu17", "-Wpedantic")]
    public void C_compiles(params string[] options)
        => Compile(Peers.Require("gcc", "gcc"), "c", "template.c",
            "#include <errno.h>\n#include <complex.h>\n#include <stdnoreturn.h>\n#include \"template.h\"\n"
            + "int main(void) { return 0; }\n", options);

    [Theory]
    [InlineData("-std=c++11")]
    [InlineData("-std=gnu++20")]
    public void Cpp_compiles(string standard)
        => Compile(Peers.Require("g++", "g++"), "cpp", "template.cpp",
            "#include <cerrno>\n#include \"template.hpp\"\nint main() { return 0; }\n", standard);

    [Fact]
    public void Python_is_loaded()
    {
        Write("python");
        _ = Shell.Run(Peers.Require("/usr/bin/python3", "python3"), ["-B", Path.Combine(_folder, "template.py")],
            _folder).Succeeded;
    }

    [Fact]
    public void Rust_compiles_and_its_test_passes()
    {
        Write("rust");
        string test = Path.Combine(_folder, "odd");
        _ = Shell.Run(Peers.Require("/usr/bin/rustc", "rustc"),
            ["--edition", "2021", "-D", "warnings", "--test", Path.Combine(_folder, "template.rs"), "-o", test],
            _folder, watchdog: Patience.Minutes(3)).Succeeded;
        Assert.Contains("1 passed", Shell.Run(test, [], _folder).Succeeded, StringComparison.Ordinal);
    }

    private void Compile(string compiler, string language, string file, string program, params string[] options)
    {
        Write(language);
        File.WriteAllText(Path.Combine(_folder, file), program);
        _ = Shell.Run(compiler, [.. options, "-Wall", "-Wextra", "-Werror", file, "-o", "odd"], _folder,
            watchdog: Patience.Minutes(3)).Succeeded;
    }

    // Of an assembly whose name is a word of C++.
    private void Write(string language)
        => File.WriteAllText(Path.Combine(_folder,
            "template." + DeclarationWriter.s_languages.Single(each => each.Key == language).Value),
            DeclarationWriter.Write(language, Odd(), "Template"));

    private static LayoutSet Odd()
    {
        var types = new LayoutSet();
        foreach (string type in s_types.Select(each => each.TrimStart('@')))
        {
            if (type.Length % 2 == 0)
            {
                var list = new LayoutEnum(type, "i32", type.Length % 4 == 0);
                foreach (string value in s_fields.Where(each => each != "_"))
                    list.Values.Add(new LayoutValue(value, list.Values.Count.ToString(CultureInfo.InvariantCulture)));
                list.Values.Add(new LayoutValue("All", "-1"));
                types.Types.Add(list);
                continue;
            }

            Add(types, type,
                [.. s_fields.Select((field, at) => new LayoutField(field, "i32", [], 4 * at, at % 8 == 0))]);
        }

        // One of each of them, and more bytes than a thread's stack has.
        var fields = new List<LayoutField>();
        foreach (LayoutType type in types.Types)
            fields.Add(new LayoutField("Its" + type.Name, type.Name, [], End(), false));
        for (int i = 0; i < 4; i++)
            fields.Add(new LayoutField($"Large{i}", "u8", [1 << 20], End(), false));
        Add(types, "All", fields);
        return types;

        int End() => fields.Count == 0 ? 0 : fields[^1].Offset + types.SizeOf(fields[^1]);
    }

    private static void Add(LayoutSet types, string name, List<LayoutField> fields)
    {
        LayoutField last = fields[^1];
        var layout = new LayoutStruct(name, last.Offset + types.SizeOf(last), 4, 0);
        layout.Fields.AddRange(fields);
        layout.Fingerprint = Fingerprints.Of(layout, types);
        types.Types.Add(layout);
    }
}
