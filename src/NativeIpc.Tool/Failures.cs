using System.ComponentModel;
using NativeIpc.Tool.Output;

namespace NativeIpc.Tool;

/// <summary>From an exception to an exit code and the lines on standard error.</summary>
internal static class Failures
{
    public const string NoThread =
        "No memory, or no further thread, is to be had: 'ulimit -a' and the cgroup's pids.max show the limits.";

    // .NET gives the error number of Unix as HResult. The same on Linux, macOS and the BSDs.
    private const int ENFILE = 23;
    private const int EMFILE = 24;

    /// <summary>Says on standard error what went wrong; the exit code for it. A bug of the tool is not caught here, and
    /// ends with its stack.</summary>
    public static bool TryReport(Exception failure, out int exitCode)
    {
        while (failure is TypeInitializationException { InnerException: { } inner }) failure = inner;
        (int Code, string Message)? outcome = OutcomeOf(failure);
        exitCode = outcome?.Code ?? ExitCodes.Failure;
        if (outcome is { } said) Say(said.Message);
        foreach (string detail in (failure as ToolException)?.Details ?? [])
            Console.Error.WriteLine(PrintableText.Of(detail));
        return outcome is not null;
    }

    /// <summary>A failure that is about the file that a verb has made under another name, in terms of the file that was
    /// asked for; null for any other one.</summary>
    public static ToolException? Renamed(Exception failure, string made, string asked)
        => failure is not NativeIpcException && failure.Message.Contains(made, StringComparison.Ordinal)
            && OutcomeOf(failure) is { } outcome
            ? new ToolException(outcome.Code, outcome.Message.Replace(made, asked, StringComparison.Ordinal)) : null;

    private static (int Code, string Message)? OutcomeOf(Exception failure)
        => failure switch
        {
            ToolException own => (own.ExitCode, own.Message),
            NativeIpcException native => (ExitCodes.For(native.Error), Describe(native)),
            ArgumentException or FormatException => (ExitCodes.Usage, InToolWords(WithoutParameter(failure))),
            PlatformNotSupportedException => (ExitCodes.Unsupported, InToolWords(failure.Message)),
            UnauthorizedAccessException => (ExitCodes.Permission, failure.Message),
            FileNotFoundException or DirectoryNotFoundException => (ExitCodes.NotFound, failure.Message),
            IOException { HResult: EMFILE or ENFILE } =>
                (ExitCodes.Limit, $"No further descriptor is to be had ('ulimit -n'): {failure.Message}"),
            Win32Exception { NativeErrorCode: EMFILE or ENFILE } =>
                (ExitCodes.Limit, $"No further descriptor is to be had ('ulimit -n'): {failure.Message}"),
            IOException => (ExitCodes.Failure, failure.Message),
            OutOfMemoryException => (ExitCodes.Limit, NoThread),
            _ => null,
        };

    /// <summary>What the verb works on, as the command line names it: for failures of an object without a
    /// key.</summary>
    public static string? Subject { get; set; }

    /// <summary>What the library says, in words of this tool, and what this tool can do about it.</summary>
    /// <param name="failure">The failure.</param>
    /// <param name="name">What names the object on the command line; null to tell it by the failure's key.</param>
    public static string Describe(NativeIpcException failure, string? name = null)
    {
        name ??= NameOf(failure.Key) ?? Subject;
        string message = failure.Message;
        if (name is not null)
            message = message.Replace("without a key (IPC_PRIVATE)", name, StringComparison.Ordinal);
        message = ToolWords.Of(message, name ?? "KEY", failure.Key.ToString(), failure.Key.NativeKey, name ?? "");
        bool isRelease = failure.Message.StartsWith("Cannot release ", StringComparison.Ordinal);
        bool isOfProcess = failure.NativeErrorCode is EMFILE or ENFILE && !OperatingSystem.IsWindows();
        return isOfProcess || message.Contains("'nipc ", StringComparison.Ordinal)
            || Hint(failure.Error, isRelease) is not { } hint
            ? message : $"{message} {ToolWords.WithKey(hint, name ?? "KEY")}";
    }

    /// <summary>What names the object on the command line; null where that is not known. The library calls an object
    /// without a key by its number, or by the path of its file.</summary>
    private static string? NameOf(in NativeIpcKey key)
    {
        const int longestRepeated = 200;
        if (!key.IsValid) return null;
        if (key.NativeKey.Length > longestRepeated) return "KEY";
        if (key.Type == NativeIpcKeyType.PosixRealtime
            && key.NativeKey.StartsWith("/dev/shm/", StringComparison.Ordinal))
            return key.NativeKey;
        bool isNumber = key.Type.IsSystemV && key.NativeKey is ['0', 'x', ..];
        return !isNumber ? key.ToString() : key.NativeKey == "0x00000000" ? null : $"key:{key.NativeKey}";
    }

    public static void Say(string message) => Console.Error.WriteLine($"nipc: {PrintableText.Of(message)}");

    /// <summary>What this tool can do. On Windows nothing is removed, and objects are there while somebody holds
    /// them.</summary>
    private static string? Hint(NativeIpcError error, bool isRelease) => (error, OperatingSystem.IsWindows()) switch
    {
        (NativeIpcError.AlreadyExists, true) => "--or-open takes what is there, 'nipc show KEY' describes it.",
        (NativeIpcError.AlreadyExists, _) =>
            "--or-open takes what is there, 'nipc show KEY' describes it, 'nipc rm KEY' removes it.",
        (NativeIpcError.NotFound, true) =>
            "'nipc list' shows what is there, 'nipc create shm KEY SIZE --hold' and 'nipc create sem KEY COUNT "
                + "--hold' make it, and keep it until they end.",
        (NativeIpcError.NotFound, _) => "'nipc list' shows what is there, 'nipc create' makes it.",
        (NativeIpcError.PermissionDenied, false) => "'nipc show KEY' says whose it is and its mode.",
        (NativeIpcError.PermissionDenied, true) =>
            "'nipc show KEY' says what this user may know of it, and whose it is if it lets that be asked.",
        (NativeIpcError.InvalidSize, true) => "'nipc show KEY' says how large it is; give a smaller size.",
        (NativeIpcError.OutOfResources, _)
            when isRelease => "'nipc value KEY' prints its count, 'nipc doctor' says which limit is near.",
        (NativeIpcError.OutOfResources, true) =>
            "'nipc doctor --json' prints how much memory may still be promised, 'nipc list -k shm -s size' what "
                + "segments take.",
        (NativeIpcError.InvalidSize, false) =>
            "'nipc show KEY' says how large it is; give a smaller size, or 'nipc rm KEY' and create it anew. 'nipc "
                + "doctor --json' prints the limits.",
        (NativeIpcError.OutOfResources, false) =>
            "'nipc doctor' says which limit is reached and how to raise it, 'nipc list -k shm -s size' what segments "
                + "take.",
        (NativeIpcError.LockError, true) =>
            "'nipc doctor' finds a lock whose holder was killed; try again, or leave --lock out.",
        (NativeIpcError.LockError, false) =>
            "'nipc show KEY' says who uses it and its lock; try again, or leave --lock out. 'nipc doctor' finds what "
                + "is half-created.",
        (NativeIpcError.KeyError, _) =>
            "'nipc key parse KEY --explain' says which rule the key breaks, 'nipc key safe NAME' makes one that can "
                + "be used; 'nipc show KEY' says what has the name.",
        _ => null,
    };

    private static string InToolWords(string message) => ToolWords.Of(message, Subject ?? "KEY");

    /// <summary>The name of a parameter in the code, which .NET appends, says nothing to a user of the command
    /// line.</summary>
    private static string WithoutParameter(Exception failure)
    {
        string message = failure.Message;
        int at = message.IndexOf(" (Parameter '", StringComparison.Ordinal);
        return at < 0 ? message : message[..at];
    }
}
