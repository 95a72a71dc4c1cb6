using System.ComponentModel;

namespace NativeIpc.Channels;

/// <summary>What every <see cref="ISharedLayout{TSelf}"/> is, for code that does not know whether it has one.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public interface ISharedLayout
{
    internal SharedLayoutInfo Info { get; }
}

/// <summary>A struct with <see cref="SharedLayoutAttribute"/>; the generator implements it.</summary>
/// <typeparam name="TSelf">The struct itself.</typeparam>
public interface ISharedLayout<TSelf> : ISharedLayout where TSelf : unmanaged, ISharedLayout<TSelf>
{
    /// <summary>What is known of the layout. Thread-safe.</summary>
    static abstract SharedLayoutInfo Layout { get; }

    SharedLayoutInfo ISharedLayout.Info => SharedLayouts.InfoOf<TSelf>();
}
