using System.ComponentModel;
using System.Text.Json.Serialization;
using NativeIpc.Keys;
using NativeIpc.Platform;

namespace NativeIpc;

/// <summary>
/// Names a shared-memory segment or a system semaphore for every process on the machine, whatever language it is
/// written in: a <see cref="Type"/>, which is the back end, and a <see cref="NativeKey"/>, which is what the operating
/// system sees. Equal to Qt's <c>QNativeIpcKey</c>, in memory and as text. <c>default</c> is the invalid key.
/// </summary>
/// <remarks>
/// <para>An immutable value. Two keys are equal when type, native key and legacy key are; the legacy key does not count
/// for the hash code.</para>
/// <para>A key holds any text. What the platform cannot use (an empty name, an embedded NUL, a name that is too long)
/// is refused when an object is made or opened with it. Portable programs let <see cref="SharedMemory"/> and
/// <see cref="SystemSemaphore"/> make the native key from a name.</para>
/// <para>The text form, <c>TYPE:NATIVEKEY</c> or <c>TYPE:NATIVEKEY?legacyKey=NAME</c> with TYPE one of <c>posix</c>,
/// <c>systemv</c>, <c>systemv-N</c> (N from 1 to 255) and <c>windows</c>, is the one of Qt 6.6 and later, and stable:
/// it may be stored or passed on a command line. Every key with such a type comes back equal, except for a legacy key
/// that holds a lone surrogate or starts with U+FEFF, as in Qt. In JSON a key is that text, and the invalid key is
/// null.</para>
/// </remarks>
[JsonConverter(typeof(NativeIpcKeyJsonConverter))]
[TypeConverter(typeof(NativeIpcKeyTypeConverter))]
public readonly partial struct NativeIpcKey : IEquatable<NativeIpcKey>, ISpanParsable<NativeIpcKey>, ISpanFormattable
{
    private readonly string? _nativeKey;

    // Null: the key was never given a legacy key. Empty: it was, and the legacy key is empty or was dropped since. Only
    // WithType tells them apart.
    private readonly string? _legacyKey;

    /// <summary>Makes a key from what the operating system is to see.</summary>
    /// <param name="nativeKey">The native key, taken as it is: the name for <c>shm_open</c> and <c>sem_open</c> (with
    /// its leading slash), the path for <c>ftok</c>, or the name of a Windows kernel object.</param>
    /// <param name="type">The back end. Any value is kept; <see cref="IsValid"/> is false for
    /// <see cref="NativeIpcKeyType.Invalid"/> only.</param>
    /// <exception cref="ArgumentNullException"><paramref name="nativeKey"/> is null.</exception>
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

    /// <summary>The type that new programs use on this system: <see cref="NativeIpcKeyType.Windows"/> on Windows,
    /// <see cref="NativeIpcKeyType.PosixRealtime"/> elsewhere.</summary>
    public static NativeIpcKeyType DefaultType => NameRules.DefaultType(PlatformEnvironment.Platform);

    /// <summary>
    /// The type that programs with Qt before 6.6 use on this system: <see cref="NativeIpcKeyType.Windows"/> on Windows;
    /// <see cref="NativeIpcKeyType.PosixRealtime"/> on Android and in an Apple sandbox;
    /// <see cref="NativeIpcKeyType.SystemV"/> elsewhere.
    /// </summary>
    /// <remarks>Qt can be built with POSIX as its legacy type (Termux does so). To meet such programs, set the
    /// <see cref="AppContext"/> switch <c>NativeIpc.LegacyDefaultIsPosix</c> to true, in runtimeconfig.json or by code;
    /// it is read at each call and has no effect on Windows.</remarks>
    public static NativeIpcKeyType LegacyDefaultType
        => NameRules.LegacyDefaultType(PlatformEnvironment.Platform, PlatformEnvironment.IsSandboxed,
            PlatformEnvironment.LegacyDefaultIsPosix);

    /// <summary>The back end. Default: <see cref="NativeIpcKeyType.Invalid"/>.</summary>
    public NativeIpcKeyType Type { get; }

    /// <summary>What the operating system sees. Never null; empty by default.</summary>
    public string NativeKey => _nativeKey ?? "";

    /// <summary>The name that the native key was made of by the rules of Qt 4.4 to 6.5; empty for every other key. It
    /// travels in the text form, and the lock of a segment is named after it.</summary>
    public string LegacyKey => _legacyKey ?? "";

    /// <summary>Whether the key has a type: any value but <see cref="NativeIpcKeyType.Invalid"/>, supported here or
    /// not.</summary>
    public bool IsValid => Type != NativeIpcKeyType.Invalid;

    /// <summary>Whether <see cref="NativeKey"/> is empty.</summary>
    public bool IsEmpty => NativeKey.Length == 0;

    /// <summary>This key with another type and the same native key; Qt's <c>setType</c>.</summary>
    /// <param name="type">The new type.</param>
    /// <returns>The changed key; or this key unchanged, when it was ever given a legacy key.</returns>
    /// <remarks>As in Qt, a key that was given a legacy key keeps its type: one made by <c>LegacyNativeKey</c>, or
    /// parsed from text with a <c>legacyKey</c> query. That holds for an empty legacy key, and after
    /// <see cref="WithNativeKey"/> dropped it, although such a key is equal to one whose type can be changed. Make a
    /// new key where that matters.</remarks>
    public NativeIpcKey WithType(NativeIpcKeyType type)
        => _legacyKey is null ? new NativeIpcKey(NativeKey, type) : this;

    /// <summary>This key with another native key, the same type and no legacy key; Qt's <c>setNativeKey</c>.</summary>
    /// <param name="nativeKey">The new native key, taken as it is. The legacy key is dropped even when this is the old
    /// one.</param>
    /// <returns>The changed key.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="nativeKey"/> is null.</exception>
    public NativeIpcKey WithNativeKey(string nativeKey) => new(nativeKey, Type, _legacyKey is null ? null : "");

    /// <inheritdoc/>
    public bool Equals(NativeIpcKey other)
        => Type == other.Type && NativeKey == other.NativeKey && LegacyKey == other.LegacyKey;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is NativeIpcKey other && Equals(other);

    /// <summary>The hash code of type and native key. Stable within a process only.</summary>
    /// <returns>The hash code.</returns>
    public override int GetHashCode() => HashCode.Combine(Type, NativeKey);

    /// <summary>Whether two keys have the same type, native key and legacy key.</summary>
    /// <param name="left">A key.</param>
    /// <param name="right">Another key.</param>
    /// <returns>Whether they are equal.</returns>
    public static bool operator ==(NativeIpcKey left, NativeIpcKey right) => left.Equals(right);

    /// <summary>Whether two keys differ in type, native key or legacy key.</summary>
    /// <param name="left">A key.</param>
    /// <param name="right">Another key.</param>
    /// <returns>Whether they differ.</returns>
    public static bool operator !=(NativeIpcKey left, NativeIpcKey right) => !left.Equals(right);
}
