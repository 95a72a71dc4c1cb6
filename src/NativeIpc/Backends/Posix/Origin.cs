namespace NativeIpc.Backends.Posix;

/// <summary>Where an open object comes from.</summary>
internal enum Origin
{
    /// <summary>It was there.</summary>
    Found,

    /// <summary>This call made or completed it.</summary>
    Made,
}

/// <summary>What an instance does about the name when it is closed.</summary>
/// <param name="Policy">Whether it removes the name.</param>
/// <param name="AtProcessExit">Whether also when the process ends without Dispose.</param>
internal readonly record struct RemovalDuty(RemovalPolicy Policy, bool AtProcessExit);
