using System.CommandLine;
using NativeIpc.Tool.Arguments;

namespace NativeIpc.Tool.Verbs;

/// <summary><c>nipc release</c>: gives permits.</summary>
internal static class ReleaseVerb
{
    private static readonly Argument<string> s_key = KeyArguments.One();
    private static readonly Option<string?> s_type = KeyArguments.TypeOption();
    private static readonly Option<int> s_count = Permits.CountOption("How many permits to give (default 1)");

    public static Command Command() => new Verb("release", "Give a permit of a semaphore. Also one that nobody took: the count grows.",
        "release posix:/workers", "release posix:/workers --count 3")
    {
        s_key, s_type, s_count,
    }.Does(parsed =>
    {
        using SystemSemaphore semaphore = AcquireVerb.Open(KeyArguments.ReadOne(parsed.GetValue(s_key)!, parsed.GetValue(s_type)));
        semaphore.Release(parsed.GetValue(s_count));
        return ExitCodes.Ok;
    });
}
