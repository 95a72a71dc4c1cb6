using System.Globalization;
using NativeIpc.Errors;
using NativeIpc.Interop.Windows;
using NativeIpc.Keys;

namespace NativeIpc.Windows;

/// <summary>What GetLastError means to each Windows call.</summary>
internal static class WindowsErrors
{
    /// <summary>CreateFileMappingW of a section that the paging file backs.</summary>
    public static NativeIpcException CreateSegment(string attempt, in NativeIpcKey key, int number, long size)
        => number switch
    {
        Win32Error.ERROR_INVALID_PARAMETER =>
            Failure.Of(NativeIpcError.InvalidSize, attempt, key, "CreateFileMappingW", number,
            $"A size of {size} bytes is more than the system can give: ask for less."),
        Win32Error.ERROR_NOT_ENOUGH_MEMORY or Win32Error.ERROR_OUTOFMEMORY or Win32Error.ERROR_COMMITMENT_LIMIT
            or Win32Error.ERROR_DISK_FULL
            => Failure.Of(NativeIpcError.OutOfResources, attempt, key, "CreateFileMappingW", number,
                $"Memory and paging file have no room for {size} bytes: ask for less, end what is not used, or let "
                    + $"the paging file grow."),
        _ => Create(attempt, key, "CreateFileMappingW", number),
    };

    /// <summary>CreateSemaphoreW; counts were checked before.</summary>
    public static NativeIpcException CreateSemaphore(string attempt, in NativeIpcKey key, int number)
        => Create(attempt, key, "CreateSemaphoreW", number);

    /// <summary>CreateEventW.</summary>
    public static NativeIpcException CreateEvent(string attempt, in NativeIpcKey key, int number)
        => Create(attempt, key, "CreateEventW", number);

    /// <summary>SetEvent and ResetEvent of a handle that may.</summary>
    public static NativeIpcException UseEvent(string attempt, in NativeIpcKey key, string call, int number)
        => Unknown(attempt, key, call, number);

    /// <summary>OpenFileMappingW, OpenSemaphoreW and OpenEventW.</summary>
    public static NativeIpcException Open(string attempt, in NativeIpcKey key, string call, int number) => number switch
    {
        Win32Error.ERROR_FILE_NOT_FOUND => Failure.Of(NativeIpcError.NotFound, attempt, key, call, number,
            key.NativeKey.StartsWith(@"Global\", StringComparison.Ordinal)
            ? "No such object on this machine: start the peer that makes it, or use CreateOrOpen. It lives only as "
                + "long as somebody has it open."
            : "No such object in this session: start the peer that makes it, or use CreateOrOpen. It lives only as "
                + "long as somebody has it open; a peer in another session (a service) must make it under Global\\."),
        Win32Error.ERROR_ACCESS_DENIED => Failure.Of(NativeIpcError.PermissionDenied, attempt, key, call, number,
            "Its access control list does not let this process in: let its creator grant this user access (for a "
                + "segment, reading alone may be granted), or run as the creator's user and at its integrity level."),
        _ => Name(attempt, key, call, number) ?? Unknown(attempt, key, call, number),
    };

    /// <summary>MapViewOfFile and VirtualQuery, of the whole section.</summary>
    public static NativeIpcException Map(string attempt, in NativeIpcKey key, string call, int number) => number switch
    {
        Win32Error.ERROR_ACCESS_DENIED => Failure.Of(NativeIpcError.PermissionDenied, attempt, key, call, number,
            "The section was made so that it cannot be mapped for writing (PAGE_READONLY, or a file opened for "
                + "reading): open it for reading only."),
        Win32Error.ERROR_NOT_ENOUGH_MEMORY or Win32Error.ERROR_OUTOFMEMORY or Win32Error.ERROR_COMMITMENT_LIMIT
            or Win32Error.ERROR_NO_SYSTEM_RESOURCES or Win32Error.ERROR_NOT_ENOUGH_QUOTA
            => Failure.Of(NativeIpcError.OutOfResources, attempt, key, call, number,
                "The address space of this process, or the system's memory, has no room for all of the segment: make "
                    + "it smaller, or use a 64-bit process."),
        Win32Error.ERROR_INVALID_PARAMETER => Failure.Of(NativeIpcError.InvalidSize, attempt, key, call, number,
            "The segment has a size that cannot be mapped."),
        _ => Unknown(attempt, key, call, number),
    };

    /// <summary>GetKernelObjectSecurity of a handle that may ask.</summary>
    public static NativeIpcException Security(string attempt, in NativeIpcKey key, int number)
        => Unknown(attempt, key, "GetKernelObjectSecurity", number);

    /// <summary>ReleaseSemaphore; all permits are given, or none.</summary>
    /// <param name="key">The key.</param>
    /// <param name="number">The error number.</param>
    /// <param name="count">How many permits were to be given.</param>
    /// <param name="maximum">The largest count of the semaphore; null where it cannot be told.</param>
    public static NativeIpcException Release(in NativeIpcKey key, int number, int count, int? maximum)
    {
        string attempt = $"release {Failure.Permits(count)} of the semaphore";
        if (number != Win32Error.ERROR_TOO_MANY_POSTS) return Unknown(attempt, key, "ReleaseSemaphore", number);
        string most = maximum is { } known
            ? string.Create(CultureInfo.InvariantCulture, $"{known}, the maximum that its creator set")
            : "the maximum that its creator set, which this user may not read";
        return Failure.Of(NativeIpcError.OutOfResources, attempt, key, "ReleaseSemaphore", number,
            $"The count would pass {most}, and no permit was given: release no more than was acquired or is meant to "
                + $"be "
                + "there, or have its creator make it with a larger MaximumCount.");
    }

    private static NativeIpcException Create(string attempt, in NativeIpcKey key, string call, int number)
        => number switch
    {
        Win32Error.ERROR_ALREADY_EXISTS => Failure.Of(NativeIpcError.AlreadyExists, attempt, key, call, number,
            "Open it, or use CreateOrOpen; or end the processes that have it open: Windows removes it with the last "
                + "handle."),
        Win32Error.ERROR_ACCESS_DENIED or Win32Error.ERROR_PRIVILEGE_NOT_HELD
            when NameRules.WindowsPrefixLength(key.NativeKey) == @"Global\".Length
            => Failure.Of(NativeIpcError.PermissionDenied, attempt, key, call, number,
                "Making an object under Global\\ outside session 0 may need the privilege SeCreateGlobalPrivilege "
                    + "(services and administrators have it; opening does not need it): let a service make it, or use "
                    + "a name without a prefix or under Local\\ when all peers run in one session."),
        Win32Error.ERROR_ACCESS_DENIED or Win32Error.ERROR_PRIVILEGE_NOT_HELD =>
            Failure.Of(NativeIpcError.PermissionDenied, attempt, key, call, number,
            "The access control list of the name space or of an object that has the name does not let this process "
                + "in: use another name, or run as its creator's user."),
        _ => Name(attempt, key, call, number) ?? Unknown(attempt, key, call, number),
    };

    /// <summary>What a name can be the cause of, made or opened, and what every handle needs.</summary>
    private static NativeIpcException? Name(string attempt, in NativeIpcKey key, string call, int number)
        => number switch
    {
        Win32Error.ERROR_INVALID_HANDLE => Failure.Of(NativeIpcError.KeyError, attempt, key, call, number,
            "Another kind of object has this name; on Windows segments, semaphores, mutexes, events and timers share "
                + "one space of names. Use another name, or PlatformSafeKey, which puts shm_, sem_ or event_ in "
                + "front."),
        Win32Error.ERROR_PATH_NOT_FOUND or Win32Error.ERROR_INVALID_NAME or Win32Error.ERROR_BAD_PATHNAME
            or Win32Error.ERROR_FILENAME_EXCED_RANGE
            => Failure.Of(NativeIpcError.KeyError, attempt, key, call, number,
                "The name cannot be that of a Windows object: use one made by PlatformSafeKey, shorter than 260 "
                    + "characters and without a backslash, but for a leading Local\\ or Global\\."),
        Win32Error.ERROR_NOT_ENOUGH_MEMORY or Win32Error.ERROR_OUTOFMEMORY or Win32Error.ERROR_NO_SYSTEM_RESOURCES
            or Win32Error.ERROR_NOT_ENOUGH_QUOTA
            or Win32Error.ERROR_COMMITMENT_LIMIT or Win32Error.ERROR_TOO_MANY_OPEN_FILES
            => Failure.Of(NativeIpcError.OutOfResources, attempt, key, call, number,
                "The system has no memory or handles left for another object: dispose what is not used, or end "
                    + "processes."),
        _ => null,
    };

    /// <summary>The arm that every table ends with: the number is kept, the meaning is not guessed.</summary>
    private static NativeIpcException Unknown(string attempt, in NativeIpcKey key, string call, int number)
        => Failure.Of(NativeIpcError.Unknown, attempt, key, call, number,
            $"See {call} and the list of system error codes in the Windows documentation.");
}
