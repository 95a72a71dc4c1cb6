using System.CommandLine;
using NativeIpc.Tool.Arguments;

namespace NativeIpc.Tool.Verbs;

/// <summary><c>nipc release</c>: gives permits.</summary>
internal static class ReleaseVerb
{
    private static readonly ObjectArgument s_object = new(IpcObjectKind.SystemSemaphore);
    private static readonly Option<int> s_count = Permits.CountOption("How many permits to give (default 1)");

    public static Command Command()
        => new Verb("release", "Give a permit of a semaphore. Also one that nobody took: the count grows.",
        "release posix:/workers", "release posix:/workers --count 3")
    {
        s_object.Key, s_count, s_object.Type, s_object.Glob, s_object.AllowOtherOwners,
    }.Does(parsed =>
    {
        using SystemSemaphore semaphore = s_object.Read(parsed)
            .OpenSemaphore(s_object.SemaphoreOptions(parsed, onlyLooks: false));
        semaphore.Release(parsed.GetValue(s_count));
        return ExitCodes.Ok;
    });
}
