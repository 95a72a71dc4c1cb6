using System.Text.RegularExpressions;
using NativeIpc.Victim;
using Xunit;

namespace NativeIpc.Machine;

/// <summary>What a failure has to tell.</summary>
internal static partial class Says
{
    /// <summary>Asserts the kind of a failure, and that its message names the key in both forms, the call, the system's
    /// number and a remedy.</summary>
    /// <param name="outcome">What happened.</param>
    /// <param name="kind">The kind of failure.</param>
    /// <param name="key">The key of the object.</param>
    /// <param name="call">The call that failed.</param>
    /// <param name="number">The number that the system gave; null to leave it open.</param>
    internal static void AssertSays(this Outcome outcome, NativeIpcError kind, NativeIpcKey key, string call,
        int? number = null)
    {
        string all = $"{outcome}";
        Assert.True(outcome.Exception == nameof(NativeIpcException), all);
        Assert.True(outcome.Error == kind, $"Expected {kind}: {all}");
        Assert.True(outcome.Operation == call, $"Expected the operation {call}: {all}");
        Assert.True(number is null || outcome.NativeErrorCode == number, $"Expected the number {number}: {all}");

        string message = outcome.Message!;
        Assert.Contains(Shown(key.ToString() ?? ""), message, StringComparison.Ordinal);
        Assert.Contains($"\"{Shown(key.NativeKey)}", message, StringComparison.Ordinal);
        Assert.Contains(call, message, StringComparison.Ordinal);
        if (outcome.NativeErrorCode != 0)
            Assert.Contains($"error {outcome.NativeErrorCode})", message, StringComparison.Ordinal);
        Assert.Matches(EndsInRemedy(), message);
    }

    /// <summary>Asserts a wrong argument, told as such, with the name of the parameter and of the key.</summary>
    internal static void AssertIsWrongArgument(this Outcome outcome, string parameter, NativeIpcKey key)
    {
        Assert.True(outcome.Exception == nameof(ArgumentOutOfRangeException), $"{outcome}");
        Assert.Contains($"'{parameter}'", outcome.Message, StringComparison.Ordinal);
        Assert.Contains(key.ToString()!, outcome.Message, StringComparison.Ordinal);
    }

    // Long keys are cut, and control characters and halves of surrogate pairs are written out, so that a message stays
    // one line.
    private static string Shown(string text)
    {
        string head = text.Length > 300 ? text[..300] : text;
        return string.Concat(head.Select(
            (c, i) => char.IsControl(c) || IsHalf(head, i) ? $"\\u{(int)c:x4}" : c.ToString()));
    }

    private static bool IsHalf(string text, int at)
        => char.IsSurrogate(text[at])
            && !(at + 1 < text.Length && char.IsSurrogatePair(text[at], text[at + 1]))
            && !(at > 0 && char.IsSurrogatePair(text[at - 1], text[at]));

    // One sentence that says what happened, and one or more that say what to do.
    [GeneratedRegex(@"^Cannot .+[^.]\. [A-Z/0-9].{8,}\.$", RegexOptions.Singleline)]
    private static partial Regex EndsInRemedy();
}
