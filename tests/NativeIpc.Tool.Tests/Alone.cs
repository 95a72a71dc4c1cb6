using Xunit;

namespace NativeIpc.Tool.Tests;

/// <summary>Shell scripts in an IPC namespace and a /dev/shm of their own, which go with them: ids count from 0 there,
/// and lists show what the script has made.</summary>
internal static class Alone
{
    internal const string Why = "Namespaces of its own need root.";

    /// <summary>The beginning of a script whose key files lie in <c>keys</c>, a file system of its own: ftok(3) takes
    /// 16 bits of an inode and 8 of a device, so that now and then a file of /tmp would lead to the same key.</summary>
    internal const string KeysOfOwnDevice =
        "mkdir -p keys; mountpoint -q keys || mount -t tmpfs -o mode=1777 tmpfs keys || exit 99\n";

    /// <summary>The beginning of a script in which every process is seen: the first process of the machine, which a
    /// container hides from its root, too, is nobody's user in here, and is covered by an empty folder.</summary>
    internal static string SeesAll
    {
        get
        {
            RequireFirstPidNamespace();
            return "cat /proc/1/maps > /dev/null 2>&1 "
                + "|| { mkdir none; mount --bind none /proc/1 || exit 99; rmdir none 2> /dev/null; }\n";
        }
    }

    /// <summary>Skips the test in a container's PID namespace, where nipc rightly says "unknown": processes outside it
    /// are not seen, and have no number.</summary>
    internal static void RequireFirstPidNamespace()
        => Assert.SkipUnless(Watch.IsInFirstPidNamespace, "Needs to see every process: not in a PID namespace.");

    /// <summary>Skips the test where there can be no such namespace.</summary>
    internal static void Require()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Needs Linux namespaces.");
        Need.Root(Why);
        Peers.Require("perl", "perl-base");
    }

    /// <summary>Runs a script, in which <c>$N</c> is nipc and <c>$PWD</c> a folder of its own that everybody may
    /// write; <c>as_user</c> runs a command as another user than root.</summary>
    internal static ShellResult Run(string script)
    {
        string folder = Path.Combine(Path.GetTempPath(), TestNames.NextName());
        Directory.CreateDirectory(folder);
        try
        {
            File.SetUnixFileMode(folder, FileModes.Mode1777);
            const string prelude = "mount -t tmpfs -o mode=1777 tmpfs /dev/shm || exit 99\n"
                + "as_user() { setpriv --reuid 65534 --regid 65534 --clear-groups \"$@\"; }\n";
            return Shell.Run("unshare", ["-im", "--propagation", "private", "sh", "-c", prelude + script], folder,
                [new("N", Nipc.Program), new("DOTNET_CLI_HOME", "/tmp")]);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>Runs a script that ends with 0, and gives what it wrote to standard output, without the last line
    /// feed.</summary>
    internal static string Succeed(string script)
    {
        ShellResult result = Run(script);
        Assert.True(result.ExitCode == 0,
            $"The script ended with {result.ExitCode}:\n{script}\n{result.Output}{result.Error}");
        return result.Output.TrimEnd('\n');
    }
}
