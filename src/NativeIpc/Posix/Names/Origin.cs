namespace NativeIpc.Posix.Names;

/// <summary>Where an open object comes from: this call found it, or made or completed it.</summary>
internal enum Origin { Found, Made }

/// <summary>What an instance does about the name when it is closed.</summary>
/// <param name="Policy">Whether it removes the name.</param>
/// <param name="AtProcessExit">Whether also when the process ends without Dispose.</param>
internal readonly record struct RemovalDuty(RemovalPolicy Policy, bool AtProcessExit);
