using NativeIpc;
using Transfer;

// One program, two roles: "receive SEGMENT FREE FILLED" is the second process, everything else the first one.
try
{
    return args is ["receive", string segment, string free, string filled]
        ? Receiver.Run(NativeIpcKey.Parse(segment), NativeIpcKey.Parse(free), NativeIpcKey.Parse(filled))
        : await Demo.RunAsync(Choices.Parse(args));
}
catch (UsageException usage)
{
    await (usage.IsHelp ? Console.Out : Console.Error).WriteLineAsync(usage.Message);
    return usage.IsHelp ? 0 : 2;
}
catch (Exception failure) when (failure is NativeIpcException or IOException or FormatException
    or UnauthorizedAccessException or TimeoutException)
{
    await Console.Error.WriteLineAsync($"Transfer: {failure.Message}");
    return 1;
}
