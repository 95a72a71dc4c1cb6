namespace NativeIpc.Abi;

// The targets that Interop has tables for, beside the one this process runs on (Interop.ThisTarget).
internal readonly struct LinuxX64 : Interop.ITarget
{
    public static bool IsApple => false;

    public static bool IsArm64 => false;
}

internal readonly struct LinuxArm64 : Interop.ITarget
{
    public static bool IsApple => false;

    public static bool IsArm64 => true;
}

internal readonly struct AppleX64 : Interop.ITarget
{
    public static bool IsApple => true;

    public static bool IsArm64 => false;
}

internal readonly struct AppleArm64 : Interop.ITarget
{
    public static bool IsApple => true;

    public static bool IsArm64 => true;
}
