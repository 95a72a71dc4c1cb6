namespace NativeIpc.Channels.Generators;

/// <summary>A list that is equal to another one with equal elements, so that the compiler's cache of generated code
/// works.</summary>
internal readonly struct EquatableList<T> : IEquatable<EquatableList<T>> where T : IEquatable<T>
{
    private readonly T[]? _items;

    public EquatableList(IEnumerable<T> items) => _items = items.ToArray();

    public IReadOnlyList<T> Items => _items ?? Array.Empty<T>();

    public bool Equals(EquatableList<T> other) => Items.SequenceEqual(other.Items);

    public override bool Equals(object? other) => other is EquatableList<T> list && Equals(list);

    public override int GetHashCode() => Items.Count;
}
