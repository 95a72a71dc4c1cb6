using System.Text;

namespace NativeIpc.Abi;

/// <summary>One number of C#, and the C expression that must have the same value.</summary>
internal sealed record Check(string Name, string C, long Value)
{
    /// <summary>C that fails to compile where a number differs; the compiler names it.</summary>
    internal static string Assertions(IEnumerable<Check> checks)
        => Lines(checks, (check, number) =>
            // By way of an enumerator, for which clang folds pointers such as SEM_FAILED, too.
            $"enum {{ check{number} = (long long)({check.C}) }};\n_Static_assert(check{number} == {check.Value}LL, "
                + $"\"{check.Name} is {check.Value} in C#\");");

    /// <summary>C statements that print every number as name=value.</summary>
    internal static string Prints(IEnumerable<Check> checks)
        => Lines(checks, (check, _) => $"    printf(\"{check.Name}=%lld\\n\", (long long)({check.C}));");

    private static string Lines(IEnumerable<Check> checks, Func<Check, int, string> line)
        => checks.Select(line).Aggregate(new StringBuilder(), (text, one) => text.Append(one).Append('\n')).ToString();
}
