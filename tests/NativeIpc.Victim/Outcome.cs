using System.Buffers;
using System.Text;
using System.Text.Json;

namespace NativeIpc.Victim;

/// <summary>What one step did, or how it failed; one line of JSON on the standard output.</summary>
/// <param name="Step">The step as it was given.</param>
/// <param name="Did">What it did; null when it failed.</param>
/// <param name="Exception">The type of the exception; null when there was none.</param>
/// <param name="Error">The error value of a NativeIpcException.</param>
/// <param name="Operation">The operation of a NativeIpcException.</param>
/// <param name="NativeErrorCode">The native number of a NativeIpcException.</param>
/// <param name="Message">The message of the exception.</param>
public sealed record Outcome(string Step, string? Did, string? Exception, NativeIpcError? Error, string? Operation,
    int NativeErrorCode, string? Message)
{
    /// <summary>Describes an exception.</summary>
    public static Outcome Of(string step, Exception exception)
    {
        var ipc = exception as NativeIpcException;
        return new Outcome(step, null, exception.GetType().Name, ipc?.Error, ipc?.Operation, ipc?.NativeErrorCode ?? 0,
            exception.Message);
    }

    /// <summary>Runs a step that may fail.</summary>
    public static Outcome From(string step, Func<string> action)
    {
        try
        {
            return new Outcome(step, action(), null, null, null, 0, null);
        }
#pragma warning disable CA1031 // Whatever comes out is what the test wants to know.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            return Of(step, exception);
        }
    }

    /// <summary>The line of JSON. Written member by member: a serializer took half of the program's time.</summary>
    public string ToLine()
    {
        var bytes = new ArrayBufferWriter<byte>();
        using (var line = new Utf8JsonWriter(bytes))
        {
            line.WriteStartObject();
            line.WriteString(nameof(Step), Step);
            line.WriteString(nameof(Did), Did);
            line.WriteString(nameof(Exception), Exception);
            if (Error is { } error) line.WriteNumber(nameof(Error), (int)error);
            line.WriteString(nameof(Operation), Operation);
            line.WriteNumber(nameof(NativeErrorCode), NativeErrorCode);
            line.WriteString(nameof(Message), Message);
            line.WriteEndObject();
        }

        return Encoding.UTF8.GetString(bytes.WrittenSpan);
    }
}
