namespace NativeIpc.Tool;

/// <summary>From an exception to an exit code and the lines on standard error.</summary>
internal static class Failures
{
    /// <summary>Says on standard error what went wrong; the exit code for it. A bug of the tool is not caught here, and ends with its stack.</summary>
    public static bool TryReport(Exception failure, out int exitCode)
    {
        (int Code, string Message)? outcome = failure switch
        {
            ToolException own => (own.ExitCode, own.Message),
            NativeIpcException native => (ExitCodes.For(native.Error), native.Message),
            ArgumentException or FormatException => (ExitCodes.Usage, WithoutParameter(failure)),
            PlatformNotSupportedException => (ExitCodes.Unsupported, failure.Message),
            UnauthorizedAccessException => (ExitCodes.Permission, failure.Message),
            FileNotFoundException or DirectoryNotFoundException => (ExitCodes.NotFound, failure.Message),
            IOException => (ExitCodes.Failure, failure.Message),
            _ => null,
        };
        exitCode = outcome?.Code ?? ExitCodes.Failure;
        if (outcome is { } said) Say(said.Message);
        if (failure is NativeIpcException { Error: var error } && Hint(error) is { } hint) Say(hint);
        return outcome is not null;
    }

    public static void Say(string message) => Console.Error.WriteLine($"nipc: {message}");

    /// <summary>What the library's message says in words of .NET, in words of this tool. Windows lists, describes and removes nothing.</summary>
    private static string? Hint(NativeIpcError error) => (error, OperatingSystem.IsWindows()) switch
    {
        (NativeIpcError.AlreadyExists, true) => "With this tool: --or-open takes what is there.",
        (NativeIpcError.AlreadyExists, _) => "With this tool: --or-open takes what is there, 'nipc show KEY' describes it, 'nipc rm KEY' removes it.",
        (NativeIpcError.NotFound, true) => "With this tool: 'nipc create shm KEY SIZE --hold' and 'nipc create sem KEY COUNT --hold' make it, and keep it until they end.",
        (NativeIpcError.NotFound, _) => "With this tool: 'nipc list' shows what is there, 'nipc create' makes it.",
        (NativeIpcError.PermissionDenied, false) => "With this tool: 'nipc show KEY' says whose it is and its mode.",
        _ => null,
    };

    /// <summary>The name of a parameter in the code, which .NET appends, says nothing to a user of the command line.</summary>
    private static string WithoutParameter(Exception failure)
    {
        string message = failure.Message;
        int at = message.IndexOf(" (Parameter '", StringComparison.Ordinal);
        return at < 0 ? message : message[..at];
    }
}
