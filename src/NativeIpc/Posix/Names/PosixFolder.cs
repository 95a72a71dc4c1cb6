using System.Globalization;
using System.Runtime.InteropServices;
using NativeIpc.Interop.Unix;
using NativeIpc.Platform;

namespace NativeIpc.Posix.Names;

/// <summary>Why /dev/shm does not serve: asked only after a call has failed, for the message. Linux; elsewhere nothing
/// is known of a folder.</summary>
internal static class PosixFolder
{
    private const UnixFileMode Search = UnixFileMode.UserExecute | UnixFileMode.GroupExecute
        | UnixFileMode.OtherExecute;

    /// <summary>What every user may do in a folder that all share.</summary>
    internal const UnixFileMode EveryUser = Search | UnixFileMode.UserRead | UnixFileMode.UserWrite
        | UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;

    internal const string Missing = "/dev/shm, the folder of POSIX objects, is missing";
    internal const string Mount =
        "mount a tmpfs there (mkdir -m 1777 -p /dev/shm; mount -t tmpfs -o mode=1777 tmpfs /dev/shm), or use a "
            + "System V key";
    internal const string ReadOnly =
        "/dev/shm is mounted read-only here: mount it writable (mount -o remount,rw /dev/shm; in a container, give "
            + "it a tmpfs there).";

    private const string Policy =
        "A security policy refuses it (AppArmor, SELinux or seccomp; a strict snap may only use names that begin "
            + "with snap.NAME.): allow it there, or use a name that is allowed.";

    internal static bool Has(in FileStatus file, UnixFileMode mode)
        => ((UnixFileMode)file.Permissions & mode) == mode;

    /// <summary>Why no object can be made there, and what to do: whole sentences.</summary>
    internal static string WhyNothingCanBeMade() => WhyShut() ?? Policy;

    /// <summary>Whether the folder's mode is in the way of opening files, in whole sentences; null when it is
    /// not.</summary>
    internal static string? WhyNothingCanBeReached()
    {
        if (!OperatingSystem.IsLinux()
            || Libc.Status(PosixNames.Folder, followLink: true, out FileStatus folder) != 0) return null;
        return Has(folder, Search) || Libc.geteuid() == 0 ? null : WhyShut();
    }

    /// <summary>Whether the folder's mode is in the way of making and removing files, in whole sentences; null when it
    /// is not.</summary>
    internal static string? WhyShut()
    {
        if (!OperatingSystem.IsLinux()
            || Libc.Status(PosixNames.Folder, followLink: true, out FileStatus folder) != 0) return null;
        if (Has(folder, EveryUser) || Libc.geteuid() == 0) return null;
        return $"/dev/shm has mode {Convert.ToString(folder.Permissions, 8)} instead of 1777 and belongs to user "
            + $"{RealIds.Users.Describe(folder.Uid)}, "
            + $"so user {Libc.geteuid()} cannot make and remove files there: let root give it its usual mode (chmod "
            + $"1777 /dev/shm), or use a System V key.";
    }

    /// <summary>What the folder has run out of, inodes or bytes, in whole sentences; null when it does not
    /// tell.</summary>
    internal static string? WhyFull()
    {
        if (Libc.FileSystemOf(PosixNames.Folder) is not { } has) return null;
        // The C library makes a semaphore under another name and links it, which takes two for a moment.
        if (has is { f_files: > 0, f_ffree: 0 } or { f_files: > 0, f_ffree: 1, f_bfree: > 0 })
        {
            return string.Create(CultureInfo.InvariantCulture,
                $"/dev/shm has no inodes left: {has.f_files - has.f_ffree} of {has.f_files} are used, one for each "
                    + $"segment, semaphore and lock. Remove leftovers there, or give it more (mount -o "
                    + $"remount,nr_inodes=… /dev/shm).");
        }

        return string.Create(CultureInfo.InvariantCulture,
            $"/dev/shm is full, {(has.f_blocks - has.f_bfree) * has.f_frsize} of {has.f_blocks * has.f_frsize} bytes "
                + $"are used: remove leftovers there, or give it more (mount -o remount,size=…; docker --shm-size).");
    }

    /// <summary>Why POSIX objects do not work here at all: what was found, without a full stop, and what to
    /// do.</summary>
    internal static (string Finding, string Remedy) WhyNotHere()
    {
        if (!Environment.Is64BitProcess)
            return ("this is a 32-bit process, and the library is for 64-bit ones", "Run it as a 64-bit process.");
        if (!OperatingSystem.IsLinux())
        {
            return ("this system does not let this process use objects of this type",
                "Ask IsKeyTypeSupported first, and use a key of another type.");
        }

        int number = Libc.Status(PosixNames.Folder, followLink: true, out FileStatus folder);
        if (number == 0 && !folder.IsDirectory)
            return ("/dev/shm, where POSIX objects live, is no folder", $"Remove what is there and {Mount}.");
        if (number is Errno.ENOENT or Errno.ENOTDIR) return (Missing, $"Make it and {Mount}.");
        return ($"/dev/shm cannot be looked at: statx says \"{Marshal.GetPInvokeErrorMessage(number)}\" (error "
            + $"{number})",
            "If a sandbox (seccomp) refuses that system call, allow it there: the library cannot do without statx, "
                + "nor can current C libraries. Otherwise let this user reach /dev/shm.");
    }
}
