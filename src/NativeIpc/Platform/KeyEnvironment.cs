namespace NativeIpc.Platform;

/// <summary>
/// What the rules of names need to know of a machine: which platform's rules apply, whether an Apple sandbox confines
/// the process, and the two folders that System V keys live in. The folders are asked for only when a rule needs them.
/// </summary>
internal sealed class KeyEnvironment(KeyPlatform platform, bool isSandboxed, Func<string> runtimeDirectory,
    Func<string> temporaryDirectory, Func<string?>? user = null, Func<string?>? session = null)
{
    public KeyPlatform Platform { get; } = platform;

    public bool IsSandboxed { get; } = isSandboxed;

    /// <summary>What QStandardPaths::RuntimeLocation gives; empty when there is none that is safe to use.</summary>
    public string RuntimeDirectory => runtimeDirectory();

    /// <summary>What QDir::tempPath gives; empty when the folder does not exist.</summary>
    public string TemporaryDirectory => temporaryDirectory();

    /// <summary>The number of this process's user, or on Windows the security identifier; null when the number is
    /// nobody's (<see cref="RealIds"/>).</summary>
    public string? User => user?.Invoke();

    /// <summary>The number of this process's session on Unix; null when it has none here.</summary>
    public string? Session => session?.Invoke();
}
