using System.Runtime.InteropServices;

namespace NativeIpc.Tool.Running;

/// <summary>The command of <c>run</c>: found on PATH as a shell finds it.</summary>
internal sealed class Command(string[] words)
{
    public IReadOnlyList<string> Words { get; } = words;

    /// <summary>Becomes the command (Unix). Does not return: what the kernel keeps of this process (System V undo,
    /// process id, descriptors of the user) is the command's.</summary>
    /// <remarks>Handlers of signals fall back to the default at exec; what is ignored stays ignored, so SIGPIPE, which
    /// .NET ignores, is set back. No signal is blocked. .NET's own descriptors are close-on-exec. Other threads end
    /// with the exec.</remarks>
    /// <exception cref="ToolException">It cannot be started; as shells: 127 when there is none, else 126.</exception>
    public unsafe void Become()
    {
        nint[] arguments = [.. Words.Select(Marshal.StringToCoTaskMemUTF8), 0];
        Libc.signal(Libc.SIGPIPE, Libc.SIG_DFL);
        fixed (nint* pointers = arguments)
        {
            Libc.execvp((byte*)pointers[0], (byte**)pointers);
            int error = Marshal.GetLastPInvokeError();
            throw CannotStart(error == Libc.ENOENT, Marshal.GetPInvokeErrorMessage(error));
        }
    }

    /// <summary>The file of the program, for a child process. .NET would look in its own folder and the working
    /// directory first.</summary>
    /// <exception cref="ToolException">There is none (127), or it cannot be executed (126).</exception>
    public string FindProgram()
    {
        string program = Words[0];
        if (OperatingSystem.IsWindows()) return program;
        if (program.Contains('/', StringComparison.Ordinal))
        {
            return IsExecutable(program) ? Path.GetFullPath(program)
                : throw CannotStart(!Path.Exists(program),
                    Path.Exists(program) ? "Permission denied" : "No such file or directory");
        }

        string? unusable = null;
        foreach (string folder in (Environment.GetEnvironmentVariable("PATH") ?? "/bin:/usr/bin").Split(':'))
        {
            string candidate = Path.GetFullPath(Path.Combine(folder.Length == 0 ? "." : folder, program));
            if (IsExecutable(candidate)) return candidate;
            if (File.Exists(candidate)) unusable ??= candidate;
        }

        throw CannotStart(unusable is null, unusable is null ? "No such command on PATH" : "Permission denied");
    }

    public ToolException CannotStart(bool isMissing, string reason)
        => new(isMissing ? ExitCodes.NoSuchCommand : ExitCodes.CannotStart,
            $"Cannot start '{Words[0]}': {reason}. The permit was given back.");

    private static bool IsExecutable(string path)
        => !OperatingSystem.IsWindows() && File.Exists(path)
            && (File.GetUnixFileMode(path)
                & (UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute)) != 0;
}
