using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace NativeIpc.Tool.Running;

/// <summary>What the tool itself asks of a Unix system, for <c>run</c> and <c>--mine</c> only; everything about IPC objects is the library's business.</summary>
internal static unsafe partial class Libc
{
    public const int ENOENT = 2;
    public const int SIGPIPE = 13; // the same on Linux and macOS, as SIG_DFL and SIG_IGN
    public const nint SIG_DFL = 0;
    public const nint SIG_IGN = 1;

    /// <summary>Becomes another program, with the environment that this one was started with (execvp(3)). Returns only when it fails.</summary>
    [LibraryImport("libc", SetLastError = true)]
    public static partial int execvp(byte* file, byte** arguments);

    [LibraryImport("libc")]
    public static partial nint signal(int number, nint handler);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int kill(int processId, int number);

    [LibraryImport("libc")]
    public static partial int getpgrp();

    [LibraryImport("libc")]
    public static partial uint geteuid();

    [LibraryImport("libc", SetLastError = true)]
    public static partial int tcgetpgrp(SafeFileHandle terminal);
}
