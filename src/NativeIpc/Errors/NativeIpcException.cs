using NativeIpc.Errors;

namespace NativeIpc;

/// <summary>
/// A failure of the operating system, or of the object that a key names, told apart by <see cref="Error"/>. Its message
/// says what was tried, on which key, what the system said and what to do next.
/// </summary>
/// <remarks>Wrong arguments are <see cref="ArgumentException"/>, use after Dispose is
/// <see cref="ObjectDisposedException"/>, use against an object's access is <see cref="InvalidOperationException"/>;
/// none of these is a NativeIpcException.</remarks>
public sealed class NativeIpcException : IOException
{
    /// <summary>Makes an exception of unknown kind; provided for serializers and tests.</summary>
    public NativeIpcException()
        : this("An operation on a native IPC object failed.")
    {
    }

    /// <summary>Makes an exception of unknown kind with a message.</summary>
    /// <param name="message">The message.</param>
    public NativeIpcException(string? message)
        : base(message)
    {
        Operation = "";
    }

    /// <summary>Makes an exception of unknown kind with a message and a cause.</summary>
    /// <param name="message">The message.</param>
    /// <param name="innerException">The cause.</param>
    public NativeIpcException(string? message, Exception? innerException)
        : base(message, innerException)
    {
        Operation = "";
    }

    /// <summary>The address of the page about <see cref="Error"/>: what causes it, how to prove which cause it is, and
    /// what helps. What was set instead, if anything was.</summary>
    /// <remarks>The page is that of this version; the same pages are in docs/errors of the sources.</remarks>
    public override string? HelpLink
    {
        get => base.HelpLink ?? ErrorPages.LinkTo(Error);
        set => base.HelpLink = value;
    }

    internal NativeIpcException(NativeIpcError error, string operation, in NativeIpcKey key, int nativeErrorCode,
        string message, Exception? inner = null)
        : base(message, inner)
    {
        Error = error;
        Operation = operation;
        Key = key;
        NativeErrorCode = nativeErrorCode;
    }

    /// <summary>The kind of failure.</summary>
    public NativeIpcError Error { get; }

    /// <summary>The number that the system gave: <c>errno</c> on Unix, <c>GetLastError()</c> on Windows; 0 when the
    /// failure was found before or without a system call.</summary>
    public int NativeErrorCode { get; }

    /// <summary>The call that failed: the name of the system call, or of the library's own operation when no system
    /// call was made.</summary>
    public string Operation { get; }

    /// <summary>The key of the object.</summary>
    public NativeIpcKey Key { get; }

    /// <summary>How many permits a failed <see cref="SystemSemaphore.Release(int)"/> had given before it failed; 0 for
    /// every other failure.</summary>
    public int PermitsReleased { get; internal init; }
}
