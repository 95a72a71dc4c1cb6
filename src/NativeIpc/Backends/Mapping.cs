using static NativeIpc.Interop;

namespace NativeIpc.Backends;

/// <summary>What is done to mappings whose users may still be there.</summary>
internal static class Mapping
{
    /// <summary>Replaces an attached segment, or a semaphore's page, by empty private memory in one call, so that threads which still touch it at the end
    /// of the process never find it gone. Linux only.</summary>
    internal static bool Replace(nint address, long size)
    {
        nuint length = (nuint)((size + Environment.SystemPageSize - 1) / Environment.SystemPageSize * Environment.SystemPageSize);
        int flags = Flags.MAP_PRIVATE | Flags.MAP_ANONYMOUS | Flags.MAP_FIXED | Flags.MAP_NORESERVE;
        return Libc.mmap(address, length, Flags.PROT_READ | Flags.PROT_WRITE, flags, -1, 0) == address;
    }
}
