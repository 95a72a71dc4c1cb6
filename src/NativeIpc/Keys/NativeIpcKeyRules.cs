using NativeIpc.Keys;
using NativeIpc.Platform;

namespace NativeIpc;

/// <summary>
/// The rules by which Qt and this library turn names into keys, of any platform and on any platform: to show, test or
/// write down keys that programs of another system use. Programs that open objects use the methods of
/// <see cref="SharedMemory"/> and <see cref="SystemSemaphore"/>, which follow <see cref="Current"/>.
/// </summary>
/// <remarks>Immutable, safe for any number of threads, and pure: only <see cref="Current"/> asks the system for
/// anything, and nothing is created.</remarks>
public sealed class NativeIpcKeyRules
{
    private readonly bool _isCurrent;

    /// <summary>Makes the rules of a platform. System V names need a folder in addition: <see cref="RuntimeDirectory"/>
    /// or <see cref="TemporaryDirectory"/>.</summary>
    /// <param name="platform">The platform.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="platform"/> is no value of the
    /// enumeration.</exception>
    public NativeIpcKeyRules(KeyPlatform platform)
        : this(platform, isCurrent: false)
    {
    }

    private NativeIpcKeyRules(KeyPlatform platform, bool isCurrent)
    {
        if (!Enum.IsDefined(platform))
            throw new ArgumentOutOfRangeException(nameof(platform), platform, "There is no such platform.");
        Platform = platform;
        _isCurrent = isCurrent;
    }

    /// <summary>The rules that hold for this process, with its folders, which are looked up each time.</summary>
    public static NativeIpcKeyRules Current { get; } = new(PlatformEnvironment.Platform,
        isCurrent: true) { IsSandboxed = PlatformEnvironment.IsSandboxed };

    /// <summary>The platform.</summary>
    public KeyPlatform Platform { get; }

    /// <summary>Whether the App Sandbox of Apple confines the process; nothing to the other platforms. Default:
    /// false.</summary>
    public bool IsSandboxed { get; init; }

    /// <summary>The folder of System V keys that <see cref="PlatformSafeKey"/> makes: what
    /// QStandardPaths::RuntimeLocation is on that machine, without a slash at its end. Default: null, with which such a
    /// key cannot be made. <see cref="Current"/> has the one of this process, empty when there is none that is
    /// safe.</summary>
    public string? RuntimeDirectory
    {
        get => _isCurrent ? PlatformEnvironment.Current.RuntimeDirectory : field;
        init;
    }

    /// <summary>The folder of System V keys that <see cref="LegacyNativeKey"/> makes: what QDir::tempPath is on that
    /// machine. Default: null, with which such a key cannot be made. <see cref="Current"/> has the one of this process,
    /// empty when it does not exist.</summary>
    public string? TemporaryDirectory
    {
        get => _isCurrent ? PlatformEnvironment.Current.TemporaryDirectory : field;
        init;
    }

    /// <summary>The type that new programs use there; see <see cref="NativeIpcKey.DefaultType"/>.</summary>
    public NativeIpcKeyType DefaultType => NameRules.DefaultType(Platform);

    /// <summary>The type that programs with Qt before 6.6 use there; see
    /// <see cref="NativeIpcKey.LegacyDefaultType"/>.</summary>
    public NativeIpcKeyType LegacyDefaultType
        => NameRules.LegacyDefaultType(Platform, IsSandboxed, _isCurrent && PlatformEnvironment.LegacyDefaultIsPosix);

    private KeyEnvironment Environment => new(Platform, IsSandboxed,
        () => RuntimeDirectory ?? throw Missing(nameof(RuntimeDirectory)),
        () => TemporaryDirectory ?? throw Missing(nameof(TemporaryDirectory)));

    /// <summary>The key that Qt's <c>platformSafeKey</c> makes of a name there; see
    /// <see cref="SharedMemory.PlatformSafeKey(string)"/>.</summary>
    /// <param name="name">The portable name. An empty one, like a type that the platform does not have, gives an empty
    /// native key.</param>
    /// <param name="type">The key type.</param>
    /// <param name="kind">What the key is for; the names differ on Windows.</param>
    /// <param name="wasCut">Whether the name was too long and was cut, as Qt does, so that other names give the same
    /// key.</param>
    /// <returns>The key.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="name"/> is null.</exception>
    /// <exception cref="InvalidOperationException">The key is a System V one of a relative name, and
    /// <see cref="RuntimeDirectory"/> is null.</exception>
    public NativeIpcKey PlatformSafeKey(string name, NativeIpcKeyType type, IpcObjectKind kind, out bool wasCut)
        => NameRules.PlatformSafeKey(name, type, Checked(kind), Environment, out wasCut);

    /// <summary>The key that Qt 4.4 to 6.5 makes of a name there; see
    /// <see cref="SharedMemory.LegacyNativeKey(string)"/>.</summary>
    /// <param name="name">The name that such a program passes to <c>setKey</c>.</param>
    /// <param name="type">The key type.</param>
    /// <param name="kind">What the key is for.</param>
    /// <returns>The key, which remembers the name.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="name"/> is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="kind"/> is no value of the enumeration, or an
    /// event, of which such programs make none.</exception>
    /// <exception cref="InvalidOperationException">The key is a System V one, and <see cref="TemporaryDirectory"/> is
    /// null.</exception>
    public NativeIpcKey LegacyNativeKey(string name, NativeIpcKeyType type, IpcObjectKind kind)
        => NameRules.LegacyNativeKey(name, type, Checked(kind), Environment);

    /// <summary>The key of the semaphore that is the lock of a segment there: the one that
    /// <see cref="SharedMemory.Lock()"/> and <c>QSharedMemory::lock</c> take.</summary>
    /// <param name="segment">The key of the segment.</param>
    /// <returns>The key of its lock.</returns>
    /// <exception cref="InvalidOperationException">The segment has a legacy key of type System V, and
    /// <see cref="TemporaryDirectory"/> is null.</exception>
    public NativeIpcKey LockKey(NativeIpcKey segment) => NameRules.LockKey(segment, Environment);

    /// <summary>Which rule a key breaks there, so that no object can have it.</summary>
    /// <param name="key">The key.</param>
    /// <param name="kind">What the key is for.</param>
    /// <returns>The rule and what to do, as a sentence; null when the key can be used. Whether a running system offers
    /// the type is another question (<see cref="SharedMemory.IsKeyTypeSupported"/>).</returns>
    public string? FindViolation(NativeIpcKey key, IpcObjectKind kind)
    {
        bool isOfThisPlatform = key.Type == NativeIpcKeyType.Windows ? Platform == KeyPlatform.Windows
            : Platform != KeyPlatform.Windows
                && (key.Type == NativeIpcKeyType.PosixRealtime
                    || (key.Type.IsSystemV && Platform != KeyPlatform.Android));
        return isOfThisPlatform
            ? UsableKey.FindViolation(key, Checked(kind), Platform, NameText.FormHere)
            : "The platform does not have objects of this type. Use POSIX or System V on Unix (Android has POSIX "
                + "only) and the type windows on Windows.";
    }

    /// <summary>How long a key is there, in the unit that the platform counts, and how long it may be.</summary>
    /// <param name="key">The key, of a type that the platform has.</param>
    /// <param name="kind">What the key is for.</param>
    /// <returns>Bytes of UTF-8 on Unix: after the leading slashes for POSIX, but on Apple decomposed and with the
    /// slash; of the whole path for System V. UTF-16 units with the prefix on Windows.</returns>
    public (int Length, int Maximum) MeasureLength(NativeIpcKey key, IpcObjectKind kind)
        => UsableKey.MeasureLength(key, Checked(kind), Platform, NameText.FormHere);

    private static IpcObjectKind Checked(IpcObjectKind kind)
        => Enum.IsDefined(kind) ? kind
            : throw new ArgumentOutOfRangeException(nameof(kind), kind, "There is no such kind of object.");

    private static InvalidOperationException Missing(string folder)
        => new($"A System V key is a path, and {folder} is not set: give the folder that the other machine uses.");
}
