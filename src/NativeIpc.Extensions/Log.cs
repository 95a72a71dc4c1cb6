using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace NativeIpc.Extensions;

/// <summary>The messages of the category "NativeIpc".</summary>
internal static partial class Log
{
    /// <summary>The logger of the category; one that says nothing where the host has no logs.</summary>
    public static ILogger For(ILoggerFactory? logs) => (logs ?? NullLoggerFactory.Instance).CreateLogger("NativeIpc");

    [LoggerMessage(1, LogLevel.Debug, "Opened the {Kind} '{Name}' ({Key})")]
    public static partial void Opened(ILogger log, RegisteredKind kind, string name, NativeIpcKey key);

    [LoggerMessage(2, LogLevel.Debug, "Closed the {Kind} '{Name}' ({Key})")]
    public static partial void Closed(ILogger log, RegisteredKind kind, string name, NativeIpcKey key);

    [LoggerMessage(3, LogLevel.Error, "Cannot open the {Kind} '{Name}': the host does not start")]
    public static partial void NotOpened(ILogger log, Exception failure, RegisteredKind kind, string name);

    [LoggerMessage(4, LogLevel.Warning, "Took over {Key} from a holder that was killed")]
    public static partial void TookOver(ILogger log, NativeIpcKey key);

    [LoggerMessage(5, LogLevel.Warning, "Gave back {Permits} permits of {Key}, whose holders were killed")]
    public static partial void LostPermitsReturned(ILogger log, int permits, NativeIpcKey key);

    [LoggerMessage(6, LogLevel.Error, "The {Kind} '{Name}' ({Key}) was removed or replaced by another process")]
    public static partial void Replaced(ILogger log, RegisteredKind kind, string name, NativeIpcKey key);

    [LoggerMessage(7, LogLevel.Warning, "Limit of the system: {Limit} has {Used} of {Maximum} {Unit} in use")]
    public static partial void LimitNear(ILogger log, string limit, long? used, long maximum, string unit);
}
