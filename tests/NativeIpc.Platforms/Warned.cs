// Compiled by eng/pack-test.sh against the package: each line that ends with CA1416 must give that warning, and no
// other line may.
using NativeIpc;
using NativeIpc.Inspection;

internal static class Warned
{
    public static async Task Everywhere(NativeIpcKey key, IpcObjectInfo found)
    {
        _ = SharedMemory.Remove(key); // CA1416
        _ = SystemSemaphore.Remove(key); // CA1416
        _ = IpcObjects.Remove(found); // CA1416
        _ = IpcObjects.TryRemoveUnused(found); // CA1416
        _ = IpcObjects.Inspect(key, IpcObjectKind.SharedMemory); // CA1416

        var memory = new SharedMemoryOptions
        {
            Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            Removal = RemovalPolicy.LastOneOut,
            CurrentUserOnly = true,
            Reclaim = true,
            Group = "users", // CA1416
            SecurityDescriptor = "D:P(A;;GA;;;OW)", // CA1416
            AllowOtherOwners = true, // CA1416
            RequireLockRecovery = true, // CA1416
        };
        memory = memory with { RequireLockRecovery = true }; // CA1416
        using SharedMemory segment = SharedMemory.CreateOrOpen(key, 100, memory);
        using (segment.Lock()) Console.WriteLine(memory.Group);

        var options = new SystemSemaphoreOptions
        {
            MaximumCount = 5,
            PeerTimeout = TimeSpan.Zero,
            Group = "users", // CA1416
            SecurityDescriptor = "D:P(A;;GA;;;OW)", // CA1416
            AllowOtherOwners = true, // CA1416
            Undo = SystemVUndoPolicy.None, // CA1416
            AcceptExistingCount = true, // CA1416
            Robust = true, // CA1416
            Recording = PermitRecording.Process, // CA1416
        };
        options.Robust = true; // CA1416
        using SystemSemaphore semaphore = SystemSemaphore.CreateOrOpen(key, 1, options);
        semaphore.Acquire(2); // CA1416
        _ = semaphore.TryAcquire(2); // CA1416
        _ = semaphore.TryAcquire(2, TimeSpan.Zero, CancellationToken.None); // CA1416
        semaphore.Release(2);
        using (semaphore.Enter()) Console.WriteLine(semaphore.WasAbandoned);
        using (await semaphore.EnterAsync()) Console.WriteLine(options.Recording);
        _ = SystemSemaphore.ReturnLostPermits(key);
    }

    public static void WhereItIs(NativeIpcKey key, SystemSemaphore semaphore)
    {
        var options = new SystemSemaphoreOptions();
        if (!OperatingSystem.IsWindows())
        {
            _ = SharedMemory.Remove(key);
            options.Group = "users";
            options.Undo = SystemVUndoPolicy.AcquireOnly;
        }
        else
        {
            options.SecurityDescriptor = "D:P(A;;GA;;;OW)";
            options.AcceptExistingCount = true;
        }

        if (!OperatingSystem.IsMacOS()) options.Robust = true;
        if (OperatingSystem.IsLinux()) options.Recording = PermitRecording.ProcessAndChildren;
        if (SystemSemaphore.IsPermitRecordingSupported(key.Type)) options.Recording = PermitRecording.Process;
        if (SystemSemaphore.IsMultipleAcquireSupported(key.Type)) semaphore.Acquire(2);
    }
}
