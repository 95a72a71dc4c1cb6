namespace NativeIpc.Channels;

/// <summary>A struct with <see cref="SharedLayoutAttribute"/>; the generator implements it.</summary>
/// <typeparam name="TSelf">The struct itself.</typeparam>
public interface ISharedLayout<TSelf> where TSelf : unmanaged, ISharedLayout<TSelf>
{
    /// <summary>What is known of the layout. Thread-safe.</summary>
    static abstract SharedLayoutInfo Layout { get; }
}
