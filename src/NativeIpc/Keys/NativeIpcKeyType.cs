namespace NativeIpc;

/// <summary>
/// The back end that a <see cref="NativeIpcKey"/> belongs to. The numbers are a wire contract shared with Qt's
/// <c>QNativeIpcKey::Type</c>: values 1 to 255 are System V with that <c>ftok</c> project id, so the type is open and
/// values without a name of their own are legal.
/// </summary>
/// <remarks>Validity is separate from support: any type can be named on any system;
/// <see cref="SharedMemory.IsKeyTypeSupported"/> and <see cref="SystemSemaphore.IsKeyTypeSupported"/> say what works
/// here.</remarks>
public enum NativeIpcKeyType : ushort
{
    /// <summary>No back end: the type of <c>default(NativeIpcKey)</c> and of every text that is not a key.</summary>
    Invalid = 0,

    /// <summary>System V (XSI) objects, <c>shmget</c> and <c>semget</c>, with the key from <c>ftok(path, 81)</c>; 81 is
    /// 'Q'.</summary>
    SystemV = 0x51,

    /// <summary>POSIX realtime objects, <c>shm_open</c> and <c>sem_open</c>.</summary>
    PosixRealtime = 0x100,

    /// <summary>Windows kernel objects, <c>CreateFileMappingW</c> and <c>CreateSemaphoreW</c>.</summary>
    Windows = 0x101,
}
