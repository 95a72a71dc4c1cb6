namespace NativeIpc.Interop.Unix;

/// <summary>The offsets of the system this process runs on.</summary>
internal abstract class Layout : LayoutOf<ThisTarget>;

/// <summary>Sizes and offsets of C structs on 64-bit systems that are read by offset instead of declared
/// (platform-abi.md, section 2).</summary>
internal abstract class LayoutOf<TTarget>
    where TTarget : ITarget
{
    /// <summary>sizeof(sem_t) on 64-bit glibc and musl: the size of the file behind a semaphore.</summary>
    internal const int SizeOfSemT = 32;

    /// <summary>Room for any shmid_ds or semid_ds.</summary>
    internal const int SizeOfIpcBuffer = 256;

    /// <summary>struct epoll_event, which is packed on x64 only. Linux.</summary>
    internal static readonly int SizeOfEpollEvent = TTarget.IsArm64 ? 16 : 12;
    internal static readonly int EpollData = TTarget.IsArm64 ? 8 : 4;

    internal static readonly int IpcPermUid = TTarget.IsApple ? 0 : 4;
    internal static readonly int IpcPermCuid = TTarget.IsApple ? 8 : 12;
    internal static readonly int IpcPermMode = TTarget.IsApple ? 16 : 20;
    internal static readonly int ShmSegsz = TTarget.IsApple ? 24 : 48;
    internal static readonly int ShmNattch = TTarget.IsApple ? 40 : 88;
    internal static readonly int ShmCpid = TTarget.IsApple ? 36 : 80;
    internal static readonly int SemOtime = TTarget.IsApple ? 32 : 48;
    internal static readonly int SemCtime = TTarget.IsApple ? 44 : TTarget.IsArm64 ? 56 : 64;
    // x64 has room beside each time
    internal static readonly int SemNsems = TTarget.IsApple ? 28 : TTarget.IsArm64 ? 64 : 80;
}
