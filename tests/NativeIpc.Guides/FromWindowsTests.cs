using System.IO.MemoryMappedFiles;
using System.Reflection;
using System.Text;
using System.Text.RegularExpressions;
using NativeIpc.Testing;
using Xunit;

namespace NativeIpc.Guides;

/// <summary>The reference for programs that come from Windows has a row for each constructor and method. The snippets
/// of each row compile and run, with the aliases of the guide.</summary>
public partial class FromWindowsTests(ITestOutputHelper log)
{
    private const string Page = "windows-members.md";
    private const string Guide = "guides/from-windows.md";

    private static readonly Type[] s_types =
        [typeof(WaitHandle), typeof(Semaphore), typeof(Mutex), typeof(EventWaitHandle), typeof(MemoryMappedFile)];

    /// <summary>A row of a table: the member of .NET, and what to write with the package and without; empty where the
    /// page has words only.</summary>
    private sealed record Row(string Member, string With, string Without);

    [Fact]
    public void Each_constructor_and_method_has_a_row()
    {
        HashSet<string> rows = [.. Rows().Select(row => row.Member)];
        string[] missing = [.. s_types.SelectMany(MembersOf).Where(member => !rows.Contains(member))];
        Assert.True(missing.Length == 0, $"{Page} has no row for:\n{string.Join('\n', missing)}");
    }

    [Fact]
    public void Each_snippet_compiles_and_runs()
    {
        if (!OperatingSystem.IsLinux())
        {
            Assert.Skip("Its objects are those of Linux.");
            return;
        }

        var program = new StringBuilder(Start());
        int count = 0;
        foreach (Row row in Rows())
        {
            foreach (string snippet in (string[])[row.With, row.Without])
            {
                if (snippet.Length == 0) continue;
                program.Append($"Run({++count}, static (name, key, eventKey, file) => {{ {snippet} }});\n");
            }
        }

        program.Append($"Console.WriteLine(\"{count} snippets ran\");\n").Append(End);
        Assert.True(count > 100, $"{Page} has {count} snippets only.");
        DirectoryInfo folder = Directory.CreateTempSubdirectory("nativeipc-guide.");
        try
        {
            File.WriteAllText(Path.Combine(folder.FullName, "rows.cs"), program.ToString());
            CSharpProgram.Compile(folder.FullName, "rows.cs");
            using var machine = new Machine(apart: true);
            (string command, string[] arguments) = machine.Command($"exec '{Place.Dotnet}' rows.dll", folder.FullName);
            string said = Shell.Run(command, arguments, folder.FullName).Succeeded;
            log.WriteLine(said);
            Assert.Equal($"{count} snippets ran", said.Trim());
            if (machine.IsApart) Assert.Empty(machine.NewNames);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>The aliases of the page, and what its snippets stand in.</summary>
    private static string Start()
    {
        string aliases = GuidePage.Read(Guide)[0].Blocks.Single(block => block.Language == "csharp").Text;
        return $$"""
            #:package NativeIpc.NamedObjects@*
            {{aliases}}
            using System.IO.MemoryMappedFiles;
            using NativeIpc;

            #pragma warning disable CS0219

            """;
    }

    private const string End = """

        static void Run(int row, Action<string, NativeIpcKey, NativeIpcKey, string> snippet)
        {
            string name = $"from.windows.{row}", file = Path.GetTempFileName();
            File.WriteAllText(file, "some text");
            try
            {
                snippet(name, SystemSemaphore.PlatformSafeKey(name), SystemEvent.PlatformSafeKey(name), file);
            }
            catch (Exception failure)
            {
                Console.WriteLine($"Snippet {row}: {failure}");
            }
            finally
            {
                File.Delete(file);
            }
        }

        """;

    private static IEnumerable<Row> Rows()
    {
        string with = "", without = "";
        foreach (string line in File.ReadLines(Path.Combine(Place.Documents, Page)))
        {
            if (line.StartsWith("## ", StringComparison.Ordinal)) with = without = "";
            string[] cells = line.Split('|');
            if (cells.Length != 5) continue;
            string member = Code().Match(cells[1]).Groups[1].Value;
            if (cells[1].Trim() == "given") (with, without) = (Snippet(cells[2]), Snippet(cells[3]));
            else if (member.Length > 0) yield return new Row(member, Whole(with, cells[2]), Whole(without, cells[3]));
        }
    }

    private static string Whole(string given, string cell)
        => Snippet(cell) is { Length: > 0 } own ? $"{given} {own}" : "";

    /// <summary>What of a cell is statements.</summary>
    private static string Snippet(string cell) => string.Join(' ',
        Code().Matches(cell).Select(code => code.Groups[1].Value).Where(code => code[^1] is ';' or '}'));

    private static IEnumerable<string> MembersOf(Type type)
    {
        foreach (ConstructorInfo one in type.GetConstructors()) yield return $"new {type.Name}({Parameters(one)})";
        foreach (MethodInfo one in type.GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static
            | BindingFlags.DeclaredOnly))
        {
            string of = one.IsStatic ? type.Name + "." : "";
            if (!one.IsSpecialName) yield return $"{of}{one.Name}({Parameters(one)})";
        }
    }

    private static string Parameters(MethodBase method) => string.Join(", ", method.GetParameters().Select(one =>
        one.ParameterType.IsByRef ? "out " + Text(one.ParameterType.GetElementType()!) : Text(one.ParameterType)));

    private static string Text(Type type) => type == typeof(string) ? "string" : type == typeof(bool) ? "bool"
        : type == typeof(int) ? "int" : type == typeof(long) ? "long" : type.Name;

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Code();
}
