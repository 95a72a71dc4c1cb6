using System.Globalization;
using System.Runtime.InteropServices;

namespace NativeIpc.Victim;

/// <summary>Steps of a process that means harm: what it does goes on in the background until the process
/// ends.</summary>
internal static partial class AttackSteps
{
    private const int AtCurrentFolder = -100; // AT_FDCWD
    private const uint Exchange = 2; // RENAME_EXCHANGE
    private const int NoSuchFile = 2; // ENOENT

    private enum Kind
    {
        Valid,
        Empty,
        Short,
        Huge,
        Link,
        Fifo,
    }

    /// <summary>Runs a step of this kind; null when it is of another kind.</summary>
    internal static string? TryRun(string[] words) => words[0] switch
    {
        "swap" => Swap(words[1], words[2], words[3]),
        "lease" => Lease(words[1]),
        "flock" => Flock(words[1]),
        "unflock" => Unflock(),
        "open" => Open(words[1]),
        _ => null,
    };

    /// <summary>
    /// Puts one thing after the other under a name, each in one call: a file as it should be, files of other sizes, a
    /// symbolic link, a FIFO.
    /// </summary>
    /// <param name="path">The name.</param>
    /// <param name="linkTarget">Where the symbolic link leads to.</param>
    /// <param name="content">What the right file holds, in hexadecimal.</param>
    private static string Swap(string path, string linkTarget, string content)
    {
        byte[] valid = content == "-" ? [] : Convert.FromHexString(content);
        _ = umask(0);
        Kind[] kinds = Enum.GetValues<Kind>();
        string[] stash = [.. kinds.Select(kind => $"{path}.{kind}")];
        string fresh = path + ".fresh";
        Make(Kind.Valid, path);
        foreach (Kind kind in kinds) Make(kind, stash[(int)kind]);
        Kind now = Kind.Valid;
        var began = new ManualResetEventSlim();
        new Thread(() =>
        {
            while (true)
            {
                for (int i = 0; i < stash.Length; i++)
                {
                    if (renameat2(AtCurrentFolder, stash[i], AtCurrentFolder, path, Exchange) == 0)
                    {
                        (now, kinds[i]) = (kinds[i], now);
                        if (now != Kind.Valid) continue;

                        // A file that has no name any more when it is looked at.
                        Make(Kind.Valid, fresh);
                        _ = rename(fresh, path);
                    }
                    else if (Marshal.GetLastPInvokeError() == NoSuchFile)
                    {
                        // The victim has removed it, as the owner of what it took for an object.
                        if (File.Exists(stash[i]) || new FileInfo(stash[i]).LinkTarget is not null)
                            _ = rename(stash[i], path);
                        (now, kinds[i]) = (kinds[i], Kind.Valid);
                        Make(Kind.Valid, stash[i]);
                    }
                }

                began.Set();
            }
        }) { IsBackground = true }.Start();
        began.Wait();
        return "swaps";

        void Make(Kind kind, string name)
        {
            switch (kind)
            {
                case Kind.Link:
                    File.CreateSymbolicLink(name, linkTarget);
                    break;
                case Kind.Fifo:
                    SystemSteps.Check(mkfifo(name, (uint)FileModes.Mode666));
                    break;
                default:
                    File.WriteAllBytes(name, kind == Kind.Valid ? valid : []);
                    long length = kind switch
                    {
                        Kind.Valid => valid.Length,
                        Kind.Empty => 0,
                        Kind.Short => 7,
                        _ => 1L << 40,
                    };
                    SystemSteps.Check(truncate(name, length));
                    break;
            }
        }
    }

    /// <summary>Keeps everybody else from opening a file of this user's own, until the kernel takes that away
    /// (fs.lease-break-time, 45 s).</summary>
    private static string Lease(string path)
    {
        const int setLease = 1024; // F_SETLEASE
        const nint writeLease = 1; // F_WRLCK
        const int signal = 29; // SIGIO: somebody wants to open it
        const nint ignore = 1; // SIG_IGN
        _ = Signal(signal, ignore);
        int descriptor = open(path, 2); // O_RDWR
        if (descriptor == -1 || fcntl(descriptor, setLease, writeLease) != 0)
            throw new InvalidOperationException(
                string.Create(CultureInfo.InvariantCulture, $"No lease: error {Marshal.GetLastPInvokeError()}"));
        return "leased";
    }

    /// <summary>Takes the lock of a file or folder that this user may read, and keeps it until the process
    /// ends.</summary>
    private static string Flock(string path)
    {
        const int exclusive = 2 | 4; // LOCK_EX | LOCK_NB
        s_locked = Opened(path);
        SystemSteps.Check(flock(s_locked, exclusive));
        return "locked";
    }

    private static string Unflock()
    {
        SystemSteps.Check(close(s_locked));
        return "unlocked";
    }

    private static int s_locked;

    /// <summary>Has a file open until the process ends.</summary>
    private static string Open(string path)
    {
        _ = Opened(path);
        return "opened";
    }

    private static int Opened(string path)
    {
        int descriptor = open(path, 0); // O_RDONLY
        return descriptor >= 0 ? descriptor : throw new InvalidOperationException(Marshal.GetLastPInvokeErrorMessage());
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int close(int descriptor);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int flock(int descriptor, int operation);

    [LibraryImport("libc")]
    private static partial uint umask(uint mask);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int renameat2(int oldFolder, string oldName, int newFolder, string newName, uint flags);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int rename(string oldName, string newName);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int mkfifo(string name, uint mode);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int truncate(string name, long length);

    // Variadic, which is harmless on Linux.
    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int open(string name, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fcntl(int descriptor, int command, nint argument);

    [LibraryImport("libc", EntryPoint = "signal")]
    private static partial nint Signal(int number, nint handler);
}
