using System.CommandLine;

namespace NativeIpc.Tool;

/// <summary>A command with examples for its help.</summary>
internal sealed class Verb(string name, string description, params string[] examples) : Command(name, description)
{
    private readonly List<Func<ParseResult, string?>> _rules = [];

    /// <summary>Lines that can be typed as they are, with <c>nipc</c> in front.</summary>
    public IReadOnlyList<string> Examples { get; } = examples;

    /// <summary>What the verb does; its result is the exit code. Exceptions are reported by
    /// <see cref="Failures"/>.</summary>
    public Verb Does(Func<ParseResult, int> action)
    {
        SetAction(parsed =>
        {
            foreach (Func<ParseResult, string?> rule in _rules)
            {
                if (rule(parsed) is { } complaint) throw ToolException.Usage(complaint);
            }

            return action(parsed);
        });
        return this;
    }

    /// <summary>Refuses an option that would be accepted and do nothing: a user who gives it means something.</summary>
    /// <param name="option">The option.</param>
    /// <param name="idle">Whether it would do nothing.</param>
    /// <param name="why">Why, to follow its name: "is for …".</param>
    public Verb Refuses(Option option, Func<ParseResult, bool> idle, string why)
    {
        _rules.Add(parsed => IsGiven(parsed, option) && idle(parsed) ? $"{option.Name} {why}" : null);
        return this;
    }

    /// <summary>Refuses an option without the one that it says more about.</summary>
    public Verb Needs(Option option, Option other)
        => Refuses(option, parsed => !IsGiven(parsed, other), $"belongs to {other.Name}: give both, or leave it out.");

    /// <summary>Refuses two options of which only one could be followed.</summary>
    public Verb Excludes(Option option, Option other, string why)
        => Refuses(option, parsed => IsGiven(parsed, other), $"and {other.Name} contradict each other: {why}");

    /// <summary>Whether an option stands on the command line.</summary>
    public static bool IsGiven(ParseResult parsed, Option option) => parsed.GetResult(option) is { Implicit: false };
}
