using Microsoft.Win32.SafeHandles;

namespace NativeIpc.Tool.Running;

/// <summary>A folder of this user with the FIFO of one build, below that for temporary files. It goes with its
/// <c>nipc</c>; one whose <c>nipc</c> was killed goes when the next one begins, once nobody of its build
/// lives.</summary>
/// <remarks>Who lives is told by a file lock whose description the command and all that it starts inherit. The kernel
/// drops it with the last of them.</remarks>
internal sealed class TokenFolder : IDisposable
{
    private const string Prefix = "nipc-jobserver-";

    private readonly string _folder;
    private readonly SafeFileHandle _lock;

    /// <summary>Makes it, and removes those that are left over.</summary>
    /// <exception cref="IOException">There is no place for it.</exception>
    public TokenFolder()
    {
        RemoveLeftovers();
        do
        {
            _folder = Directory.CreateTempSubdirectory(Prefix).FullName;
            // R1 Race: another one takes the new folder for a leftover before it is locked. Safe because: it locks, and
            // then removes; so either this lock is not to be had, or the file that is locked is gone, and a new folder
            // is made.
        }
        while (!TryOwn(_folder, out _lock));
    }

    /// <summary>Where the FIFO belongs.</summary>
    public string Fifo => Path.Combine(_folder, "fifo");

    public void Dispose()
    {
        Remove(_folder);
        _lock.Dispose();
    }

    private static string LockOf(string folder) => Path.Combine(folder, "lock");

    private static bool TryOwn(string folder, out SafeFileHandle own)
    {
        own = new SafeFileHandle();
        try
        {
            SafeFileHandle file = Libc.Open(LockOf(folder), Libc.O_RDONLY | Libc.O_CREAT);
            if (Libc.TryLock(file, Libc.LOCK_SH) && File.Exists(LockOf(folder)))
            {
                own = file;
                return true;
            }

            file.Dispose();
            return false;
        }
        catch (IOException failure) when (failure.HResult == Libc.ENOENT)
        {
            return false; // removed as a leftover
        }
    }

    private static void RemoveLeftovers()
    {
        foreach (string folder in Directory.EnumerateDirectories(Path.GetTempPath(), Prefix + "*"))
        {
            if (!Libc.IsOwnFolder(folder)) continue;
            try
            {
                using SafeFileHandle file = Libc.Open(LockOf(folder), Libc.O_RDONLY | Libc.O_CLOEXEC);
                if (Libc.TryLock(file, Libc.LOCK_EX)) Remove(folder);
            }
            catch (IOException failure) when (failure.HResult == Libc.ENOENT)
            {
                // R2 Race: its nipc was killed before it made the file, or makes it at this moment. Safe because: only
                // an empty folder goes, in one step of the kernel; without it, that nipc makes another one.
                RemoveEmpty(folder);
            }
            catch (IOException)
            {
                // Not known, so it stays.
            }
        }
    }

    /// <summary>Removes a folder whose lock the caller has.</summary>
    private static void Remove(string folder)
    {
        try
        {
            File.Delete(Path.Combine(folder, "fifo"));
            File.Delete(LockOf(folder));
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return; // it stays, with what could not be removed
        }

        RemoveEmpty(folder);
    }

    private static void RemoveEmpty(string folder)
    {
        try
        {
            Directory.Delete(folder);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            // Another one removes it at this moment, or somebody has put something into it.
        }
    }
}
