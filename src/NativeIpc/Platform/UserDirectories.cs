using System.Runtime.InteropServices;
using NativeIpc.Interop.Unix;

namespace NativeIpc.Platform;

/// <summary>
/// The one resolver of the folders that System V keys live in. It follows QStandardPaths::RuntimeLocation and
/// QDir::tempPath, but only names the runtime folder; <see cref="CreateRuntimeDirectoryFor"/> creates it, once an
/// object is about to be made in it.
/// </summary>
/// <remarks>What it reads comes in as parameters, so that every case can be tested. All folders are empty on Windows,
/// which has no System V keys.</remarks>
internal sealed class UserDirectories(
    Func<string, string?> variable, uint userId, Func<uint, string> loginName, string workingDirectory = "",
    string systemTemporaryDirectory = "/tmp")
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private const UnixFileMode MarkBits = UnixFileMode.SetUser | UnixFileMode.SetGroup | UnixFileMode.StickyBit;

    private static readonly Lock s_passwordEntries = new();

    /// <summary>A folder, empty when there is none; and what Qt would have printed about it.</summary>
    internal readonly record struct Answer(string Path, string? Diagnostic);

    private enum Fitness
    {
        Usable,
        CanBeCreated,
        Unusable,
    }

    public static UserDirectories OfThisProcess() => OperatingSystem.IsWindows()
        ? new UserDirectories(Environment.GetEnvironmentVariable, 0, _ => "")
        : new UserDirectories(Environment.GetEnvironmentVariable, Libc.geteuid(), LoginName);

    /// <summary>The temporary folder, without links, dots and double slashes; empty when it does not exist.</summary>
    public string TemporaryDirectory()
    {
        if (OperatingSystem.IsWindows()) return "";
        string named = variable("TMPDIR") is { Length: > 0 } set ? set : systemTemporaryDirectory;
        // A relative path starts at the process's own folder
        return Libc.RealPath(Path.Combine(workingDirectory, named)) ?? "";
    }

    /// <summary>The user's runtime folder, which may yet have to be created; empty when there is none that is safe to
    /// use.</summary>
    public Answer RuntimeDirectory()
    {
        if (OperatingSystem.IsWindows()) return new Answer("", null);

        // Qt's runtime location on macOS; the system makes it. Not verified: nothing was run on macOS.
        if (Target.IsApple) return new Answer($"{variable("HOME")}/Library/Application Support", null);

        string? named = variable("XDG_RUNTIME_DIR");
        string? diagnostic;
        if (string.IsNullOrEmpty(named)) diagnostic = "XDG_RUNTIME_DIR is not set";
        else if (named[0] != '/') diagnostic = $"XDG_RUNTIME_DIR is '{named}', which is not an absolute path";
        else if (Examine(named, out diagnostic) != Fitness.Unusable) return new Answer(named, null);

        string fallback = $"{TemporaryDirectory()}/runtime-{loginName(userId)}";
        return Examine(fallback, out string? problem) == Fitness.Unusable
            ? new Answer("", $"{diagnostic}; and {problem}.")
            : new Answer(fallback, $"{diagnostic}; using '{fallback}' instead.");
    }

    /// <summary>Creates the runtime folder with mode 0700 when a key file is about to be made in it and it is
    /// missing.</summary>
    /// <param name="keyPath">The path of the key file.</param>
    /// <returns>Whether the folder was created. When it could not be, making the key file says why.</returns>
    public bool CreateRuntimeDirectoryFor(string keyPath)
    {
        // Apple: the system makes it, with its own rights
        if (OperatingSystem.IsWindows() || Target.IsApple) return false;
        string folder = RuntimeDirectory().Path;
        if (folder.Length == 0 || !keyPath.StartsWith(folder + "/", StringComparison.Ordinal)) return false;
        if (Examine(folder, out _) != Fitness.CanBeCreated || Libc.mkdir(folder, (uint)OwnerOnly) != 0) return false;

        // A umask can only take bits away. The name is this user's by now, in a folder where no other user can replace
        // it.
        if (Libc.Status(folder, followLink: false, out FileStatus status) == 0 && status.IsDirectory
            && ((UnixFileMode)status.Permissions & ~MarkBits) != OwnerOnly)
            _ = Libc.chmod(folder, (uint)OwnerOnly);
        return true;
    }

    /// <summary>The login name of a user; empty when the user has none.</summary>
    internal static unsafe string LoginName(uint userId)
    {
        lock (s_passwordEntries) // getpwuid answers in a buffer of its own
        {
            byte** entry = Libc.getpwuid(userId);
            return entry == null ? "" : Marshal.PtrToStringUTF8((nint)(*entry)) ?? "";
        }
    }

    private Fitness Examine(string folder, out string? problem)
    {
        problem = null;
        int error = Libc.Status(folder, followLink: false, out FileStatus status);
        if (error == Errno.ENOENT)
        {
            if (CanCreate(folder)) return Fitness.CanBeCreated;
            problem = $"'{folder}' is missing and cannot be created";
        }
        else if (error != 0) problem = $"'{folder}' cannot be examined (error {error})";
        else if (!status.IsDirectory) problem = $"'{folder}' is not a directory, or a link to one";
        else if (status.Uid != userId || !(RealIds.Users.IsReal(userId) || LetsIn(folder))) problem =
            $"'{folder}' belongs to user {RealIds.Users.Describe(status.Uid)} and not to user {userId}";
        else if (((UnixFileMode)status.Permissions & ~MarkBits) != OwnerOnly)
            problem = $"'{folder}' has mode {Convert.ToString(status.Permissions, 8)} instead of 700";
        return problem is null ? Fitness.Usable : Fitness.Unusable;
    }

    /// <summary>Where numbers do not tell users apart, the kernel does: into a folder of mode 0700 it lets its owner,
    /// and no user whose id is not mapped.</summary>
    private static bool LetsIn(string folder)
        => Libc.access(folder, Libc.W_OK | Libc.X_OK) == 0;

    /// <summary>Whether mkdir would succeed: only the last component may be missing.</summary>
    private static bool CanCreate(string folder)
    {
        string bare = folder.TrimEnd('/');
        int slash = bare.LastIndexOf('/');
        string parent = slash <= 0 ? "/" : bare[..slash];
        return Libc.Status(parent, followLink: true, out FileStatus status) == 0 && status.IsDirectory
            && Libc.access(parent, Libc.W_OK | Libc.X_OK) == 0;
    }
}
