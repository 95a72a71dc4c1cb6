namespace NativeIpc.Channels;

/// <summary>A segment has no head of a layout, or that of another one.</summary>
public sealed class SharedLayoutException : IOException
{
    /// <summary>An exception without a message of its own.</summary>
    public SharedLayoutException()
    {
    }

    /// <summary>An exception with a message.</summary>
    /// <param name="message">What is wrong.</param>
    public SharedLayoutException(string message) : base(message)
    {
    }

    /// <summary>An exception with a message and a cause.</summary>
    /// <param name="message">What is wrong.</param>
    /// <param name="innerException">What caused it.</param>
    public SharedLayoutException(string message, Exception innerException) : base(message, innerException)
    {
    }

    internal SharedLayoutException(string message, SharedLayoutHead? found) : base(message) => Found = found;

    /// <summary>What the head of the segment says; null when it has none.</summary>
    public SharedLayoutHead? Found { get; }
}
