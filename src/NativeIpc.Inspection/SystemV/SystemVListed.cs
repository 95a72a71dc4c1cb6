using System.Runtime.InteropServices;
using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.SystemV;

namespace NativeIpc.Inspection.SystemV;

/// <summary>Opens System V objects by their id, as a list shows it: those that no key file leads to.</summary>
/// <remarks>
/// R1 Race: the object is removed, and another one is made, between the list and this.
/// Safe because: the kernel counts up what it puts into an id, so an id leads to the same object or to none for many
/// thousand makings, and the key of the object that answers is compared with the one that was listed.
/// </remarks>
internal static class SystemVListed
{
    internal static SystemVSegment OpenSegment(
        IpcObjectInfo found, SharedMemoryAccess access, SharedMemoryOptions options)
    {
        const string attempt = "open the segment";
        NativeIpcKey name = found.NamingKey;
        int id = IdOf(found, attempt, "shmat");
        nint address = Libc.shmat(id, 0, access == SharedMemoryAccess.Read ? Flags.SHM_RDONLY : 0);
        if (address == Libc.MAP_FAILED)
            throw SystemVErrors.UseSegment(attempt, name, "shmat", Marshal.GetLastPInvokeError());
        try
        {
            int number = SystemVSupport.Status(id, out SegmentStatus status);
            if (number != 0) throw SystemVErrors.UseSegment(attempt, name, "shmctl", number);
            if (!options.AllowOtherOwners)
                SystemVSupport.CheckOwner(attempt, name, "shmctl", status.Uid, status.CreatorUid);
            int key = found.SystemVKey ?? 0;
            if (key != 0 && !status.IsRemoved && Libc.shmget(key, 0, 0) is var leads && leads != id && leads != -1)
                throw Failure.NotTheListed(attempt, name);

            // Nothing leads to it but its id: detaching removes nothing, and it has no lock.
            SharedMemoryOptions own = options with { Removal = RemovalPolicy.Keep, UseLock = false };
            return new SystemVSegment(name, address, id, key, status.Size, default, access, createdNew: false, own);
        }
        catch
        {
            _ = Libc.shmdt(address); // cannot fail for what shmat gave
            throw;
        }
    }

    internal static SystemVSemaphore OpenSet(IpcObjectInfo found, SystemSemaphoreOptions options)
    {
        const string attempt = "open the semaphore";
        NativeIpcKey name = found.NamingKey;
        int id = IdOf(found, attempt, "semctl");
        int number = SystemVSupport.SetStatusOf(id, out SetStatus status);
        if (number != 0) throw SystemVErrors.UseSemaphore(attempt, name, "semctl", number);
        if (!options.AllowOtherOwners)
            SystemVSupport.CheckOwner(attempt, name, "semctl", status.Uid, status.CreatorUid);
        int key = found.SystemVKey ?? 0;
        if (key != 0 && Libc.semget(key, 0, 0) is var leads && leads != id && leads != -1)
            throw Failure.NotTheListed(attempt, name);
        return new SystemVSemaphore(name, SystemVSet.Opened(id, default, status), null,
            options with { Removal = RemovalPolicy.Keep });
    }

    private static int IdOf(IpcObjectInfo found, string attempt, string call)
        => found.SystemVId ?? throw Failure.Found(NativeIpcError.NotFound, attempt, found.NamingKey, call,
            "there is a key file and no object", "A creating call makes it.");
}
