using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using NativeIpc.Contracts;
using NativeIpc.Errors;
using NativeIpc.Interop.Windows;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.Windows;

/// <summary>Windows semaphores: CreateSemaphoreW and OpenSemaphoreW.</summary>
/// <remarks>
/// A semaphore dies with its last handle, so none is ever left behind by a crash; but while one process has it open,
/// nobody can set its count. It is made with the largest maximum, unless the options say another, and the default
/// security of the process, as Qt does. Rights and interleavings are those of <see cref="WindowsSegments"/>.
/// </remarks>
internal sealed class WindowsSemaphores : ISemaphoreBackend
{
    private const string Creating = "create the semaphore";
    private const string Opening = "open the semaphore";
    private const string OpeningLock = "open the lock of the segment";

    public bool Handles(NativeIpcKeyType type) => type == NativeIpcKeyType.Windows;

    public bool WorksHere => true;

    public int MaximumCount => Kernel32.MAXLONG;

    public SemaphoreObject CreateNew(in NativeIpcKey key, int initialCount, SystemSemaphoreOptions options)
    {
        SafeWaitHandle handle = TryCreate(key, initialCount, MaximumOf(options), Security(options), out int number)
            ?? throw WindowsErrors.CreateSemaphore(Creating, key, number);
        return Made(key, handle, createdNew: true, options);
    }

    public SemaphoreObject? Open(in NativeIpcKey key, SystemSemaphoreOptions options, in PeerBound bound,
        bool mustExist)
    {
        WindowsSecurity security = Security(options);
        security.Check();
        SafeWaitHandle handle = Open(key, security, out int number);
        if (number == Win32Error.ERROR_SUCCESS)
            return Made(key, Checked(Opening, key, handle, security), createdNew: false, options);
        handle.Dispose();
        return number == Win32Error.ERROR_FILE_NOT_FOUND && !mustExist
            ? null : throw WindowsErrors.Open(Opening, key, "OpenSemaphoreW", number);
    }

    public SemaphoreObject CreateOrOpen(in NativeIpcKey key, int initialCount, SystemSemaphoreOptions options)
        => OpenOrCreate(Opening, key, initialCount, options);

    public SemaphoreObject CreateOrReset(in NativeIpcKey key, int initialCount, SystemSemaphoreOptions options)
    {
        if (options.AcceptExistingCount) return OpenOrCreate(Creating, key, initialCount, options);
        SafeWaitHandle handle = TryCreate(key, initialCount, MaximumOf(options), Security(options), out int number)
            ?? throw (number == Win32Error.ERROR_ALREADY_EXISTS
                ? Failure.Of(NativeIpcError.AlreadyExists, "reset the semaphore", key, "CreateSemaphoreW", number,
                    "Another process has it open, and Windows cannot set the count of a live semaphore: end its "
                        + "users, or accept the count that it has (AcceptExistingCount, as Qt silently does).")
                : WindowsErrors.CreateSemaphore(Creating, key, number));
        return Made(key, handle, createdNew: true, options);
    }

    public bool Remove(in NativeIpcKey key)
        => throw new PlatformNotSupportedException(
            $"Cannot remove the semaphore {Failure.Describe(key)}: Windows removes a semaphore with the last handle, "
                + $"and in no other way. Dispose it in every process that has it open.");

    /// <summary>Opens or makes the lock of a segment: one whose dead holder is noticed, if the record of the holder can
    /// be had.</summary>
    internal static SemaphoreObject OpenLock(in NativeIpcKey key, WindowsSecurity security, bool requiresRecovery)
    {
        SafeWaitHandle handle = OpenOrCreate(OpeningLock, key, 1, Kernel32.MAXLONG, security, out bool createdNew);
        try
        {
            return WindowsHeldSemaphore.Open(key, handle, createdNew, security);
        }
        catch (NativeIpcException failure) when (!requiresRecovery && failure.Error != NativeIpcError.OutOfResources)
        {
            // The lock itself works, as it does for a C program.
            NativeIpcEventSource.s_log.NotWatched($"the death of a holder goes unnoticed: {failure.Message}");
            return new WindowsSemaphore(key, handle, createdNew);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>The maximum of a new semaphore. One that exists keeps its own, which the kernel tells nobody who only
    /// opens it.</summary>
    private static int MaximumOf(SystemSemaphoreOptions options) => options.MaximumCount ?? Kernel32.MAXLONG;

    private static WindowsSecurity Security(SystemSemaphoreOptions options)
        => new(options.CurrentUserOnly, options.SecurityDescriptor);

    /// <summary>The object around a handle, which it takes over.</summary>
    private static SemaphoreObject Made(in NativeIpcKey key, SafeWaitHandle handle, bool createdNew,
        SystemSemaphoreOptions options)
    {
        if (!options.Robust) return new WindowsSemaphore(key, handle, createdNew);
        try
        {
            return WindowsHeldSemaphore.Open(key, handle, createdNew, Security(options));
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    private static SemaphoreObject OpenOrCreate(string attempt, in NativeIpcKey key, int initialCount,
        SystemSemaphoreOptions options)
    {
        SafeWaitHandle handle =
            OpenOrCreate(attempt, key, initialCount, MaximumOf(options), Security(options), out bool createdNew);
        return Made(key, handle, createdNew, options);
    }

    private static SafeWaitHandle OpenOrCreate(string attempt, in NativeIpcKey key, int initialCount, int maximum,
        WindowsSecurity security, out bool createdNew)
    {
        createdNew = false;
        security.Check();
        SafeWaitHandle handle = Open(key, security, out int number);
        if (number == Win32Error.ERROR_SUCCESS) return Checked(attempt, key, handle, security);
        handle.Dispose();
        if (number != Win32Error.ERROR_FILE_NOT_FOUND) throw WindowsErrors.Open(attempt, key, "OpenSemaphoreW", number);

        handle = Create(key, initialCount, maximum, security, out number);
        createdNew = number == Win32Error.ERROR_SUCCESS;
        if (createdNew) return handle;
        if (number == Win32Error.ERROR_ALREADY_EXISTS) return Checked(attempt, key, handle, security);
        handle.Dispose();
        if (number != Win32Error.ERROR_ACCESS_DENIED) throw WindowsErrors.CreateSemaphore(attempt, key, number);

        handle = Open(key, security, out int openNumber);
        if (openNumber == Win32Error.ERROR_SUCCESS) return Checked(attempt, key, handle, security);
        handle.Dispose();
        throw openNumber == Win32Error.ERROR_FILE_NOT_FOUND
            ? WindowsErrors.CreateSemaphore(attempt, key, number)
            : WindowsErrors.Open(attempt, key, "OpenSemaphoreW", openNumber);
    }

    /// <summary>The handle, if its object's owner is accepted. Takes it over.</summary>
    private static SafeWaitHandle Checked(string attempt, in NativeIpcKey key, SafeWaitHandle handle,
        WindowsSecurity security)
    {
        try
        {
            security.CheckOwner(attempt, key, handle);
            return handle;
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>Makes a semaphore; null, and why, when that fails or the name is taken.</summary>
    private static SafeWaitHandle? TryCreate(in NativeIpcKey key, int initialCount, int maximum,
        WindowsSecurity security, out int number)
    {
        SafeWaitHandle handle = Create(key, initialCount, maximum, security, out number);
        if (number == Win32Error.ERROR_SUCCESS) return handle;
        handle.Dispose();

        // Denied, too, when the name is taken by a semaphore that this process may not have full access to.
        if (number == Win32Error.ERROR_ACCESS_DENIED && Exists(key)) number = Win32Error.ERROR_ALREADY_EXISTS;
        return null;
    }

    /// <summary>A handle also with ERROR_ALREADY_EXISTS.</summary>
    private static SafeWaitHandle Create(in NativeIpcKey key, int initialCount, int maximum, WindowsSecurity security,
        out int number)
    {
        using SecurityAttributes attributes = security.Attributes();
        SafeWaitHandle handle = Kernel32.CreateSemaphoreW(attributes, initialCount, maximum, key.NativeKey);
        number = Marshal.GetLastPInvokeError();

        // Only that number says something about a call that succeeded.
        if (!handle.IsInvalid && number != Win32Error.ERROR_ALREADY_EXISTS) number = Win32Error.ERROR_SUCCESS;
        return handle;
    }

    private static SafeWaitHandle Open(in NativeIpcKey key, WindowsSecurity security, out int number)
    {
        SafeWaitHandle handle = Kernel32.OpenSemaphoreW(
            Kernel32.SEMAPHORE_MODIFY_STATE | Kernel32.SYNCHRONIZE | security.Rights, 0, key.NativeKey);
        number = Marshal.GetLastPInvokeError();
        if (!handle.IsInvalid) number = Win32Error.ERROR_SUCCESS;
        return handle;
    }

    private static bool Exists(in NativeIpcKey key)
    {
        using SafeWaitHandle handle = Open(key, default, out int number);
        return number is Win32Error.ERROR_SUCCESS or Win32Error.ERROR_ACCESS_DENIED;
    }
}
