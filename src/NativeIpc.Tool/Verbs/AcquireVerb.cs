using System.CommandLine;
using NativeIpc.Tool.Arguments;

namespace NativeIpc.Tool.Verbs;

/// <summary><c>nipc acquire</c>: takes permits and keeps them when the tool ends; <c>release</c> gives them back.</summary>
internal static class AcquireVerb
{
    private static readonly Argument<string> s_key = KeyArguments.One();
    private static readonly Option<string?> s_type = KeyArguments.TypeOption();
    private static readonly Option<int> s_count = Permits.CountOption("How many permits to take (default 1)");
    private static readonly Option<TimeSpan?> s_timeout = Values.Timeout("Longest wait (5, 500ms, 2m; 0 tries; default: for ever)");

    // As often as a waiting 'nipc run' looks for lost permits.
    private static readonly TimeSpan s_between = TimeSpan.FromMilliseconds(500);

    public static Command Command() => new Verb("acquire", "Take a permit of a semaphore. It waits until there is one, which stays taken until 'nipc release' ('nipc run' gives it back by itself). Exit code 1: the time was up.",
        "acquire posix:/workers --timeout 5", "acquire posix:/workers -w 0 || echo busy", "acquire -t systemv /run/user/1000/workers -n 2")
    {
        s_key, s_type, s_count, s_timeout,
    }.Does(parsed =>
    {
        NativeIpcKey key = KeyArguments.ReadOne(parsed.GetValue(s_key)!, parsed.GetValue(s_type));
        using SystemSemaphore semaphore = Open(key);

        // The permits of killed holders first, and while it waits: nobody else may be there to give them back.
        SystemSemaphore.ReturnLostPermits(key);
        using Timer? mending = SystemSemaphore.IsPermitRecordingSupported(key.Type) ? new Timer(_ => Mend(key), null, s_between, s_between) : null;
        int count = parsed.GetValue(s_count);
        if (Permits.TryAcquire(semaphore, count, parsed.GetValue(s_timeout), Interruption.Token)) return ExitCodes.Ok;
        if (SystemSemaphore.ReturnLostPermits(key) > 0 && Permits.TryAcquire(semaphore, count, TimeSpan.Zero, Interruption.Token)) return ExitCodes.Ok;
        throw TimeIsUp(key, parsed.GetValue(s_timeout));
    });

    private static void Mend(in NativeIpcKey key)
    {
        try
        {
            SystemSemaphore.ReturnLostPermits(key);
        }
        catch (NativeIpcException)
        {
            // As without: what keeps it from being told was told at the start, or is over at the next time.
        }
    }

    /// <summary>Undo off: on System V the kernel would take back what this process does as soon as it ends.</summary>
    public static SystemSemaphore Open(in NativeIpcKey key)
        => SystemSemaphore.OpenExisting(key, new SystemSemaphoreOptions { Removal = RemovalPolicy.Keep, Undo = SystemVUndoPolicy.None });

    public static ToolException TimeIsUp(in NativeIpcKey key, TimeSpan? timeout)
        => new(ExitCodes.Conflict, $"{key} had no permit free within {timeout.GetValueOrDefault().TotalSeconds} s. Wait longer{(OperatingSystem.IsWindows() ? "" : ", or see who uses it: 'nipc show KEY'")}.");
}
