using System.CommandLine;

namespace NativeIpc.Tool;

/// <summary>A command with examples for its help.</summary>
internal sealed class Verb(string name, string description, params string[] examples) : Command(name, description)
{
    /// <summary>Lines that can be typed as they are, with <c>nipc</c> in front.</summary>
    public IReadOnlyList<string> Examples { get; } = examples;

    /// <summary>What the verb does; its result is the exit code. Exceptions are reported by <see cref="Failures"/>.</summary>
    public Verb Does(Func<ParseResult, int> action)
    {
        SetAction(action);
        return this;
    }
}
