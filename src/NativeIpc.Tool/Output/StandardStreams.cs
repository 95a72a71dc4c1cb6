using System.Text;
using NativeIpc.Tool.Running;

namespace NativeIpc.Tool.Output;

/// <summary>
/// Standard output and standard error of this process. After <see cref="Install"/> whatever goes through
/// <see cref="Console.Out"/> and <see cref="Console.Error"/> is escaped by <see cref="PrintableText"/>. A standard
/// output that is closed or full is an error with an exit code; a standard error that is closed or full leaves nothing
/// to say.
/// </summary>
internal static class StandardStreams
{
    private static TextWriter? s_rawOut;
    private static TextWriter? s_rawError;

    /// <summary>For what writes escape codes of its own to a terminal; its texts have been escaped before.</summary>
    public static TextWriter RawOut => s_rawOut ?? Console.Out;

    /// <summary>The same for standard error.</summary>
    public static TextWriter RawError => s_rawError ?? Console.Error;

    public static void Install()
    {
        if (!OperatingSystem.IsWindows()) Libc.KeepStandardNumbersFree();
        s_rawOut = new GuardedWriter(OpenOutput, isError: false, escapes: false);
        s_rawError = new GuardedWriter(OpenError, isError: true, escapes: false);
        Console.SetOut(new GuardedWriter(OpenOutput, isError: false, escapes: true));
        Console.SetError(new GuardedWriter(OpenError, isError: true, escapes: true));
    }

    /// <summary>Does something that writes to standard output.</summary>
    /// <exception cref="ToolException">It is closed, or full.</exception>
    public static void Write(Action write)
    {
        try
        {
            write();
        }
        catch (Exception failure) when (failure is UnauthorizedAccessException or (IOException
            and not NativeIpcException))
        {
            throw Failed(failure);
        }
    }

    public static ToolException Failed(Exception failure)
        => new(ExitCodes.Failure, $"Cannot write to standard output: {failure.Message}");

    /// <summary>The bytes of standard output, for those of a segment, and for JSON, whose writer escapes. Write to it
    /// within <see cref="Write"/>.</summary>
    public static Stream OpenOutput() => OperatingSystem.IsWindows() ? Console.OpenStandardOutput() : new UnixOutput(1);

    private static Stream OpenError() => OperatingSystem.IsWindows() ? Console.OpenStandardError() : new UnixOutput(2);

    /// <summary>Writes lines, many at once; each is one line, whatever it holds.</summary>
    /// <exception cref="ToolException">Standard output is closed, or full.</exception>
    public static void WriteLines(IEnumerable<string> lines) => Write(() =>
    {
        using var output = new StreamWriter(OpenOutput());
        foreach (string line in lines) output.WriteLine(PrintableText.Of(line));
    });

    /// <summary>Writes each text at once. The stream is opened with the first one, since opening a closed one
    /// fails.</summary>
    private sealed class GuardedWriter(Func<Stream> open, bool isError, bool escapes) : TextWriter
    {
        private readonly Lock _gate = new();
        private Stream? _stream;

        public override Encoding Encoding { get; } = OperatingSystem.IsWindows()
            ? Console.OutputEncoding : new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);

        public override void Write(char value) => Write(value.ToString());

        public override void Write(char[] buffer, int index, int count) => Write(new string(buffer, index, count));

        public override void Write(ReadOnlySpan<char> buffer) => Write(buffer.ToString());

        // One line, whatever the text holds: a name must not make a line that looks like another.
        public override void WriteLine(string? value)
            => Write((escapes ? PrintableText.Of(value ?? "") : value) + NewLine);

        public override void WriteLine(ReadOnlySpan<char> buffer) => WriteLine(buffer.ToString());

        public override void Write(string? value)
        {
            if (string.IsNullOrEmpty(value)) return;
            byte[] bytes = Encoding.GetBytes(escapes ? PrintableText.OfLines(value) : value);
            try
            {
                lock (_gate)
                {
                    _stream ??= open();
                    _stream.Write(bytes);
                    _stream.Flush();
                }
            }
            catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
            {
                if (!isError) throw Failed(failure);
            }
        }
    }
}
