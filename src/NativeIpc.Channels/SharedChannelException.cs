namespace NativeIpc.Channels;

/// <summary>A failure of a ring or a topic, told apart by <see cref="Error"/>. Failures of the segment below it are
/// <see cref="NativeIpcException"/>.</summary>
public sealed class SharedChannelException : IOException
{
    /// <summary>Makes an exception of unknown kind; provided for serializers and tests.</summary>
    public SharedChannelException()
        : this("An operation on a shared channel failed.")
    {
    }

    /// <summary>Makes an exception of unknown kind with a message.</summary>
    /// <param name="message">The message.</param>
    public SharedChannelException(string? message)
        : base(message)
    {
    }

    /// <summary>Makes an exception of unknown kind with a message and a cause.</summary>
    /// <param name="message">The message.</param>
    /// <param name="innerException">The cause.</param>
    public SharedChannelException(string? message, Exception? innerException)
        : base(message, innerException)
    {
    }

    internal SharedChannelException(SharedChannelError error, in NativeIpcKey key, string message)
        : base(message)
    {
        Error = error;
        Key = key;
    }

    /// <summary>The kind of failure.</summary>
    public SharedChannelError Error { get; }

    /// <summary>The key of the segment.</summary>
    public NativeIpcKey Key { get; }
}
