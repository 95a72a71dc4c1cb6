using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using NativeIpc.Errors;
using static NativeIpc.Interop;

namespace NativeIpc.Backends.Windows;

/// <summary>Windows semaphores: CreateSemaphoreW and OpenSemaphoreW.</summary>
/// <remarks>
/// A semaphore dies with its last handle, so none is ever left behind by a crash; but while one process has it open, nobody can set its
/// count. It is made with the largest maximum and the default security of the process, as Qt does. Rights and interleavings are
/// those of <see cref="WindowsSegments"/>.
/// </remarks>
internal sealed class WindowsSemaphores : ISemaphoreBackend
{
    private const string Creating = "create the semaphore";
    private const string Opening = "open the semaphore";

    public bool Handles(NativeIpcKeyType type) => type == NativeIpcKeyType.Windows;

    public bool WorksHere => true;

    public int MaximumCount => Kernel32.MAXLONG;

    public SemaphoreObject CreateNew(in NativeIpcKey key, int initialCount, SystemSemaphoreOptions options)
        => TryCreate(Offered(key, options), initialCount, out int number) ?? throw WindowsErrors.CreateSemaphore(Creating, key, number);

    public SemaphoreObject? Open(in NativeIpcKey key, SystemSemaphoreOptions options, bool mustExist)
    {
        SafeWaitHandle handle = Open(Offered(key, options), out int number);
        if (number == Win32Error.ERROR_SUCCESS) return new WindowsSemaphore(key, handle, createdNew: false);
        handle.Dispose();
        return number == Win32Error.ERROR_FILE_NOT_FOUND && !mustExist ? null : throw WindowsErrors.Open(Opening, key, "OpenSemaphoreW", number);
    }

    public SemaphoreObject CreateOrOpen(in NativeIpcKey key, int initialCount, SystemSemaphoreOptions options) => OpenOrCreate(Opening, Offered(key, options), initialCount);

    public SemaphoreObject CreateOrReset(in NativeIpcKey key, int initialCount, SystemSemaphoreOptions options)
    {
        Offered(key, options);
        if (options.AcceptExistingCount) return OpenOrCreate(Creating, key, initialCount);
        return TryCreate(key, initialCount, out int number)
            ?? throw (number == Win32Error.ERROR_ALREADY_EXISTS
                ? Failure.Of(NativeIpcError.AlreadyExists, "reset the semaphore", key, "CreateSemaphoreW", number,
                    "Another process has it open, and Windows cannot set the count of a live semaphore: end its users, or accept the count that it has (AcceptExistingCount, as Qt silently does).")
                : WindowsErrors.CreateSemaphore(Creating, key, number));
    }

    public bool Remove(in NativeIpcKey key)
        => throw new PlatformNotSupportedException($"Cannot remove the semaphore {Failure.Describe(key)}: Windows removes a semaphore with the last handle, and in no other way. Dispose it in every process that has it open.");

    private static NativeIpcKey Offered(in NativeIpcKey key, SystemSemaphoreOptions options)
        => !options.Robust ? key
            : throw new PlatformNotSupportedException($"Cannot use the semaphore {Failure.Describe(key)} with Robust: on Windows the death of a holder is not noticed so far. Do without.");

    /// <summary>Also what the lock of a segment is opened by.</summary>
    internal static WindowsSemaphore OpenOrCreate(string attempt, in NativeIpcKey key, int initialCount)
    {
        SafeWaitHandle handle = Open(key, out int number);
        if (number == Win32Error.ERROR_SUCCESS) return new WindowsSemaphore(key, handle, createdNew: false);
        handle.Dispose();
        if (number != Win32Error.ERROR_FILE_NOT_FOUND) throw WindowsErrors.Open(attempt, key, "OpenSemaphoreW", number);

        handle = Create(key, initialCount, out number);
        if (number is Win32Error.ERROR_SUCCESS or Win32Error.ERROR_ALREADY_EXISTS) return new WindowsSemaphore(key, handle, createdNew: number == Win32Error.ERROR_SUCCESS);
        handle.Dispose();
        if (number != Win32Error.ERROR_ACCESS_DENIED) throw WindowsErrors.CreateSemaphore(attempt, key, number);

        handle = Open(key, out int openNumber);
        if (openNumber == Win32Error.ERROR_SUCCESS) return new WindowsSemaphore(key, handle, createdNew: false);
        handle.Dispose();
        throw openNumber == Win32Error.ERROR_FILE_NOT_FOUND
            ? WindowsErrors.CreateSemaphore(attempt, key, number)
            : WindowsErrors.Open(attempt, key, "OpenSemaphoreW", openNumber);
    }

    /// <summary>Makes a semaphore; null, and why, when that fails or the name is taken.</summary>
    private static WindowsSemaphore? TryCreate(in NativeIpcKey key, int initialCount, out int number)
    {
        SafeWaitHandle handle = Create(key, initialCount, out number);
        if (number == Win32Error.ERROR_SUCCESS) return new WindowsSemaphore(key, handle, createdNew: true);
        handle.Dispose();

        // Denied, too, when the name is taken by a semaphore that this process may not have full access to.
        if (number == Win32Error.ERROR_ACCESS_DENIED && Exists(key)) number = Win32Error.ERROR_ALREADY_EXISTS;
        return null;
    }

    /// <summary>A handle also with ERROR_ALREADY_EXISTS.</summary>
    private static SafeWaitHandle Create(in NativeIpcKey key, int initialCount, out int number)
    {
        SafeWaitHandle handle = Kernel32.CreateSemaphoreW(0, initialCount, Kernel32.MAXLONG, key.NativeKey);
        number = Marshal.GetLastPInvokeError();

        // Only that number says something about a call that succeeded.
        if (!handle.IsInvalid && number != Win32Error.ERROR_ALREADY_EXISTS) number = Win32Error.ERROR_SUCCESS;
        return handle;
    }

    private static SafeWaitHandle Open(in NativeIpcKey key, out int number)
    {
        SafeWaitHandle handle = Kernel32.OpenSemaphoreW(Kernel32.SEMAPHORE_MODIFY_STATE | Kernel32.SYNCHRONIZE, 0, key.NativeKey);
        number = Marshal.GetLastPInvokeError();
        if (!handle.IsInvalid) number = Win32Error.ERROR_SUCCESS;
        return handle;
    }

    private static bool Exists(in NativeIpcKey key)
    {
        using SafeWaitHandle handle = Open(key, out int number);
        return number is Win32Error.ERROR_SUCCESS or Win32Error.ERROR_ACCESS_DENIED;
    }
}
