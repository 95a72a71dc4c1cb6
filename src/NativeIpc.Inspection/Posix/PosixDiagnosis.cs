using System.Globalization;
using NativeIpc.Inspection.Looks;
using NativeIpc.Interop.Unix;
using NativeIpc.Platform;
using NativeIpc.Posix.Names;

namespace NativeIpc.Inspection.Posix;

/// <summary>What may be wrong with the system's side of POSIX objects: the folder, its size, descriptors, and what the
/// kernel forbids. Linux.</summary>
internal static class PosixDiagnosis
{
    private const long SmallFolder = 64 << 20; // what Docker gives
    private const string Inodes = PosixNames.Folder + " (inodes)";
    private const string OfMemory =
        "memory and swap of this process's control group, segments included: the kernel kills a process beyond it";

    internal static void Examine(Diagnosis diagnosis)
    {
        if (!OperatingSystem.IsLinux()) return;
        diagnosis.AddNear(Limits(), limit => limit.Name == PosixNames.Folder
            ? ("Remove what nobody uses, or make it larger (in a container: docker run --shm-size).",
                "mount -o remount,size=50% /dev/shm")
            : limit.Name == Inodes
                ? ("Remove what nobody uses, or give it more.",
                string.Create(CultureInfo.InvariantCulture, $"mount -o remount,nr_inodes={limit.Maximum * 2} /dev/shm"))
            : limit.Description == OfMemory
                ? ("End programs of that control group, or let it take more: what goes beyond is killed.", null)
            : limit.Name == "fs.file-max" ? ("Raise it.",
                string.Create(CultureInfo.InvariantCulture, $"sysctl -w fs.file-max={limit.Maximum * 2}"))
            : ("Raise the limit of the shell or service (LimitNOFILE= of systemd).",
                string.Create(CultureInfo.InvariantCulture, $"ulimit -n {limit.Maximum * 2}")));
        ExamineFolder(diagnosis);
        ExamineRemoved(diagnosis);
        ExamineMemory(diagnosis);
        if (ReadNumber("/proc/sys/fs/protected_regular") is > 0 and var level)
        {
            diagnosis.Add(new IpcFinding(IpcFindingKind.ProtectedRegular, IpcSeverity.Information,
                $"fs.protected_regular is {level}: a program that passes O_CREAT for an object of another user in "
                    + $"/dev/shm gets EACCES, even root. Qt and this library open first, so they are not hit.",
                "Nothing, unless C programs of several users share objects: let them open without O_CREAT first."));
        }
    }

    internal static IEnumerable<IpcLimit> Limits()
    {
        if (!OperatingSystem.IsLinux()) yield break;
        if (Folder() is { } drive)
            yield return new IpcLimit(PosixNames.Folder, "bytes of POSIX segments and semaphores",
                drive.TotalSize - drive.TotalFreeSpace, drive.TotalSize, "bytes");
        if (Libc.FileSystemOf(PosixNames.Folder) is { f_files: > 0 and <= long.MaxValue } has)
            yield return new IpcLimit(Inodes, "files of POSIX segments, semaphores and locks: one inode each",
                (long)(has.f_files - has.f_ffree), (long)has.f_files, "inodes");
        if (MemoryLimit.Find() is { } memory)
            yield return new IpcLimit(memory.File, OfMemory, memory.Used, memory.Bytes, "bytes");
        if (Libc.LargestFile() is var file and not long.MaxValue)
            yield return new IpcLimit("ulimit -f", "size of one POSIX segment", null, file, "bytes");
        if (ReadLine("/proc/sys/fs/file-nr")?.Split('\t') is [var open, _, var most]
            && long.TryParse(open, out long used) && long.TryParse(most, out long maximum))
            yield return new IpcLimit("fs.file-max", "open files of the whole system", used, maximum, "files");
        if (DescriptorLimit() is { } limit)
            yield return new IpcLimit("ulimit -n",
                "descriptors of one process: each POSIX object that is open takes one", null, limit, "descriptors");
    }

    /// <summary>A segment that fits into /dev/shm and not into the memory of the container ends the process that fills
    /// it.</summary>
    private static void ExamineMemory(Diagnosis diagnosis)
    {
        if (MemoryLimit.Find() is not { } limit || Folder() is not { } drive || drive.TotalSize <= limit.Bytes) return;
        diagnosis.Add(new IpcFinding(IpcFindingKind.MemoryLimit, IpcSeverity.Warning,
            string.Create(CultureInfo.InvariantCulture,
                $"/dev/shm has {drive.TotalSize >> 20} MiB, and {limit.File} lets this process take "
                    + $"{limit.Bytes >> 20} MiB of memory and swap, segments included: the kernel kills a process "
                    + $"that goes beyond."),
            "Make /dev/shm smaller than that, or let the control group take more (docker run --memory; "
                + "resources.limits.memory of Kubernetes; MemoryMax= of systemd)."));
    }

    /// <summary>Programs remove names early, so that objects go with them. That is fine, and worth knowing when nothing
    /// else says what fills the folder.</summary>
    private static void ExamineRemoved(Diagnosis diagnosis)
    {
        IpcObjectInfo[] gone = [.. diagnosis.Snapshot.Objects.Where(found
            => found.Type == NativeIpcKeyType.PosixRealtime && (found.Traits & IpcObjectTraits.Removed) != 0)];
        if (gone.Length == 0 || !Limits().Any(limit => limit.Name is PosixNames.Folder or Inodes && limit.IsNear))
            return;
        long bytes = gone.Sum(found => found.Size ?? 0);
        diagnosis.Add(new IpcFinding(IpcFindingKind.Removed, IpcSeverity.Information,
            string.Create(CultureInfo.InvariantCulture,
                $"{gone.Length} objects of /dev/shm have no name any more and are in use, with {bytes} bytes "
                    + $"together."),
            "They go with the processes that have them open: 'nipc list' names these."));
    }

    private static void ExamineFolder(Diagnosis diagnosis)
    {
        const UnixFileMode usual = PosixFolder.EveryUser | UnixFileMode.StickyBit;
        if (Libc.Status(PosixNames.Folder, followLink: true, out FileStatus status) != 0 || !status.IsDirectory)
        {
            diagnosis.Add(new IpcFinding(IpcFindingKind.SharedMemoryFolder, IpcSeverity.Error,
                "/dev/shm is missing: POSIX objects cannot be made.", "Mount it.")
                { Command = "mkdir -m 1777 -p /dev/shm && mount -t tmpfs -o mode=1777 tmpfs /dev/shm" });
            return;
        }

        if (!PosixFolder.Has(status, usual))
        {
            string effect = PosixFolder.Has(status, PosixFolder.EveryUser)
                ? "every user may remove the objects of the others" : "other users cannot make or open objects";
            diagnosis.Add(new IpcFinding(IpcFindingKind.SharedMemoryFolder, IpcSeverity.Warning,
                $"/dev/shm has mode {Convert.ToString(status.Permissions, 8)} instead of 1777: {effect}.",
                "Give it its usual mode.")
                { Command = "chmod 1777 /dev/shm" });
        }

        if (Libc.FileSystemOf(PosixNames.Folder) is { f_flag: var flags } && (flags & Flags.ST_RDONLY) != 0)
        {
            diagnosis.IsFolderReadOnly = true;
            diagnosis.Add(new IpcFinding(IpcFindingKind.SharedMemoryFolder, IpcSeverity.Error,
                "/dev/shm is read-only: POSIX objects can be neither made nor removed.",
                "Mount it so that it can be written (docker run without --read-only, or with --tmpfs /dev/shm).")
                { Command = "mount -o remount,rw /dev/shm" });
        }

        if (Folder() is not { } drive) return;
        if (FormatOf(status.Identity, SystemText.Lines("/proc/self/mountinfo")) is not (null or "tmpfs" or "ramfs")
            and var format)
        {
            diagnosis.Add(new IpcFinding(IpcFindingKind.SharedMemoryFolder, IpcSeverity.Warning,
                $"/dev/shm is a {format} and no tmpfs: objects may be slow, and survive a restart of the machine.",
                "Mount a tmpfs there.")
                { Command = "mount -t tmpfs -o mode=1777 tmpfs /dev/shm" });
        }

        if (drive.TotalSize is > 0 and <= SmallFolder)
        {
            diagnosis.Add(new IpcFinding(IpcFindingKind.SharedMemoryFolder, IpcSeverity.Information,
                $"/dev/shm has only {drive.TotalSize >> 20} MiB, as containers get it: larger segments fail with "
                    + $"OutOfResources.",
                "Give the container more (docker run --shm-size), or mount it larger.")
                { Command = "mount -o remount,size=50% /dev/shm" });
        }
    }

    /// <summary>The type of the file system that a file is on: that of the last mount of its device. DriveInfo tells
    /// the first one that was mounted at the place, also when another one covers it. Null where that is not told (btrfs
    /// gives its files devices of their own).</summary>
    internal static string? FormatOf(FileIdentity file, IReadOnlyList<string> mounts)
    {
        // proc(5): id, parent, major:minor, root, place, options, fields that may be missing, a dash, type, source,
        // options.
        string device = string.Create(CultureInfo.InvariantCulture,
            $"{file.Device >> 32}:{file.Device & uint.MaxValue}");
        string? mount = mounts.LastOrDefault(line => line.Split(' ') is [_, _, var numbers, ..] && numbers == device);
        return mount?.IndexOf(" - ", StringComparison.Ordinal) is >= 0 and var dash
            ? mount[(dash + 3)..].Split(' ')[0] : null;
    }

    private static DriveInfo? Folder()
    {
        try
        {
            var drive = new DriveInfo(PosixNames.Folder);
            return drive is { IsReady: true, TotalSize: > 0 } ? drive : null;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return null; // not there: said elsewhere
        }
    }

    private static long? DescriptorLimit()
    {
        const string head = "Max open files";
        try
        {
            string? line = File.ReadLines("/proc/self/limits")
                .FirstOrDefault(line => line.StartsWith(head, StringComparison.Ordinal));
            return line is not null && long.TryParse(
                line[head.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries)[0], out long limit)
                ? limit : null;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            Shortage.Note(failure);
            return null;
        }
    }

    private static long? ReadNumber(string path) => long.TryParse(ReadLine(path), out long number) ? number : null;

    private static string? ReadLine(string path) => SystemText.FirstLine(path);
}
