using System.Collections.Concurrent;
using System.Globalization;
using System.Reflection;
using System.Text;
using System.Text.RegularExpressions;
using Xunit;

namespace NativeIpc.Tool.Tests;

/// <summary>No option is accepted and ignored: with each one a verb ends otherwise than without it, alone and beside
/// each other option of the verb, or it is refused as an error of the command line.</summary>
public partial class OptionTests
{
    private const string Mark = "@@";

    // All pairs take some 1400 starts, which only the native file does in time.
    private static bool IsNative => !File.Exists(Nipc.Program + ".dll");

    /// <summary>Whether two options are tried together: a third of the pairs, or all in
    /// <c>./test.sh --long</c>.</summary>
    private static bool IsTried(OptionProof one, OptionProof other)
        => (one.Option + other.Option).Sum(character => character) % Sample.Of(1, 3) == 0;

    // A line without options, or with one alone, is what all others of its verb are compared with.
    private static readonly ConcurrentDictionary<string, string> s_outcomes = new();

    private static Dictionary<string, string[]> Spellings { get; } = [];

    private static IReadOnlyDictionary<string, string[]> Verbs { get; } = Read(Root(), "").ToDictionary();

    public static TheoryData<string, string> Options()
    {
        var all = new TheoryData<string, string>();
        foreach ((string verb, string[] options) in Verbs)
        {
            foreach (string option in options) all.Add(verb, option);
        }

        return all;
    }

    [NeedsRoot(Alone.Why)]
    [Theory]
    [MemberData(nameof(Options))]
    public void Every_option_acts_or_is_refused(string verb, string option)
    {
        Alone.Require();
        OptionProof[] proofs = OptionProofs.Of(verb);
        OptionProof proof = Assert.Single(proofs, proof => Names(proof, verb, option));
        OptionProof?[] beside = !IsNative
            ? [null]
            : [null,
                .. proofs.Where(other => other != proof && IsTried(proof, other)
                    && !proof.Alike.ContainsKey(other.Option)
                    && !proof.Line.Contains($" {other.Option.Split(' ')[0]} ", StringComparison.Ordinal))];
        foreach (OptionProof? second in beside)
        {
            string other = second?.Option ?? "";
            (string without, string with) = (Outcome(proof, other), Outcome(proof, other, proof.Option));
            bool isRefused = with.StartsWith("2\n", StringComparison.Ordinal);
            if (second is null) AssertActs(proof, int.Parse(with.Split('\n')[0], CultureInfo.InvariantCulture), with);
            else if (isRefused && !without.StartsWith("2\n", StringComparison.Ordinal) && !proof.Refuses
                && !second.Refuses)
                AssertNamed(verb, proof, second, with);
            Assert.False(second is null && isRefused && !proof.Refuses && !with.Contains("belongs to",
                StringComparison.Ordinal), $"{proof.Option} is refused where it is to act: {with}");
            Assert.False(with == without && !isRefused,
                $"'nipc {proof.Line}' with {other} does the same with {proof.Option} and without it:\n{with}");
        }
    }

    /// <summary>The option does what it is for: a failure would make a difference as well.</summary>
    private static void AssertActs(OptionProof proof, int code, string outcome)
    {
        Assert.True(code == (proof.Refuses ? 2 : proof.Code) || (proof.MayFind && code == 1),
            $"'nipc {proof.Line}' with {proof.Option} is to act, and ends with {outcome}");
    }

    /// <summary>A refusal says which of two options it is about; of <c>--type</c>, that the key is a native one
    /// then.</summary>
    private static void AssertNamed(string verb, OptionProof one, OptionProof other, string said)
        => Assert.True(
            (other.Option.StartsWith("-t ", StringComparison.Ordinal)
                && said.Contains("native key", StringComparison.Ordinal))
            || new[] { one, other }.Any(proof => Spellings.Any(known => known.Key.StartsWith($"{verb} --",
                StringComparison.Ordinal) && known.Value.Contains(proof.Option.Split(' ')[0])
                && known.Value.Any(name => said.Contains(name, StringComparison.Ordinal)))),
            $"'nipc {one.Line}' with {one.Option} and {other.Option} is refused without naming either: {said}");

    [Fact]
    public void What_has_a_proof_is_an_option()
        => Assert.Empty(Verbs.SelectMany(
            verb => OptionProofs.Of(verb.Key).Where(proof => !verb.Value.Any(option => Names(proof, verb.Key, option)))
                .Select(proof => $"{verb.Key} {proof.Option}")));

    private static bool Names(OptionProof proof, string verb, string option)
        => Spellings[$"{verb} {option}"].Contains(proof.Option.Split(' ')[0]);

    /// <summary>What a line with these options comes to, in surroundings of its own that are always the same. What
    /// depends on the machine is run each time.</summary>
    private static string Outcome(OptionProof proof, params string[] options)
    {
        string script = Script(proof, string.Join(' ', options.Where(option => option.Length > 0)),
            proof.Waits && !options.Contains(proof.Option));
        return proof.MayFind ? Run(script) : s_outcomes.GetOrAdd(script, Run);
    }

    private static string Script(OptionProof proof, string options, bool waits)
    {
        var script = new StringBuilder($$"""
            mkdir /dev/shm/.work && mount -t tmpfs -o mode=1777 tmpfs "$PWD" && cd "$PWD" || exit 99
            sem() { { printf "\\$(printf %o $2)"; head -c 31 /dev/zero; } > /dev/shm/sem.$1; }
            state() {
                set --
                for file in /dev/shm/* *; do [ ! -f "$file" ] || set -- "$@" "$file"; done
                [ $# = 0 ] || { stat -c '%n %s %a %g' "$@"; head -v -c 64 "$@" | od -An -v -tx1; }
                awk 'FNR > 1 { print $3, $4, FILENAME ~ /shm/ ? $7 " " $8 : $5 }' /proc/sysvipc/shm /proc/sysvipc/sem
            }

            """);
        string line = proof.Line.Replace("{}", options, StringComparison.Ordinal);
        string program = line.StartsWith("script ", StringComparison.Ordinal) ? line : $"$N {line}";
        bool goesOn = Regex.IsMatch(line, @" -W| --hold");
        if (goesOn)
        {
            // Ends what goes on for ever by a signal (a job in the background ignores SIGINT) once it has said
            // something.
            script.Append("""
                log=$(mktemp -u /tmp/nipc-log.XXXXXX); trap 'rm -f "$log"' EXIT
                watched() {
                    "$@" > "$log" 2>&1 & p=$!
                    while [ ! -s "$log" ] && kill -0 $p 2> /dev/null; do sleep 0.01; done
                    state; kill -TERM $p 2> /dev/null; wait $p; code=$?; cat "$log"; return $code
                }

                """);
        }

        string start = (goesOn ? "watched " : waits ? "timeout -s INT 0.5 " : "")
            + (proof.IsOfUser ? "setpriv --reuid 65534 --regid 65534 --clear-groups " : "") + program;
        return script.Append(proof.SetUp)
            .Append($"said=$({{ {start} < /dev/null; echo \"{Mark}code $?\"; }} 2>&1 | tr -d '\\000')\n")
            .Append("echo \"$said\"; state; exit 0\n").ToString();
    }

    private static string Run(string script)
    {
        ShellResult result = Alone.Run(script);
        Assert.SkipWhen(result.ExitCode == 99, $"This container does not let the machine be made so: {result.Error}");

        // First the exit code; without what differs from run to run.
        string said = result.Succeeded;
        return $"{Code().Match(said).Groups[1].Value}\n{Changing().Replace(said, "~")}";
    }

    [GeneratedRegex(Mark + @"code (\d+)")]
    private static partial Regex Code();

    [GeneratedRegex(@"\d{4}-\d\d-\d\d[ T][0-9:.]+(Z| ?[+-]\d\d:?\d\d)?( \([^)]* ago\))?|pid \d+"
        + @"|""(pid|creatorPid|lastPid)"": \d+| +\d+[smhd]  |0x[0-9a-f]{8}|\d+\([^)]*\)|^ +\d+ \w+$",
        RegexOptions.Multiline)]
    private static partial Regex Changing();

    private static IEnumerable<KeyValuePair<string, string[]>> Read(object command, string path)
    {
        List<string> options = [];
        foreach (object option in All(command, "Options"))
        {
            string name = (string)Get(option, "Name")!;
            if (name is "--help" or "--version" || (bool)Get(option, "Hidden")!) continue;
            Spellings[$"{path} {name}"] = [name, .. (IEnumerable<string>)Get(option, "Aliases")!];
            options.Add(name);
        }

        if (path.Length > 0 && options.Count > 0) yield return new(path, [.. options]);
        foreach (object verb in All(command, "Subcommands"))
        {
            if ((bool)Get(verb, "Hidden")!) continue;
            foreach (KeyValuePair<string, string[]> found in Read(verb, $"{path} {Get(verb, "Name")}".Trim()))
                yield return found;
        }
    }

    private static object Root() => Nipc.Code.GetType("NativeIpc.Tool.Cli")!.GetMethod("Root")!.Invoke(null, null)!;

    private static IEnumerable<object> All(object of, string property)
        => ((System.Collections.IEnumerable)Get(of, property)!).Cast<object>();

    private static object? Get(object of, string property)
        => of.GetType().GetProperty(property, BindingFlags.Public | BindingFlags.Instance)!.GetValue(of);
}
