using System.Runtime.InteropServices;

namespace NativeIpc.Interop.Unix;

/// <summary>
/// What numbers and layouts depend on. A type argument and not a value, so that a table of values can be asked for
/// any target and still reads as plain constants at the place of use.
/// </summary>
internal interface ITarget
{
    static abstract bool IsApple { get; }

    static abstract bool IsArm64 { get; }
}

/// <summary>The system of this process.</summary>
internal static class Target
{
    internal static readonly bool IsApple = OperatingSystem.IsMacOS() || OperatingSystem.IsMacCatalyst()
        || OperatingSystem.IsIOS() || OperatingSystem.IsTvOS();

    /// <summary>
    /// Whether variadic arguments go on the stack although registers are free: Apple on Arm64, by the architecture of
    /// the process (Rosetta runs x64 processes on Arm64 machines). dotnet/runtime#48796.
    /// </summary>
    internal static readonly bool VariadicArgumentsOnStack = ThisTarget.IsApple && ThisTarget.IsArm64;
}

/// <summary>The system and the architecture of this process.</summary>
internal readonly struct ThisTarget : ITarget
{
    public static bool IsApple => Target.IsApple;

    public static bool IsArm64 => RuntimeInformation.ProcessArchitecture == Architecture.Arm64;
}
