using NativeIpc.Interop.Unix;

namespace NativeIpc.Abi;

// The targets that Interop has tables for, beside the one this process runs on (ThisTarget).
internal readonly struct LinuxX64 : ITarget
{
    public static bool IsApple => false;

    public static bool IsArm64 => false;
}

internal readonly struct LinuxArm64 : ITarget
{
    public static bool IsApple => false;

    public static bool IsArm64 => true;
}

internal readonly struct AppleX64 : ITarget
{
    public static bool IsApple => true;

    public static bool IsArm64 => false;
}

internal readonly struct AppleArm64 : ITarget
{
    public static bool IsApple => true;

    public static bool IsArm64 => true;
}
