using NativeIpc;
using Transfer;
using Transfer.Pictures;

// One program, three roles: "receive SEGMENT FREE FILLED" and "draw KEY [FILE]" are other processes, everything else is
// the first one.
try
{
    if (args is ["receive", string segment, string free, string filled])
        return Receiver.Run(NativeIpcKey.Parse(segment), NativeIpcKey.Parse(free), NativeIpcKey.Parse(filled));
    if (args is ["draw", string topic, .. { Length: <= 1 } frames] && OperatingSystem.IsLinux())
        return await Drawer.RunAsync(NativeIpcKey.Parse(topic), frames.FirstOrDefault());
    var show = ShowChoices.Take(ref args);
    var copies = Choices.Parse(args);
    return await Demo.RunAsync(async cancellation =>
    {
        bool isGood = !show.IsShown || await Show.RunAsync(show, cancellation);
        return (show.AreCopied ? await Demo.RunAsync(copies, cancellation) : 0) is int code && isGood ? code : 1;
    });
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
