namespace NativeIpc;

/// <summary>Placeholder; the keys room fills it.</summary>
public readonly partial struct NativeIpcKey : IEquatable<NativeIpcKey>
{
    private readonly string? _nativeKey;
    private readonly string? _legacyKey;

    /// <summary>Makes a key.</summary>
    /// <param name="nativeKey">The native key.</param>
    /// <param name="type">The type.</param>
    public NativeIpcKey(string nativeKey, NativeIpcKeyType type)
        : this(nativeKey, type, null)
    {
    }

    internal NativeIpcKey(string nativeKey, NativeIpcKeyType type, string? legacyKey)
    {
        ArgumentNullException.ThrowIfNull(nativeKey);
        _nativeKey = nativeKey;
        Type = type;
        _legacyKey = legacyKey;
    }

    /// <summary>The type.</summary>
    public NativeIpcKeyType Type { get; }

    /// <summary>The native key.</summary>
    public string NativeKey => _nativeKey ?? "";

    /// <summary>The legacy key.</summary>
    public string LegacyKey => _legacyKey ?? "";

    /// <summary>Valid.</summary>
    public bool IsValid => Type != NativeIpcKeyType.Invalid;

    /// <summary>Empty.</summary>
    public bool IsEmpty => NativeKey.Length == 0;

    /// <inheritdoc/>
    public bool Equals(NativeIpcKey other) => Type == other.Type && NativeKey == other.NativeKey && LegacyKey == other.LegacyKey;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is NativeIpcKey other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Type, NativeKey);

    /// <summary>Equal.</summary>
    public static bool operator ==(NativeIpcKey left, NativeIpcKey right) => left.Equals(right);

    /// <summary>Not equal.</summary>
    public static bool operator !=(NativeIpcKey left, NativeIpcKey right) => !left.Equals(right);
}
